// Whether this node may take the addresses from an active node that lives: only when it has that node's flows, or its
// clients would be reset. Who brings the flows says so here; astil-vrrp is told (control/ha/channel.hpp) and waits, for
// ha.takeover_limit at most. What nobody has is taken whatever the gate says.
#pragma once

#include <functional>
#include <utility>

namespace astil::app {

class TakeoverGate {
 public:
  enum class Table {
    complete,    ///< the peer's flows are here; or nobody brings flows, which is so until somebody says otherwise
    incomplete,  ///< they are being brought, or the way to the peer is broken
  };

  /// `changed` is called at each change, in the call that makes it; and must not change the gate.
  explicit TakeoverGate(std::function<void(Table)> changed) : changed_(std::move(changed)) {}

  void set(Table table) {
    if (std::exchange(table_, table) != table) changed_(table);
  }
  [[nodiscard]] Table table() const { return table_; }

 private:
  std::function<void(Table)> changed_;
  Table table_ = Table::complete;
};

}  // namespace astil::app
