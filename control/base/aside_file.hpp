// A small file that is written beside the loop, which waits for that, but not for a disk that does not answer.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "control/base/result.hpp"

namespace astil::base {

class AsideFile {
 public:
  /// How long a call may hold the loop up.
  static constexpr std::chrono::milliseconds kPatience{500};

  explicit AsideFile(std::string path);
  AsideFile(const AsideFile&) = delete;
  AsideFile& operator=(const AsideFile&) = delete;
  /// What is being written is not waited for.
  ~AsideFile() = default;

  /// As write_atomically. An error, too, where that takes longer, or an earlier call has not come back yet: what that
  /// one was to write is then not what stays there, but what was before.
  [[nodiscard]] Result<void> write(const std::string& text);

 private:
  struct Shared;
  static void write_now(Shared& shared, const std::string& text);

  std::shared_ptr<Shared> shared_;
};

}  // namespace astil::base
