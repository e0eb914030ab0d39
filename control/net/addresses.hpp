// Service addresses on interfaces: put there, taken away, and watched. What we put there carries our mark in the
// kernel, so a daemon that starts again finds it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "control/base/result.hpp"
#include "control/net/links.hpp"
#include "control/net/netlink_socket.hpp"
#include "control/net/types.hpp"

namespace astil::net {

enum class AddressOutcome {
  added,         ///< it was not there
  already_ours,  ///< an earlier run of ours put it there
  foreign,       ///< somebody else put it there: not to be removed by us
};

class Addresses {
 public:
  /// Both must outlive this.
  Addresses(NetlinkSocket& socket, const Links& links) : socket_(socket), links_(links) {}

  [[nodiscard]] Result<AddressOutcome> add(const std::string& interface, const address& host, unsigned prefix_length);

  /// An address that is not there is no error, nor is an interface that is gone.
  [[nodiscard]] Result<> remove(const std::string& interface, const address& host, unsigned prefix_length);

  /// Takes over one that an earlier run of ours put there: its loss is told of as if we had added it.
  void adopt(const InterfaceAddress& own) { wanted_.insert(own); }

  /// Those with our mark, whoever of us put them there.
  [[nodiscard]] Result<std::vector<InterfaceAddress>> list_own();

  /// Events. What they may concern is looked at by `lost`.
  void on_address(const AddressMessage& message);
  void on_lost_messages() { to_check_ = true; }

  /// Those that were there by our wish and are gone, each told once.
  [[nodiscard]] std::set<InterfaceAddress> lost();

 private:
  [[nodiscard]] Result<std::vector<AddressMessage>> list();

  NetlinkSocket& socket_;
  const Links& links_;
  std::set<InterfaceAddress> wanted_;
  bool to_check_ = false;
};

}  // namespace astil::net
