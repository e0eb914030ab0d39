// Asks the daemon: one HTTP request over its Unix socket, one answer.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/base/result.hpp"

namespace astil::cli {

enum class Method { get, post };

struct Question {
  Method method = Method::get;
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;  ///< as it is meant; encoded on the way
  std::string body;
};

struct Reply {
  unsigned status = 0;
  std::string body;
};

/// Blocks until the answer is complete, or `timeout` has passed. None: nobody listens at `socket`. An error: somebody
/// does, or might, but the exchange failed.
[[nodiscard]] Result<std::optional<Reply>> ask(const std::string& socket, const Question& question,
                                               std::chrono::seconds timeout = std::chrono::seconds(30));

/// What to tell the operator where `ask` found nobody.
[[nodiscard]] Error no_daemon(const std::string& socket);

}  // namespace astil::cli
