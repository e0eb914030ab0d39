// Asks the daemon: one HTTP request over its Unix socket, or by TLS over the network, one answer.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
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

/// Where the daemon is asked.
struct Target {
  std::string socket;  ///< where `server` is empty
  std::string server;  ///< HOST:PORT
  std::string token;
  std::string ca;  ///< file of certificates; empty: the system's

  /// For messages.
  [[nodiscard]] const std::string& name() const { return server.empty() ? socket : server; }
};

/// Blocks until the answer is complete, or `timeout` has passed. None: nobody listens there. An error: somebody
/// does, or might, but the exchange failed.
[[nodiscard]] Result<std::optional<Reply>> ask(const Target& target, const Question& question,
                                               std::chrono::seconds timeout = std::chrono::seconds(30));

enum class GoOn { no, yes };
enum class Ended { by_user, by_daemon };

/// How following ended.
struct Followed {
  Ended ended = Ended::by_user;
  bool whole = false;                           ///< the daemon has sent all of its answer
  std::optional<Reply> refusal = std::nullopt;  ///< the daemon's: there was nothing else
};

/// What becomes of an answer that goes on when the user has enough of it.
enum class OnSignal {
  leave,   ///< nothing more is read
  finish,  ///< the daemon is told so, and what it sends yet is read; a second signal leaves
};

/// Asks for an answer that goes on, and gives its bytes as they come to `on_piece` until that says no, the daemon ends
/// it, or the user does (SIGINT, SIGTERM). None: nobody listens there.
[[nodiscard]] Result<std::optional<Followed>> receive(const Target& target, const Question& question,
                                                      const std::function<GoOn(std::string_view piece)>& on_piece,
                                                      OnSignal on_signal);

/// The same with each line of it, without its newline.
[[nodiscard]] Result<std::optional<Followed>> follow(const Target& target, const Question& question,
                                                     const std::function<GoOn(const std::string& line)>& on_line);

/// What to tell the operator where `ask` found nobody.
[[nodiscard]] Error no_daemon(const Target& target);

}  // namespace astil::cli
