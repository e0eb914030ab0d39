#include "agent/local_route.hpp"

#include <linux/rtnetlink.h>
#include <poll.h>

#include <array>
#include <chrono>

#include "control/net/netlink_socket.hpp"

namespace astil::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::array<int, 2> kGroups{RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE};
constexpr milliseconds kPatience{12000};
/// The kernel is asked as often at the least, whatever it announces.
constexpr milliseconds kBetweenQuestions{200};

/// False as well where there is no route to it at all.
bool is_local(net::NetlinkSocket& requests, const boost::asio::ip::address& host) {
  bool local = false;
  const auto verdict = requests.ask(net::look_up_route(host), [&](const net::RawMessage& message) {
    const auto route = net::parse_route(message);
    if (route) local = route->type == RTN_LOCAL;
  });
  return verdict.error == 0 && local;
}

/// Until routes change, or the time is over.
void wait_for_change(net::NetlinkSocket& announcements, milliseconds limit) {
  pollfd waiting{.fd = announcements.descriptor(), .events = POLLIN};
  if (::poll(&waiting, 1, static_cast<int>(limit.count())) == 0) return;
  while (announcements.receive([](const net::RawMessage& /*message*/) {}) == net::NetlinkSocket::Received::messages) {
  }
}

}  // namespace

Result<void> wait_until_local(const boost::asio::ip::address& host) {
  auto requests = net::NetlinkSocket::open({});
  if (requests.has_error()) return requests.error();
  // Before the first question, so that no answer to it is old.
  auto announcements = net::NetlinkSocket::open(kGroups);
  if (announcements.has_error()) return announcements.error();
  const auto end = steady_clock::now() + kPatience;
  while (!is_local(*requests, host)) {
    if (steady_clock::now() >= end)
      return Error{"the kernel has no local route to " + host.to_string(), "'ip route get' says where it leads"};
    wait_for_change(*announcements, kBetweenQuestions);
  }
  return {};
}

}  // namespace astil::agent
