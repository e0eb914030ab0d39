// Codes, heartbeats and announcements: what is sent beside adverts, and when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "control/base/internet_checksum.hpp"
#include "control/config/model_ha.hpp"
#include "control/ha/vrrp/advert_frame.hpp"
#include "control/ha/vrrp/announcement.hpp"
#include "control/ha/vrrp/authentication.hpp"
#include "control/ha/vrrp/heartbeat.hpp"

namespace astil::ha::test {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;
using boost::asio::ip::make_address;

// The configuration reckons with it where it says how many addresses an advert holds.
static_assert(config::kAdvertCodeBytes == kTrailer);

constexpr Time kStart = 1000s;

KeyRecord key(std::uint8_t byte) {
  KeyRecord record{.present = 1};
  record.secret.fill(byte);
  return record;
}

std::vector<std::byte> bytes(std::size_t count) { return std::vector<std::byte>(count, std::byte{0x5a}); }

TEST(ha_authentication, what_is_sealed_is_opened_by_the_same_key_and_context_alone) {
  const KeyRing ring(key(1), {}, "a");
  const auto sealed = ring.seal(bytes(20), bytes(4), 7);
  ASSERT_EQ(sealed.size(), 20 + kTrailer);
  const auto opened = ring.open(sealed, bytes(4));
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->counter, 7U);
  EXPECT_EQ(opened->bytes.size(), 20U);
  EXPECT_EQ(ring.open(sealed, bytes(5)).error(), KeyRing::Fault::wrong_code);
  EXPECT_EQ(KeyRing(key(2), {}, "a").open(sealed, bytes(4)).error(), KeyRing::Fault::unauthenticated);
  EXPECT_EQ(KeyRing(key(1), {}, "b").open(sealed, bytes(4)).error(), KeyRing::Fault::unauthenticated);
}

TEST(ha_authentication, every_changed_bit_is_noticed) {
  const KeyRing ring(key(1), {}, "a");
  const auto sealed = ring.seal(bytes(12), {}, 7);
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    auto changed = sealed;
    changed[bit / 8] ^= std::byte(1U << (bit % 8));
    EXPECT_TRUE(ring.open(changed, {}).has_error()) << bit;
  }
}

TEST(ha_authentication, the_previous_key_is_taken_and_not_used) {
  const KeyRing before(key(1), {}, "a");
  const KeyRing after(key(2), key(1), "a");
  EXPECT_TRUE(after.open(before.seal(bytes(3), {}, 1), {}).has_value());
  EXPECT_TRUE(before.open(after.seal(bytes(3), {}, 1), {}).has_error());
}

TEST(ha_authentication, nothing_is_taken_twice_and_counters_grow_though_the_clock_stands) {
  ReplayGuard guard;
  const address one = make_address("192.0.2.1");
  EXPECT_TRUE(guard.is_new(one, 5));
  EXPECT_FALSE(guard.is_new(one, 5));
  EXPECT_FALSE(guard.is_new(one, 4));
  EXPECT_TRUE(guard.is_new(make_address("192.0.2.2"), 4));
  Counter counter;
  EXPECT_EQ(counter.next(100), 100U);
  EXPECT_EQ(counter.next(100), 101U);
  EXPECT_EQ(counter.next(90), 102U);
}

const HeartbeatMessage kMessage{
    .node = "lb1",
    .digest = 0x0123456789abcdef,
    .groups = {
        {.virtual_router_id = 51, .version = 6, .state = GroupState::active, .priority = 100, .mark = 0x89abcdef}}};

TEST(ha_heartbeat, what_is_built_is_read) { EXPECT_EQ(parse_heartbeat(build_heartbeat(kMessage)), kMessage); }

TEST(ha_heartbeat, groups_with_one_number_are_told_apart_by_their_addresses) {
  const auto group = [](std::uint8_t id, std::uint32_t mark) {
    return HeartbeatGroup{.virtual_router_id = id, .mark = mark};
  };
  const std::vector<HeartbeatGroup> here{group(51, 1), group(51, 2), group(52, 3), group(53, 4)};
  const std::vector<HeartbeatGroup> there{group(51, 2), group(51, 1), group(52, 9)};
  using Places = std::vector<std::optional<std::size_t>>;
  EXPECT_EQ(match_groups(here, there), (Places{1, 0, 2, std::nullopt}));
  HeartbeatGroup six = group(51, 1);
  six.version = 6;
  EXPECT_EQ(match_groups(here, {{six}}), Places(4));
}

TEST(ha_heartbeat, the_mark_of_addresses_is_the_same_in_any_order) {
  AddressRecord one{.version = 4};
  one.bytes[15] = 1;
  AddressRecord two{.version = 4};
  two.bytes[15] = 2;
  EXPECT_EQ(mark_of({{one, two}}), mark_of({{two, one}}));
  EXPECT_NE(mark_of({{one, two}}), mark_of({{one}}));
  EXPECT_NE(mark_of({{one}}), mark_of({{two}}));
}

