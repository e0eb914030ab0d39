// The table of network interfaces, kept by the kernel's messages. Pure state: it is told, and says what is other than
// before.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.hpp"
#include "control/net/message.hpp"
#include "control/net/types.hpp"

namespace astil::net {

class Links {
 public:
  /// The names whose link came, went or changed. A rename is two: the old name's link is gone, the new one's is there.
  [[nodiscard]] std::set<std::string> apply(const LinkMessage& message);

  /// The same for a whole new list, after messages were lost.
  [[nodiscard]] std::set<std::string> replace(const std::vector<Link>& links);

  /// None: nullptr. Valid until the next change.
  [[nodiscard]] const Link* by_name(std::string_view name) const;
  [[nodiscard]] const Link* by_index(std::uint32_t ifindex) const;
  [[nodiscard]] const std::map<std::uint32_t, Link>& all() const { return links_; }

  /// Where a link's frames leave. The error says which VLAN device the packet path can not put tags on for.
  [[nodiscard]] Result<Exit> exit_of(const Link& link) const;

 private:
  std::map<std::uint32_t, Link> links_;
};

}  // namespace astil::net
