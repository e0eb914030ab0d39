// What probes through the forwarding path are given: a port of their own, and an address to be answered to. With real
// connections they are tested in the lab.
#include "control/app/path_probes.hpp"

#include <gtest/gtest.h>

namespace astil::app {
namespace {

using boost::asio::ip::make_address;

TEST(ProbePlaces, are_given_to_one_at_a_time) {
  ProbePlaces places(2);
  const auto first = places.take();
  const auto second = places.take();
  ASSERT_TRUE(first && second);
  EXPECT_NE(*first, *second);
  EXPECT_FALSE(places.take());
  places.give_back(*first);
  EXPECT_EQ(places.take(), first);
}

TEST(ProbePlaces, rest_until_all_others_were_used) {
  constexpr std::uint32_t kPlaces = 8;
  ProbePlaces places(kPlaces);
  const std::uint32_t used = *places.take();
  places.give_back(used);
  for (std::uint32_t i = 1; i < kPlaces; ++i) {
    const std::uint32_t other = *places.take();
    EXPECT_NE(other, used);
    places.give_back(other);
  }
  EXPECT_EQ(*places.take(), used);
}

TEST(probe_source, is_what_the_routes_give_if_it_can_be_answered_to) {
  net::NextHop hop;
  hop.source_address = make_address("10.0.0.1");
  EXPECT_EQ(probe_source(make_address("192.0.2.1"), hop, {}), make_address("10.0.0.1"));
  // An interface of that number is not there, so it has no other address.
  hop.ifindex = 1U << 30U;
  EXPECT_EQ(probe_source(make_address("192.0.2.1"), hop, {make_address("10.0.0.1")}), std::nullopt);
  EXPECT_EQ(probe_source(make_address("2001:db8::1"), hop, {}), std::nullopt);
}

}  // namespace
}  // namespace astil::app
