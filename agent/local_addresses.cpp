#include "agent/local_addresses.hpp"

#include <linux/rtnetlink.h>

#include <array>
#include <chrono>

#include "control/base/log.hpp"

namespace astil::agent {
namespace {

using boost::system::error_code;

constexpr std::array<int, 2> kGroups{RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};
constexpr std::chrono::seconds kTryAgain{1};

bool may_end_a_tunnel(const boost::asio::ip::address& host) {
  return !host.is_loopback() && !(host.is_v6() && host.to_v6().is_link_local());
}

}  // namespace

Result<std::unique_ptr<LocalAddresses>> LocalAddresses::follow(boost::asio::io_context& loop,
                                                               std::function<void(const Addresses&)> on_change) {
  auto requests = net::NetlinkSocket::open({});
  if (requests.has_error()) return requests.error();
  auto announcements = net::NetlinkSocket::open(kGroups);
  if (announcements.has_error()) return announcements.error();
  std::unique_ptr<LocalAddresses> made(
      new LocalAddresses(loop, std::move(*requests), std::move(*announcements), std::move(on_change)));
  if (auto read = made->read(); read.has_error()) return read.error();
  made->wait();
  return made;
}

LocalAddresses::LocalAddresses(boost::asio::io_context& loop, net::NetlinkSocket requests,
                               net::NetlinkSocket announcements, std::function<void(const Addresses&)> on_change)
    : requests_(std::move(requests)),
      announcements_(std::move(announcements)),
      readable_(loop, announcements_.descriptor()),
      again_(loop),
      on_change_(std::move(on_change)) {}

LocalAddresses::~LocalAddresses() {
  readable_.release();  // the netlink socket closes it
}

Result<void> LocalAddresses::read() {
  Addresses all;
  const auto verdict = requests_.ask(net::list_addresses(), [&](const net::RawMessage& message) {
    const auto address = net::parse_address(message);
    if (address && may_end_a_tunnel(address->address.host)) all.insert(address->address.host);
  });
  if (verdict.error != 0) return net::kernel_error("list the addresses", verdict);
  on_change_(all);
  return {};
}

void LocalAddresses::wait() {
  readable_.async_wait(readable_.wait_read, [this](error_code error) {
    if (error) return;
    // What the announcements say does not matter, nor whether some were lost: everything is read anew.
    while (announcements_.receive([](const net::RawMessage& /*message*/) {}) ==
           net::NetlinkSocket::Received::messages) {
    }
    read_or_try_again();
    wait();
  });
}

void LocalAddresses::read_or_try_again() {
  const auto done = read();
  if (!done.has_error()) return;
  log::warning("addresses can not be listed", {{"error", done.error().text()}});
  again_.expires_after(kTryAgain);
  again_.async_wait([this](error_code error) {
    if (!error) read_or_try_again();
  });
}

}  // namespace astil::agent
