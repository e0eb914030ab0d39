// A backend holds the service address without telling the net: the balancer answers for it. The settings that Linux
// needs for that (as LVS has them), put back when the agent ends.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "dataplane/base/result.hpp"

namespace astil::agent {

class ArpSettings {
 public:
  ArpSettings() = default;
  ArpSettings(const ArpSettings&) = delete;
  ArpSettings& operator=(const ArpSettings&) = delete;
  /// Puts back what it found.
  ~ArpSettings();

  /// arp_ignore: replies for addresses of the interface that is asked only, so none for what stands on lo.
  /// arp_announce: requests never carry the service address as their sender.
  /// rp_filter of the interface: from strict to loose, since the client's packets come out of a tunnel.
  Result<void> apply(const std::string& interface);

 private:
  Result<void> raise(const std::string& path, int wanted);
  Result<void> set(const std::string& path, int value);

  std::vector<std::pair<std::string, int>> found_;  ///< path and value before
};

}  // namespace astil::agent
