#include "control/dns/snapshot.hpp"

#include "control/dns/name.hpp"

namespace astil::dns {

Zones::Zones(std::vector<Zone> zones, std::vector<DynamicName> names)
    : zones_(std::move(zones)), names_(std::move(names)) {
  for (std::size_t i = 0; i < zones_.size(); ++i) by_apex_.emplace(zones_[i].apex(), i);
}

const Zone* Zones::find(std::string_view name) const {
  for (;; name = parent_of(name)) {
    if (const auto found = by_apex_.find(name); found != by_apex_.end()) return &zones_[found->second];
    if (is_root(name)) return nullptr;
  }
}

}  // namespace astil::dns
