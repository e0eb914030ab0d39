// What astil-vrrp may have put on this host's interfaces: addresses of groups, and devices with a virtual router's MAC
// address. Kept in a file beside its socket: whoever finds all processes of an instance killed, its guardian too, has
// nothing else to go by.
#pragma once

#include <span>
#include <string>

#include "control/base/result.hpp"
#include "control/ha/channel.hpp"

namespace astil::app {

class MovingRecord {
 public:
  /// In the folder of `ha::channel_path`, or in another one.
  explicit MovingRecord(const std::string& instance);
  MovingRecord(const std::string& folder, const std::string& instance);

  /// Before astil-vrrp is told of these.
  [[nodiscard]] Result<void> write(std::span<const ha::GroupRecord> groups);

  /// Once nobody has them: takes away what is there still and has astil-vrrp's mark, and forgets it.
  [[nodiscard]] Result<void> clear();

 private:
  std::string file_;
};

}  // namespace astil::app
