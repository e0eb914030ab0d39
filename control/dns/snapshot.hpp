// What the workers answer from: zones and settings that do not change. Whatever changes makes another snapshot, and the
// workers take that with their next batch.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/dns/cookies.hpp"
#include "control/dns/rate_limit.hpp"
#include "control/dns/sites.hpp"
#include "control/dns/zone.hpp"

namespace astil::dns {

class Zones {
 public:
  /// Their tops differ. `names` are what Node::dynamic of the zones counts.
  explicit Zones(std::vector<Zone> zones, std::vector<DynamicName> names = {});

  /// The zone that the folded name is in: the one with the longest name; null: none of ours.
  [[nodiscard]] const Zone* find(std::string_view name) const;
  [[nodiscard]] const std::vector<Zone>& all() const { return zones_; }
  [[nodiscard]] const std::vector<DynamicName>& names() const { return names_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };
  std::vector<Zone> zones_;
  std::vector<DynamicName> names_;
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> by_apex_;
};

struct Snapshot {
  std::shared_ptr<const Zones> zones;
  std::vector<NameState> states{};  ///< of the zones' names
  std::string nsid;                 ///< what NSID is answered with; empty: nothing (RFC 5001)
  CookieSecrets cookies{};          ///< none: cookies are passed over
  RateLimit rate_limit{};           ///< of responses by UDP to clients without a good cookie
  bool uses_client_subnet = false;  ///< EDNS client subnet tells who is answered (RFC 7871)
  std::uint32_t log_every = 0;      ///< each so manieth query is written down; 0: none
  std::uint16_t udp_size = 1232;    ///< what a response by UDP holds at most, 512 to 4096
};

}  // namespace astil::dns
