// Next hops that the engine keeps for a moment: which datagrams may go by one, and for how long.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "dataplane/core/hops.hpp"

namespace astil::core {
namespace {

constexpr Address kClient = mapped(be32(0xc0000201));
constexpr Address kService = mapped(be32(0xc000020a));
constexpr u32 kIngress = 3;
constexpr u32 kUnit = 1000;
constexpr Hop kHop{.to = kClient,
                   .from = kService,
                   .destination_mac = 0xc1,
                   .source_mac = 0x01,
                   .interface = 7,
                   .ingress = kIngress,
                   .mtu = 1500,
                   .unit = kUnit};

TEST(Hops, are_the_way_of_the_same_ends_from_the_same_interface) {
  EXPECT_TRUE(is_way(kHop, kClient, kService, kIngress, 1500, kUnit));
  EXPECT_FALSE(is_way(kHop, kService, kService, kIngress, 1500, kUnit));
  EXPECT_FALSE(is_way(kHop, kClient, kClient, kIngress, 1500, kUnit));
  EXPECT_FALSE(is_way(kHop, kClient, kService, kIngress + 1, 1500, kUnit));
  EXPECT_EQ(next_hop_of(kHop).interface, 7U);
  EXPECT_EQ(next_hop_of(kHop).destination_mac, 0xc1U);
  EXPECT_EQ(next_hop_of(kHop).source_mac, 0x01U);
}

TEST(Hops, are_asked_for_again_after_a_quarter_of_a_second) {
  EXPECT_TRUE(is_way(kHop, kClient, kService, kIngress, 1500, kUnit + kUnitsPerSecond / 4 - 1));
  EXPECT_FALSE(is_way(kHop, kClient, kService, kIngress, 1500, kUnit + kUnitsPerSecond / 4));
}

TEST(Hops, are_not_the_way_of_what_their_route_does_not_carry) {
  EXPECT_FALSE(is_way(kHop, kClient, kService, kIngress, 1501, kUnit));
}

TEST(Hops, are_none_while_nothing_was_written) {
  const Hop empty{};
  EXPECT_FALSE(is_way(empty, Address{}, Address{}, 0, 20, 0));
}

TEST(Hops, of_neighbouring_clients_have_places_of_their_own) {
  std::vector<u32> places;
  for (u32 i = 0; i < 256; ++i) places.push_back(hop_place(mapped(be32(0x0a000000U + i)), kService));
  std::sort(places.begin(), places.end());
  const auto different = std::unique(places.begin(), places.end()) - places.begin();
  EXPECT_GT(different, 240);
  for (const u32 place : places) EXPECT_LT(place, kHops);
}

}  // namespace
}  // namespace astil::core
