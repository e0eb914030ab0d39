// A file of targets, read and understood beside the loop: it may be on a disk that does not answer, or be large.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "control/base/aside.hpp"
#include "control/discovery/targets.hpp"

namespace astil::discovery {

/// More is not read.
inline constexpr std::size_t kLongestFile = 8U << 20U;

/// The text of a regular file. Waits for the disk, but not for the other end of a pipe, which is refused as other
/// things than files are.
[[nodiscard]] Result<std::string> read_whole(const std::string& path);

/// The targets of a file, whose name tells its language.
[[nodiscard]] Result<Set> read_set(const std::string& path);

/// One reading under way. Copies are of the same one.
class FileReading {
 public:
  /// `read` runs in a thread of its own, `then` on the loop once it is read, unless that was waited for.
  static FileReading begin(base::Aside& aside, std::function<Result<Set>()> read,
                           std::function<void(const FileReading&)> then);

  /// Whether it is read by then. After a yes `then` does not run any more.
  [[nodiscard]] bool wait_until(std::chrono::steady_clock::time_point limit) const;

  /// Once it is read.
  [[nodiscard]] const Result<Set>& set() const;

 private:
  struct State;
  explicit FileReading(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace astil::discovery
