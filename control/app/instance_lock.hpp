// One process at a time has an instance's packet path: its daemon, or `astil detach` where there is none. The lock is a
// file of the instance's name, held for as long as its descriptor is open, so that no crash leaves it locked. The file
// says where its holder answers.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "control/base/result.hpp"
#include "dataplane/base/descriptor.hpp"

namespace astil::app {

inline constexpr const char* kLockFolder = "/run/astil";

class InstanceLock {
 public:
  /// `socket`: where the holder answers the API; empty: nowhere. The folder is made if missing. An error where somebody
  /// else has the lock.
  [[nodiscard]] static Result<InstanceLock> take(const std::string& instance, const std::string& socket,
                                                 const std::filesystem::path& folder = kLockFolder);

 private:
  explicit InstanceLock(base::Descriptor file) : file_(std::move(file)) {}
  base::Descriptor file_;
};

/// Where the holder of an instance's lock answers the API, empty: nowhere; none: nobody has the lock. Asking does not
/// disturb anybody who takes it meanwhile.
[[nodiscard]] std::optional<std::string> holder_of(const std::string& instance,
                                                   const std::filesystem::path& folder = kLockFolder);

}  // namespace astil::app
