// What the peer knows: of each slot of this node's tables the entry that it was told last, or that it told, and which
// of the two. Slots are those of the flow table, and behind them the ports of full NAT.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/core/flow_entry.hpp"
#include "dataplane/tables.hpp"

namespace astil::ha::sync {

class Known {
 public:
  explicit Known(const dataplane::Tables& tables)
      : tables_(tables),
        flows_(tables.flows().size() * core::kEntriesPerLine),
        entries_(flows_ + std::size_t{core::port_lines(tables.sizes)} * core::kEntriesPerLine),
        by_peer_(entries_.size()) {}

  [[nodiscard]] std::size_t slots() const { return entries_.size(); }
  [[nodiscard]] std::size_t flows() const { return flows_; }
  [[nodiscard]] bool is_port(std::size_t slot) const { return slot >= flows_; }

  [[nodiscard]] std::uint64_t operator[](std::size_t slot) const { return entries_[slot]; }
  void tell(std::size_t slot, std::uint64_t entry) {
    entries_[slot] = entry;
    by_peer_[slot] = false;
  }
  void hear(std::size_t slot, std::uint64_t entry) {
    entries_[slot] = entry;
    by_peer_[slot] = true;
  }
  /// Is the entry as the peer told it? Then nobody here has said anything of it since.
  [[nodiscard]] bool is_peers(std::size_t slot, std::uint64_t entry) const {
    return entry != 0 && entries_[slot] == entry && by_peer_[slot];
  }
  void forget(std::size_t slot) { tell(slot, 0); }
  void forget() {
    entries_.assign(entries_.size(), 0);
    by_peer_.assign(by_peer_.size(), false);
  }

  [[nodiscard]] core::FlowLine& line(std::size_t slot) const {
    return is_port(slot) ? tables_.ports()[(slot - flows_) / core::kEntriesPerLine]
                         : tables_.flows()[slot / core::kEntriesPerLine];
  }
  [[nodiscard]] std::uint64_t& entry(std::size_t slot) const {
    return line(slot).entries[slot % core::kEntriesPerLine];
  }
  /// Where an IPv6 client stands; nullptr: this table has no room for any.
  [[nodiscard]] const core::Address* client(std::size_t slot) const {
    const auto clients = is_port(slot) ? tables_.port_clients() : tables_.clients();
    const std::size_t at = (is_port(slot) ? slot - flows_ : slot) / core::kEntriesPerLine;
    if (tables_.sizes.client_lines == 0 || at >= clients.size()) return nullptr;
    return &clients[at].clients[slot % core::kEntriesPerLine];
  }

 private:
  const dataplane::Tables& tables_;
  std::size_t flows_;
  std::vector<std::uint64_t> entries_;
  std::vector<bool> by_peer_;
};

}  // namespace astil::ha::sync
