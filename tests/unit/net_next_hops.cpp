// The next hops of tracked addresses, against a kernel that is two maps.
#include "control/net/next_hops.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/neighbour.h>

#include <vector>

namespace astil::net {
namespace {

using boost::asio::ip::make_address;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct FakeKernel final : Kernel {
  Result<Route> route(const address& destination) override {
    asked.push_back(destination);
    const auto found = routes.find(destination);
    if (found == routes.end()) return Error{"no route to " + destination.to_string(), {}};
    return found->second;
  }
  std::optional<Neighbour> neighbour(const NeighbourKey& key) override {
    const auto found = neighbours.find(key);
    return found == neighbours.end() ? std::nullopt : std::optional(found->second);
  }
  void keep(const NeighbourKey& key) override { kept.push_back(key); }
  void release(const NeighbourKey& key) override { released.push_back(key); }

  std::map<address, Route> routes;
  std::map<NeighbourKey, Neighbour> neighbours;
  std::vector<address> asked;
  std::vector<NeighbourKey> kept;
  std::vector<NeighbourKey> released;
};

constexpr MacAddress kOurs{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress kGateway{{2, 0, 0, 0, 0, 2}};
constexpr MacAddress kOther{{2, 0, 0, 0, 0, 3}};

Neighbour reachable(const MacAddress& mac) {
  return {.mac = mac, .state = NUD_REACHABLE, .managed = true, .originator = kOriginator};
}

class net_next_hops : public testing::Test {
 protected:
  void SetUp() override {
    set_link(1500);
    kernel_.routes[a_] = {3, gateway_, make_address("10.1.0.1"), 0};
    kernel_.routes[b_] = {3, gateway_, make_address("10.1.0.1"), 0};
  }

  void set_link(std::uint32_t mtu) {
    static_cast<void>(links_.apply(
        {Change::added, {.ifindex = 3, .name = "eth0", .mac = kOurs, .mtu = mtu, .up = true, .carrier = true}}));
  }

  void tell(const NeighbourKey& key, const Neighbour& neighbour) {
    hops_.on_neighbour({Change::added, key, neighbour});
  }

  FakeKernel kernel_;
  Links links_;
  NextHops hops_{kernel_, links_};
  const address a_ = make_address("10.9.0.1");
  const address b_ = make_address("10.9.0.2");
  const address gateway_ = make_address("10.1.0.2");
  const NeighbourKey key_{3, gateway_};
};

TEST_F(net_next_hops, a_neighbour_that_is_known_gives_the_next_hop_at_once) {
  kernel_.neighbours[key_] = reachable(kGateway);
  hops_.track({a_});
  EXPECT_EQ(hops_.next_hop(a_).value(),
            (NextHop{3, kOurs, kGateway, make_address("10.1.0.1"), 1500, true, {.ifindex = 3}}));
}

TEST_F(net_next_hops, a_neighbour_on_a_vlan_device_is_reached_by_what_carries_it) {
  static_cast<void>(links_.apply({Change::added,
                                  {.ifindex = 4,
                                   .name = "eth0.42",
                                   .mac = kOurs,
                                   .mtu = 1496,
                                   .up = true,
                                   .carrier = true,
                                   .vlan = Vlan{.parent = 3, .id = 42}}}));
  kernel_.routes[a_] = {4, gateway_, make_address("10.1.0.1"), 0};
  kernel_.neighbours[{4, gateway_}] = reachable(kGateway);
  hops_.track({a_});
  const NextHop hop = hops_.next_hop(a_).value();
  EXPECT_EQ(hop.ifindex, 4U);
  EXPECT_EQ(hop.mtu, 1496U);
  EXPECT_EQ(hop.exit, (Exit{.ifindex = 3, .inner_tag = 42}));
}

TEST_F(net_next_hops, what_is_missing_is_said) {
  hops_.track({a_, make_address("10.8.0.1")});
  EXPECT_THAT(hops_.next_hop(a_).error().what, HasSubstr("neighbour 10.1.0.2 on eth0 has not answered"));
  EXPECT_THAT(hops_.next_hop(make_address("10.8.0.1")).error().what, HasSubstr("no route"));
  EXPECT_THAT(hops_.next_hop(b_).error().what, HasSubstr("not tracked"));
}

TEST_F(net_next_hops, a_look_at_an_address_says_what_following_it_would_and_follows_nothing) {
  EXPECT_THAT(hops_.look_up(a_).error().what, HasSubstr("neighbour 10.1.0.2 on eth0 has not answered"));
  EXPECT_THAT(hops_.look_up(make_address("10.8.0.1")).error().what, HasSubstr("no route"));
  kernel_.neighbours[key_] = reachable(kGateway);
  const NextHop seen = hops_.look_up(a_).value();
  EXPECT_THAT(kernel_.kept, IsEmpty());
  EXPECT_THAT(hops_.next_hop(a_).error().what, HasSubstr("not tracked"));
  hops_.track({a_});
  EXPECT_EQ(hops_.next_hop(a_).value(), seen);
  EXPECT_EQ(hops_.look_up(b_).value(), seen) << "by the gateway that is kept";
}

TEST_F(net_next_hops, a_gateway_is_kept_once_for_all_that_use_it) {
  hops_.track({a_, b_});
  EXPECT_THAT(kernel_.kept, ElementsAre(key_));
  tell(key_, reachable(kGateway));
  EXPECT_THAT(hops_.refresh(), ElementsAre(a_, b_));
  hops_.track({b_});
  EXPECT_THAT(kernel_.released, IsEmpty());
  hops_.track({});
  EXPECT_THAT(kernel_.released, ElementsAre(key_));
}

TEST_F(net_next_hops, a_change_of_mac_is_news_and_a_confirmation_is_none) {
  kernel_.neighbours[key_] = reachable(kGateway);
  hops_.track({a_});
  tell(key_, reachable(kGateway));
  EXPECT_THAT(hops_.refresh(), IsEmpty());
  tell(key_, reachable(kOther));
  EXPECT_THAT(hops_.refresh(), ElementsAre(a_));
  EXPECT_EQ(hops_.next_hop(a_)->neighbour_mac, kOther);
}

TEST_F(net_next_hops, a_silent_neighbour_keeps_its_last_mac) {
  kernel_.neighbours[key_] = reachable(kGateway);
  hops_.track({a_});
  tell(key_, {.mac = {}, .state = NUD_FAILED, .managed = true, .originator = kOriginator});
  EXPECT_THAT(hops_.refresh(), ElementsAre(a_));
  EXPECT_EQ(hops_.next_hop(a_)->neighbour_mac, kGateway);
  EXPECT_FALSE(hops_.next_hop(a_)->neighbour_answers);
}

TEST_F(net_next_hops, an_entry_that_vanishes_is_asked_for_again) {
  kernel_.neighbours[key_] = reachable(kGateway);
  hops_.track({a_});
  kernel_.kept.clear();
  hops_.on_neighbour({Change::removed, key_, {}});
  EXPECT_THAT(hops_.refresh(), ElementsAre(a_));
  EXPECT_THAT(kernel_.kept, ElementsAre(key_));
  EXPECT_EQ(hops_.next_hop(a_)->neighbour_mac, kGateway);
}

TEST_F(net_next_hops, neighbours_of_no_concern_change_nothing) {
  hops_.track({a_});
  tell({3, make_address("10.1.0.77")}, reachable(kOther));
  tell({4, gateway_}, reachable(kOther));
  EXPECT_THAT(hops_.refresh(), IsEmpty());
}

TEST_F(net_next_hops, a_route_that_changes_asks_only_for_what_it_covers) {
  const address far = make_address("10.200.0.1");
  kernel_.routes[far] = {3, gateway_, {}, 0};
  hops_.track({a_, b_, far});
  kernel_.asked.clear();
  hops_.on_route(make_address("10.9.0.0"), 24);
  static_cast<void>(hops_.refresh());
  EXPECT_THAT(kernel_.asked, ElementsAre(a_, b_));
  kernel_.asked.clear();
  hops_.on_route(make_address("10.9.0.2"), 31);
  static_cast<void>(hops_.refresh());
  EXPECT_THAT(kernel_.asked, ElementsAre(b_));
  kernel_.asked.clear();
  hops_.on_route(make_address("::"), 0);
  static_cast<void>(hops_.refresh());
  EXPECT_THAT(kernel_.asked, IsEmpty());
  hops_.on_route(make_address("0.0.0.0"), 0);
  static_cast<void>(hops_.refresh());
  EXPECT_THAT(kernel_.asked, ElementsAre(a_, b_, far));
}

TEST_F(net_next_hops, a_new_gateway_is_kept_and_the_old_one_given_back) {
  kernel_.neighbours[key_] = reachable(kGateway);
  hops_.track({a_});
  const NeighbourKey other{3, make_address("10.1.0.3")};
  kernel_.routes[a_].gateway = other.host;
  kernel_.neighbours[other] = reachable(kOther);
  hops_.on_route(make_address("10.9.0.0"), 24);
  EXPECT_THAT(hops_.refresh(), ElementsAre(a_));
  EXPECT_EQ(hops_.next_hop(a_)->neighbour_mac, kOther);
  EXPECT_THAT(kernel_.released, ElementsAre(key_));
}

TEST_F(net_next_hops, two_addresses_that_swap_gateways_give_none_back) {
  const NeighbourKey other{3, make_address("10.1.0.3")};
  kernel_.routes[b_].gateway = other.host;
  hops_.track({a_, b_});
  std::swap(kernel_.routes[a_].gateway, kernel_.routes[b_].gateway);
  hops_.on_rules();
  static_cast<void>(hops_.refresh());
  EXPECT_THAT(kernel_.released, IsEmpty());
}

TEST_F(net_next_hops, the_smaller_of_the_two_mtus_counts) {
  kernel_.neighbours[key_] = reachable(kGateway);
  kernel_.routes[a_].mtu = 1400;
  hops_.track({a_});
  EXPECT_EQ(hops_.next_hop(a_)->mtu, 1400U);
  set_link(1300);
  hops_.on_link();
  EXPECT_THAT(hops_.refresh(), ElementsAre(a_));
  EXPECT_EQ(hops_.next_hop(a_)->mtu, 1300U);
}

TEST_F(net_next_hops, a_link_that_is_gone_or_down_is_no_next_hop) {
  kernel_.neighbours[key_] = reachable(kGateway);
  hops_.track({a_});
  static_cast<void>(links_.apply({Change::added, {.ifindex = 3, .name = "eth0", .mac = kOurs, .mtu = 1500}}));
  hops_.on_link();
  EXPECT_THAT(hops_.refresh(), ElementsAre(a_));
  EXPECT_EQ(hops_.next_hop(a_).error().remedy, "ip link set eth0 up");
  static_cast<void>(links_.apply({Change::removed, {.ifindex = 3, .name = "eth0", .mac = {}}}));
  hops_.on_link();
  EXPECT_THAT(hops_.refresh(), IsEmpty());
  EXPECT_THAT(hops_.next_hop(a_).error().what, HasSubstr("gone"));
}

TEST_F(net_next_hops, what_others_see_to_is_neither_kept_nor_given_back) {
  kernel_.neighbours[key_] = {.mac = kGateway, .state = NUD_PERMANENT};
  hops_.track({a_});
  hops_.keep_up();
  hops_.track({});
  EXPECT_THAT(kernel_.kept, IsEmpty());
  EXPECT_THAT(kernel_.released, IsEmpty());
}

TEST_F(net_next_hops, a_mark_that_is_taken_away_is_set_again) {
  kernel_.neighbours[key_] = reachable(kGateway);
  hops_.track({a_});
  kernel_.kept.clear();
  hops_.keep_up();
  EXPECT_THAT(kernel_.kept, IsEmpty());
  tell(key_, {.mac = kGateway, .state = NUD_REACHABLE});
  hops_.keep_up();
  EXPECT_THAT(kernel_.kept, ElementsAre(key_));
}

TEST_F(net_next_hops, routes_are_asked_for_again_in_turn) {
  std::set<address> many;
  for (std::uint32_t i = 0; i < NextHops::kRoutesInTurn + 10; ++i) {
    many.insert(boost::asio::ip::address_v4(0x0a090000U + i));
  }
  hops_.track(many);
  kernel_.asked.clear();
  hops_.keep_up();
  static_cast<void>(hops_.refresh());
  EXPECT_EQ(kernel_.asked.size(), NextHops::kRoutesInTurn);
  hops_.keep_up();
  static_cast<void>(hops_.refresh());
  EXPECT_EQ(kernel_.asked.size(), 2 * NextHops::kRoutesInTurn);
  EXPECT_EQ(std::set(kernel_.asked.begin(), kernel_.asked.end()), many);
}

TEST_F(net_next_hops, a_path_mtu_that_is_learnt_and_forgotten_is_news) {
  kernel_.neighbours[key_] = reachable(kGateway);
  hops_.track({a_, b_});
  for (const std::uint32_t mtu : {1300U, 0U}) {
    kernel_.routes[a_].mtu = mtu;
    EXPECT_THAT(hops_.refresh(), IsEmpty());
    hops_.keep_up();
    EXPECT_THAT(hops_.refresh(), ElementsAre(a_));
    EXPECT_EQ(hops_.next_hop(a_)->mtu, mtu == 0 ? 1500U : mtu);
  }
}

TEST_F(net_next_hops, an_ipv6_route_covers_ipv6_addresses_alone) {
  const address near = make_address("fd00:9::1");
  const address far = make_address("fd00:9:0:1::1");
  hops_.track({a_, near, far});
  kernel_.asked.clear();
  hops_.on_route(make_address("fd00:9::"), 64);
  static_cast<void>(hops_.refresh());
  EXPECT_THAT(kernel_.asked, ElementsAre(near));
  kernel_.asked.clear();
  hops_.on_route(make_address("fd00:9::"), 63);
  static_cast<void>(hops_.refresh());
  EXPECT_THAT(kernel_.asked, ElementsAre(near, far));
  kernel_.asked.clear();
  hops_.on_route(make_address("::"), 0);
  static_cast<void>(hops_.refresh());
  EXPECT_THAT(kernel_.asked, ElementsAre(near, far));
}

TEST_F(net_next_hops, a_neighbour_kept_by_an_earlier_run_goes_on_or_is_given_back) {
  const NeighbourKey unused{3, make_address("10.1.0.3")};
  hops_.adopt(key_, reachable(kGateway));
  hops_.adopt(unused, reachable(kOther));
  hops_.track({a_});
  EXPECT_EQ(hops_.next_hop(a_)->neighbour_mac, kGateway);
  EXPECT_THAT(kernel_.released, ElementsAre(unused));
}

TEST_F(net_next_hops, after_lost_messages_all_is_asked_for_again) {
  kernel_.neighbours[key_] = reachable(kGateway);
  hops_.track({a_, b_});
  kernel_.neighbours[key_] = reachable(kOther);
  kernel_.routes.erase(b_);
  hops_.on_lost_messages();
  EXPECT_THAT(hops_.refresh(), ElementsAre(a_, b_));
  EXPECT_EQ(hops_.next_hop(a_)->neighbour_mac, kOther);
  EXPECT_FALSE(hops_.next_hop(b_));
}

TEST_F(net_next_hops, an_address_that_comes_to_an_interface_asks_for_its_routes) {
  hops_.track({a_, make_address("10.8.0.1")});
  kernel_.asked.clear();
  hops_.on_address(9);
  static_cast<void>(hops_.refresh());
  EXPECT_THAT(kernel_.asked, ElementsAre(make_address("10.8.0.1")));  // has no route, so any address may help
  kernel_.asked.clear();
  hops_.on_address(3);
  static_cast<void>(hops_.refresh());
  EXPECT_EQ(kernel_.asked.size(), 2U);
}

TEST_F(net_next_hops, the_end_gives_everything_back) {
  hops_.track({a_, b_});
  hops_.release_all();
  EXPECT_THAT(kernel_.released, ElementsAre(key_));
}

}  // namespace
}  // namespace astil::net
