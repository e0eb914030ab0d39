// A backend holds the service address without telling the net: the balancer answers for it. The settings that Linux
// needs for that (as LVS has them), put back when the last agent that needs them ends.
//
// They are IPv4's. IPv6 needs none of its own: Linux answers neighbour solicitations for addresses of the interface
// they come in by and no other (ndisc_recv_ns), takes none of another interface as their source (ndisc_solicit), asks
// on lo nobody whether an address is free (so accept_dad does not matter), and has no rp_filter.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "agent/shared_state.hpp"
#include "dataplane/base/result.hpp"

namespace astil::agent {

class ArpSettings {
 public:
  /// `shared` must outlive it. `folder`: where the kernel shows the settings.
  explicit ArpSettings(SharedState& shared, std::filesystem::path folder = "/proc/sys/net/ipv4/conf")
      : shared_(shared), folder_(std::move(folder)) {}
  ArpSettings(const ArpSettings&) = delete;
  ArpSettings& operator=(const ArpSettings&) = delete;
  /// Puts back what was found, where no other agent needs the setting and nobody has changed it since.
  ~ArpSettings();

  /// arp_ignore: replies for addresses of the interface that is asked only, so none for what stands on lo.
  /// arp_announce: requests never carry the service address as their sender.
  /// rp_filter of the interface: from strict to loose, since the client's packets come out of a tunnel.
  Result<void> apply(const std::string& interface);

 private:
  struct Setting {
    std::string interface;  ///< or "all"
    std::string name;
    int wanted;
  };
  [[nodiscard]] std::filesystem::path path_of(const Setting& setting) const;
  Result<void> raise(const Setting& setting);
  void put_back(const Setting& setting);

  SharedState& shared_;
  std::filesystem::path folder_;
  std::vector<Setting> raised_;
};

}  // namespace astil::agent
