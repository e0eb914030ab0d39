// The command line as a function: arguments in, text and an exit code out.
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "control/api/view.hpp"
#include "control/base/result.hpp"
#include "control/cli/table.hpp"

namespace astil::cli {

inline constexpr int kDone = 0;
inline constexpr int kRefused = 1;  ///< the daemon said no, or does not answer
inline constexpr int kInvalid = 2;  ///< wrong usage, or an invalid configuration file

/// What a command works with. The streams outlive run().
struct Surroundings {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  Colour colour = Colour::never;
  bool out_is_terminal = false;
  std::function<api::TimePoint()> now = std::chrono::system_clock::now;
  std::function<void(std::chrono::milliseconds)> sleep = [](std::chrono::milliseconds time) {
    std::this_thread::sleep_for(time);
  };
  /// Removes what an instance without a daemon has left in the kernel. Empty: `detach` needs a daemon.
  std::function<Result<>(const std::string& instance)> detach_offline = nullptr;
  /// Where the daemon of an instance listens; none: it has no daemon. Empty: at the usual place.
  std::function<std::optional<std::string>(const std::string& instance)> find_socket = nullptr;
};

/// `arguments` are those after the program's name. Gives the exit code.
[[nodiscard]] int run(std::span<const std::string> arguments, const Surroundings& surroundings);

}  // namespace astil::cli
