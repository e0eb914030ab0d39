#include "control/net/network.hpp"

#include <linux/rtnetlink.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

#include "control/base/log.hpp"
#include "control/net/gateways.hpp"
#include "control/net/kernel_tables.hpp"
#include "control/net/links.hpp"
#include "control/net/netlink_socket.hpp"
#include "control/net/next_hops.hpp"

namespace astil::net {
namespace {

using boost::system::error_code;

constexpr std::array<int, 9> kGroups{RTNLGRP_LINK,        RTNLGRP_NEIGH,      RTNLGRP_IPV4_IFADDR,
                                     RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                                     RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE,  RTNLGRP_NEXTHOP};

constexpr int kDatagramsAtOnce = 256;  // then the loop's other work has its turn

}  // namespace

/// The network's parts and the wiring between them. Handlers hold it weakly, so that it may go while one waits.
class Network::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(boost::asio::io_context& loop, NetlinkSocket requests, NetlinkSocket announcements, Events events,
       Interval keep_up_interval)
      : requests_(std::move(requests)),
        announcements_(std::move(announcements)),
        readable_(loop, announcements_.descriptor()),
        keep_up_(loop),
        keep_up_interval_(keep_up_interval),
        events_(std::move(events)) {}

  ~Core() {
    next_hops_.release_all();
    readable_.release();  // the netlink socket closes it
  }

  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  Result<> start() {
    auto links = list_links_now();
    if (!links) return links.error();
    static_cast<void>(links_.replace(*links));  // nobody has asked yet, so nothing is news
    for (const auto& message : tables_.list_kept()) next_hops_.adopt(message.key, message.neighbour);
    wait_for_announcements();
    wait_to_keep_up();
    return {};
  }

  NetlinkSocket requests_;
  NetlinkSocket announcements_;
  Links links_;
  KernelTables tables_{requests_};
  NextHops next_hops_{tables_, links_};
  Gateways gateways_{tables_};
  Addresses addresses_{requests_, links_};

 private:
  void wait_for_announcements() {
    readable_.async_wait(readable_.wait_read, [weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (!self || error) return;
      self->take_announcements();
      self->wait_for_announcements();
    });
  }

  void wait_to_keep_up() {
    keep_up_.expires_after(keep_up_interval_);
    keep_up_.async_wait([weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (!self || error) return;
      self->next_hops_.keep_up();
      self->gateways_.keep_up();
      self->tell();
      self->wait_to_keep_up();
    });
  }

  void take_announcements() {
    using Received = NetlinkSocket::Received;
    Received last = Received::messages;
    for (int i = 0; i < kDatagramsAtOnce && last == Received::messages; ++i) {
      last = announcements_.receive([this](const RawMessage& message) { take(message); });
    }
    if (last == Received::overrun) ask_for_everything();
    tell();
  }

  void take(const RawMessage& message) {
    if (const auto link = parse_link(message)) {
      take_links(links_.apply(*link));
    } else if (const auto neighbour = parse_neighbour(message)) {
      next_hops_.on_neighbour(*neighbour);
    } else if (const auto route = parse_route(message)) {
      if (!route->cached) next_hops_.on_route(route->destination, route->prefix_length);
      gateways_.on_route(message);
    } else if (const auto address = parse_address(message)) {
      next_hops_.on_address(address->address.ifindex);
      addresses_.on_address(*address);
    } else if (is_about_rules(message.type)) {
      next_hops_.on_rules();
    }
  }

  static bool is_about_rules(std::uint16_t type) {
    return type == RTM_NEWRULE || type == RTM_DELRULE || type == RTM_NEWNEXTHOP || type == RTM_DELNEXTHOP;
  }

  void take_links(std::set<std::string> changed) {
    if (changed.empty()) return;
    changed_links_.merge(changed);
    next_hops_.on_link();
  }

  void ask_for_everything() {
    log::warning("netlink messages were lost, the network is read anew");
    const auto links = list_links_now();
    if (links) take_links(links_.replace(*links));
    next_hops_.on_lost_messages();
    gateways_.on_lost_messages();
    addresses_.on_lost_messages();
  }

  Result<std::vector<Link>> list_links_now() {
    std::vector<Link> links;
    const auto verdict = requests_.ask(list_links(), [&](const RawMessage& message) {
      if (auto link = parse_link(message)) links.push_back(std::move(link->link));
    });
    if (verdict.error != 0) return kernel_error("list the interfaces", verdict);
    return links;
  }

  /// All state is worked out before the first callback, so that a callback sees one picture.
  void tell() {
    const auto links = std::exchange(changed_links_, {});
    const auto hops = next_hops_.refresh();
    const auto lost = addresses_.lost();
    for (const std::string& name : links) {
      if (events_.on_link_change) events_.on_link_change(name);
    }
    for (const address& host : hops) {
      if (events_.on_next_hop_change) events_.on_next_hop_change(host);
    }
    for (const InterfaceAddress& gone : lost) {
      const Link* link = links_.by_index(gone.ifindex);
      if (events_.on_address_lost) events_.on_address_lost(link == nullptr ? std::string() : link->name, gone);
    }
  }

  boost::asio::posix::stream_descriptor readable_;
  boost::asio::steady_timer keep_up_;
  Interval keep_up_interval_;
  Events events_;
  std::set<std::string> changed_links_;
};

Result<std::unique_ptr<Network>> Network::open(boost::asio::io_context& loop, Events events,
                                               Interval keep_up_interval) {
  auto requests = NetlinkSocket::open({});
  if (!requests) return requests.error();
  auto announcements = NetlinkSocket::open(kGroups);
  if (!announcements) return announcements.error();
  auto core = std::make_shared<Core>(loop, std::move(*requests), std::move(*announcements), std::move(events),
                                     keep_up_interval);
  if (const auto started = core->start(); !started) return started.error();
  return std::unique_ptr<Network>(new Network(std::move(core)));
}

Network::~Network() = default;

std::optional<Link> Network::link(const std::string& name) const {
  const Link* found = core_->links_.by_name(name);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

std::optional<Link> Network::link(std::uint32_t ifindex) const {
  const Link* found = core_->links_.by_index(ifindex);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

std::vector<Link> Network::links() const {
  std::vector<Link> all;
  for (const auto& [ifindex, link] : core_->links_.all()) all.push_back(link);
  return all;
}

void Network::track(const std::set<address>& hosts) { core_->next_hops_.track(hosts); }

Result<NextHop> Network::next_hop(const address& host) const { return core_->next_hops_.next_hop(host); }

Result<NextHop> Network::look_up(const address& host) const { return core_->next_hops_.look_up(host); }

void Network::resolve(const address& host, std::uint32_t ifindex) {
  if (!core_->next_hops_.follows({ifindex, host})) core_->tables_.use({ifindex, host});
}

void Network::keep_gateways(bool wanted) { core_->gateways_.want(wanted); }

Result<AddressOutcome> Network::add_address(const std::string& interface, const address& host, unsigned prefix_length) {
  return core_->addresses_.add(interface, host, prefix_length);
}

Result<> Network::remove_address(const std::string& interface, const address& host, unsigned prefix_length) {
  return core_->addresses_.remove(interface, host, prefix_length);
}

void Network::adopt_address(const InterfaceAddress& own) { core_->addresses_.adopt(own); }

Result<std::vector<InterfaceAddress>> Network::list_own_addresses() { return core_->addresses_.list_own(); }

}  // namespace astil::net
