// The host's own addresses of both versions of IP, followed as they come and go: where tunnels to this host may end.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <set>

#include "control/net/netlink_socket.hpp"
#include "dataplane/base/result.hpp"

namespace astil::agent {

class LocalAddresses {
 public:
  using Addresses = std::set<boost::asio::ip::address>;

  /// Calls `on_change` before it returns, and on the loop whenever the addresses may have changed. Those of 127.0.0.0/8
  /// and ::1 are left out, since none of them may come by a wire, and IPv6's link-local ones, which a balancer can not
  /// send to: without an interface they name nobody. The loop must outlive what is returned.
  [[nodiscard]] static Result<std::unique_ptr<LocalAddresses>> follow(boost::asio::io_context& loop,
                                                                      std::function<void(const Addresses&)> on_change);
  ~LocalAddresses();
  LocalAddresses(const LocalAddresses&) = delete;
  LocalAddresses& operator=(const LocalAddresses&) = delete;

 private:
  LocalAddresses(boost::asio::io_context& loop, net::NetlinkSocket requests, net::NetlinkSocket announcements,
                 std::function<void(const Addresses&)> on_change);
  [[nodiscard]] Result<void> read();
  void wait();
  void read_or_try_again();

  net::NetlinkSocket requests_;
  net::NetlinkSocket announcements_;
  boost::asio::posix::stream_descriptor readable_;
  boost::asio::steady_timer again_;
  std::function<void(const Addresses&)> on_change_;
};

}  // namespace astil::agent
