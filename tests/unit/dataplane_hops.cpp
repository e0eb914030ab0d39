// Next hops that are kept for a moment: when the routing table is asked, and when not.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "dataplane/core/hops.hpp"

namespace astil::core {
namespace {

constexpr Address kClient = mapped(be32(0xc0000201));
constexpr Address kBackendAddress = mapped(be32(0x0a000001));
constexpr Be16 kPort = be16(8080);
constexpr Backend kBackend{.service_address = mapped(be32(0xc633640a)), .port = kPort, .address = kBackendAddress};
constexpr u32 kNumber = 5;

/// What `way_to` needs of an engine, with a routing table of one route.
class Router {
 public:
  u32 unit = 1000;
  u32 interface = 3;
  bool keeps = true;
  NextHop answer{
      .status = NextHop::Status::found, .interface = 7, .destination_mac = 0xc1, .source_mac = 0x01, .mtu = 1500};
  int asked = 0;
  Address asked_from{};

  [[nodiscard]] u32 fine_tick() const { return unit; }
  [[nodiscard]] u32 ingress() const { return interface; }
  Hop* hop(u32 place) { return keeps ? &hops_[place] : nullptr; }
  NextHop route(const Address& /*to*/, const Address& from, u32 /*length*/) {
    ++asked;
    asked_from = from;
    return answer;
  }

  NextHop way(const Address& to = kClient, u32 number = kNumber, u32 length = 1500) {
    return detail::way_to(*this, to, kBackend, number, length);
  }
  /// How often the routing table was asked for the way of one more datagram.
  int asked_for(const Address& to = kClient, u32 number = kNumber, u32 length = 1500) {
    const int before = asked;
    way(to, number, length);
    return asked - before;
  }

 private:
  std::vector<Hop> hops_ = std::vector<Hop>(kMostHops);
};

TEST(Hops, are_asked_for_once_by_the_address_that_the_client_sees) {
  Router router;
  EXPECT_EQ(router.asked_for(), 1);
  EXPECT_EQ(router.asked_from, kBackend.service_address);
  EXPECT_EQ(router.asked_for(), 0);
  const NextHop kept = router.way();
  EXPECT_EQ(kept.status, NextHop::Status::found);
  EXPECT_EQ(kept.interface, 7U);
  EXPECT_EQ(kept.destination_mac, 0xc1U);
  EXPECT_EQ(kept.source_mac, 0x01U);
}

TEST(Hops, are_asked_for_anew_by_another_client_backend_or_interface) {
  Router router;
  router.way();
  EXPECT_EQ(router.asked_for(kBackendAddress), 1);
  EXPECT_EQ(router.asked_for(kClient, kNumber + 1), 1) << "another use of the backend has another service's address";
  router.way();
  router.interface = 4;
  EXPECT_EQ(router.asked_for(), 1);
}

TEST(Hops, are_asked_for_again_after_a_quarter_of_a_second) {
  Router router;
  router.way();
  router.unit += kUnitsPerSecond / 4 - 1;
  EXPECT_EQ(router.asked_for(), 0);
  router.unit += 1;
  EXPECT_EQ(router.asked_for(), 1);
}

TEST(Hops, are_not_the_way_of_what_their_route_does_not_carry) {
  Router router;
  router.way();
  EXPECT_EQ(router.asked_for(kClient, kNumber, 1501), 1);
}

TEST(Hops, are_not_kept_where_there_is_none_or_no_place_for_it) {
  Router router;
  router.answer = {.status = NextHop::Status::no_neighbour};
  EXPECT_EQ(router.way().status, NextHop::Status::no_neighbour);
  EXPECT_EQ(router.asked_for(), 1);
  Router without;
  without.keeps = false;
  EXPECT_EQ(without.way().interface, 7U);
  EXPECT_EQ(without.asked_for(), 1);
}

TEST(Hops, of_neighbouring_clients_have_places_of_their_own) {
  for (const u32 kept : {kLeastHops, 4 * kLeastHops, kMostHops}) {
    std::vector<u32> places;
    for (u32 i = 0; i < 256; ++i) {
      places.push_back(hop_place(mapped(be32(0x0a000000U + i)), kBackendAddress, kPort));
      EXPECT_LT(places.back(), kMostHops);
      places.back() /= kMostHops / kept;
    }
    std::sort(places.begin(), places.end());
    const auto different = std::unique(places.begin(), places.end()) - places.begin();
    EXPECT_GT(different, 235) << kept;
  }
}

TEST(Hops, are_as_many_as_the_flows_need_and_no_fewer_than_ever) {
  EXPECT_EQ(hops_for(1U << 21U, 2), 65536U);
  EXPECT_EQ(hops_for(1U << 21U, 8), 16384U);
  EXPECT_EQ(hops_for(1U << 21U, 48), 4096U) << "a power of two, and the least";
  EXPECT_EQ(hops_for(1U << 21U, 12), 8192U) << "a power of two";
  EXPECT_EQ(hops_for(1U << 10U, 2), kLeastHops);
  EXPECT_EQ(hops_for(1U << 28U, 1), kMostHops);
}

}  // namespace
}  // namespace astil::core
