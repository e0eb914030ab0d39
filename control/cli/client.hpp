// Asks the daemon: one HTTP request over its Unix socket, one answer.
#pragma once

#include <chrono>
#include <functional>
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

enum class GoOn { no, yes };
enum class Ended { by_user, by_daemon };

/// How following ended.
struct Followed {
  Ended ended = Ended::by_user;
  std::optional<Reply> refusal = std::nullopt;  ///< the daemon's: there were no lines
};

/// Asks for an answer that goes on, and gives each line of it, without its newline, to `on_line` until that says false,
/// the daemon ends it, or the user does (SIGINT, SIGTERM). None: nobody listens at `socket`.
[[nodiscard]] Result<std::optional<Followed>> follow(const std::string& socket, const Question& question,
                                                     const std::function<GoOn(const std::string& line)>& on_line);

/// What to tell the operator where `ask` found nobody.
[[nodiscard]] Error no_daemon(const std::string& socket);

}  // namespace astil::cli
