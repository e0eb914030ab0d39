// The gateways of this machine's routes, whose MAC addresses are to be known before the packet path needs them: under
// nat, replies go to clients by them, and the first one to a gateway that is not known is lost. On a balancer that
// takes over, that would be the next packet of every connection.
#pragma once

#include <chrono>
#include <set>

#include "control/net/kernel_tables.hpp"
#include "control/net/message.hpp"

namespace astil::net {

class Gateways {
 public:
  /// `tables` must outlive this.
  explicit Gateways(KernelTables& tables) : tables_(tables) {}

  /// Whether they are seen to. Reads the routes where that is new.
  void want(bool wanted);

  /// A route came or went. Gateways that came are asked for at once.
  void on_route(const RawMessage& message);
  void on_lost_messages() { stale_ = true; }

  /// To be called every few seconds: uses all of them, so that the kernel asks again for what it has not heard of for a
  /// while. Reads the routes anew after some went, once a minute at most.
  void keep_up();

  [[nodiscard]] const std::set<NeighbourKey>& all() const { return all_; }

  /// What a machine has more of than this, such as one with a table of the whole net, is resolved when it is needed.
  static constexpr std::size_t kMost = 1024;
  static constexpr std::chrono::seconds kReadAgain{60};

 private:
  void read();

  KernelTables& tables_;
  std::set<NeighbourKey> all_;
  bool wanted_ = false;
  bool stale_ = false;
  std::chrono::steady_clock::time_point read_at_;
};

}  // namespace astil::net