TEST(ha_heartbeat, what_is_cut_short_or_too_long_is_none) {
  auto built = build_heartbeat(kMessage);
  for (std::size_t length = 0; length < built.size(); ++length)
    EXPECT_FALSE(parse_heartbeat(Bytes(built).first(length)).has_value()) << length;
  built.push_back(std::byte{0});
  EXPECT_FALSE(parse_heartbeat(built).has_value());
}

TEST(ha_heartbeat, the_other_node_is_dead_when_all_paths_are_silent) {
  HeartbeatWatch watch(2, 10ms, 3);
  EXPECT_FALSE(watch.died(kStart + 1h));  // it never was alive
  watch.heard(kStart, 0);
  watch.heard(kStart + 20ms, 1);
  EXPECT_FALSE(watch.died(kStart + 30ms));
  EXPECT_FALSE(watch.is_alive(0));
  EXPECT_EQ(watch.losses(0), 1U);
  EXPECT_TRUE(watch.is_alive());
  EXPECT_EQ(watch.deadline(), kStart + 50ms);
  EXPECT_FALSE(watch.died(kStart + 50ms - 1ns));
  EXPECT_TRUE(watch.died(kStart + 50ms));
  EXPECT_FALSE(watch.died(kStart + 60ms));  // once
}

TEST(ha_heartbeat, who_was_late_itself_waits_an_interval_more_once) {
  HeartbeatWatch watch(1, 10ms, 3);
  watch.heard(kStart, 0);
  watch.forgive(kStart + 31ms, 4ms);  // late by less than half an interval
  EXPECT_EQ(watch.deadline(), kStart + 30ms);
  watch.forgive(kStart + 50ms, 25ms);
  EXPECT_EQ(watch.deadline(), kStart + 60ms);
  EXPECT_FALSE(watch.died(kStart + 50ms));
  watch.forgive(kStart + 65ms, 5ms);
  EXPECT_TRUE(watch.died(kStart + 65ms));
  watch.heard(kStart + 70ms, 0);
  watch.forgive(kStart + 105ms, 5ms);
  EXPECT_FALSE(watch.died(kStart + 105ms));
}

const net::MacAddress kMac{{2, 0, 0, 0, 0, 0xa}};

TEST(ha_announcement, a_gratuitous_arp_claims_the_address_by_broadcast) {
  const Frame frame = gratuitous_arp(make_address("192.0.2.10"), kMac);
  ASSERT_THAT(frame, SizeIs(42));
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(frame[i], std::byte{0xff});
  const auto claim = parse_claim(frame);
  ASSERT_TRUE(claim.has_value());
  EXPECT_EQ(claim->host, make_address("192.0.2.10"));
  EXPECT_EQ(claim->mac, kMac);
  EXPECT_TRUE(std::equal(frame.begin() + 28, frame.begin() + 32, frame.begin() + 38));  // sender and target alike
}

TEST(ha_announcement, a_neighbour_advertisement_is_of_a_router_and_overrides) {
  const Frame frame = unsolicited_advertisement(make_address("2001:db8::10"), kMac);
  ASSERT_THAT(frame, SizeIs(14 + 40 + 32));
  EXPECT_EQ(frame[58], std::byte{0xa0});
  EXPECT_EQ(frame[21], std::byte{255});
  const address all = make_address("ff02::1");
  EXPECT_EQ(checksum_with_pseudo_header(Bytes(frame).subspan(54), make_address("2001:db8::10"), all, 58), 0);
  EXPECT_EQ(parse_claim(frame)->host, make_address("2001:db8::10"));
}

TEST(ha_advert_frame, the_virtual_routers_mac_is_that_of_the_rfc) {
  EXPECT_EQ(net::to_string(virtual_router_mac(4, 51)), "00:00:5e:00:01:33");
  EXPECT_EQ(net::to_string(virtual_router_mac(6, 255)), "00:00:5e:00:02:ff");
  EXPECT_EQ(net::to_string(multicast_mac(advert_multicast(true))), "01:00:5e:00:00:12");
  EXPECT_EQ(net::to_string(multicast_mac(make_address("239.255.0.1"))), "01:00:5e:7f:00:01");
  EXPECT_EQ(net::to_string(multicast_mac(advert_multicast(false))), "33:33:00:00:00:12");
}

