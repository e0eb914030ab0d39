// What the names of a zone say of their sites that can not be.
#pragma once

#include <string>
#include <vector>

#include "control/config/views.hpp"

namespace astil::config {

struct ZoneView : View<DnsZone> {
  /// `zone "example.org"`
  [[nodiscard]] std::string name() const;
};

/// `top` is the zone's name, folded. Puts the zone's names into `names`, folded; false: not all of them are some.
bool check_names(const ZoneView& zone, const std::string& top, const std::vector<ServiceView>& services,
                 std::vector<std::string>& names, Mistakes& mistakes);

}  // namespace astil::config