TEST(ha_advert_frame, an_ipv4_advert_leaves_with_a_whole_header) {
  const Frame frame = advert_frame(bytes(12), make_address("192.0.2.2"), advert_multicast(true),
                                   virtual_router_mac(4, 51), multicast_mac(advert_multicast(true)));
  ASSERT_THAT(frame, SizeIs(14 + 20 + 12));
  EXPECT_EQ(frame[11], std::byte{51});
  EXPECT_EQ(frame[12], std::byte{0x08});
  EXPECT_EQ(frame[17], std::byte{32});
  EXPECT_EQ(frame[22], std::byte{255});
  EXPECT_EQ(frame[23], std::byte{112});
  EXPECT_EQ(base::internet_checksum(base::sum_of_words(Bytes(frame).subspan(14, 20))), 0);
  EXPECT_TRUE(std::ranges::equal(Bytes(frame).subspan(34), bytes(12)));
}

TEST(ha_advert_frame, an_ipv6_advert_leaves_with_a_whole_header) {
  const address source = make_address("fe80::2");
  const Frame frame = advert_frame(bytes(24), source, advert_multicast(false), virtual_router_mac(6, 51),
                                   multicast_mac(advert_multicast(false)));
  ASSERT_THAT(frame, SizeIs(14 + 40 + 24));
  EXPECT_EQ(frame[12], std::byte{0x86});
  EXPECT_EQ(frame[14], std::byte{0x6c});
  EXPECT_EQ(frame[19], std::byte{24});
  EXPECT_EQ(frame[20], std::byte{112});
  EXPECT_EQ(frame[21], std::byte{255});
  EXPECT_TRUE(std::ranges::equal(Bytes(frame).subspan(22, 16), bytes_of(source)));
  EXPECT_TRUE(std::ranges::equal(Bytes(frame).subspan(38, 16), bytes_of(advert_multicast(false))));
}

TEST(ha_announcement, what_is_cut_short_claims_nothing) {
  for (const Frame& frame : {gratuitous_arp(make_address("192.0.2.10"), kMac),
                             unsolicited_advertisement(make_address("2001:db8::10"), kMac)}) {
    for (std::size_t length = 0; length < frame.size(); ++length)
      EXPECT_FALSE(parse_claim(Bytes(frame).first(length)).has_value()) << length;
  }
}

TEST(ha_announcement, rounds_are_at_once_after_one_second_and_after_five) {
  AnnouncementPlan plan;
  plan.start(kStart, 2, 0ms);
  EXPECT_THAT(plan.due(kStart), SizeIs(2));
  EXPECT_EQ(plan.deadline(), kStart + 1s);
  EXPECT_THAT(plan.due(kStart + 1s), SizeIs(2));
  EXPECT_EQ(plan.deadline(), kStart + 5s);
  EXPECT_THAT(plan.due(kStart + 5s), SizeIs(2));
  EXPECT_EQ(plan.deadline(), std::nullopt);
}

TEST(ha_announcement, many_addresses_go_out_in_bursts) {
  AnnouncementPlan plan;
  plan.start(kStart, 90, 0ms);
  EXPECT_THAT(plan.due(kStart), SizeIs(AnnouncementPlan::kBurst));
  EXPECT_THAT(plan.due(kStart), IsEmpty());
  EXPECT_THAT(plan.due(kStart + AnnouncementPlan::kPause), SizeIs(90 - AnnouncementPlan::kBurst));
}

TEST(ha_announcement, the_refresh_goes_on_until_it_stops) {
  AnnouncementPlan plan;
  plan.start(kStart, 1, 60s);
  for (const Time at : {kStart, kStart + 1s, kStart + 5s, kStart + 60s, kStart + 120s}) {
    EXPECT_EQ(plan.deadline(), at);
    EXPECT_THAT(plan.due(at), SizeIs(1));
  }
  plan.stop();
  EXPECT_EQ(plan.deadline(), std::nullopt);
  plan.again(kStart + 130s);
  EXPECT_EQ(plan.deadline(), std::nullopt);
}

TEST(ha_announcement, one_more_round_is_made_unless_one_is_under_way) {
  AnnouncementPlan plan;
  plan.start(kStart, 1, 0ms);
  plan.again(kStart);
  EXPECT_THAT(plan.due(kStart), SizeIs(1));
  EXPECT_THAT(plan.due(kStart), IsEmpty());
  plan.again(kStart + 100ms);
  EXPECT_THAT(plan.due(kStart + 100ms), SizeIs(1));
}

TEST(ha_announcement, whoever_asks_for_more_again_and_again_gets_one_round_a_second) {
  AnnouncementPlan plan;
  plan.start(kStart, 1, 0ms);
  std::size_t rounds = 0;
  for (Time now = kStart + 6s; now < kStart + 9s; now += 1ms) {
    plan.again(now);
    while (!plan.due(now).empty()) ++rounds;
  }
  EXPECT_EQ(rounds, 3U + 3U);  // those of the start were late
}

}  // namespace
}  // namespace astil::ha::test
