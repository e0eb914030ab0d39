// Interfaces that packets come in by are found at every moment, however their table changes.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "tests/unit/dataplane_watching.hpp"

namespace astil::dataplane {
namespace {

class Interfaces : public testing::Test {
 protected:
  [[nodiscard]] bool sees(std::uint32_t ifindex) const {
    const std::uint32_t slot = core::interface_slot(ifindex, engine_.tables().settings().interface_multiplier);
    return engine_.tables().interfaces()[slot].ifindex == ifindex;
  }

  void publish(const std::set<std::uint32_t>& ifindexes) {
    DesiredState state;
    for (const std::uint32_t ifindex : ifindexes)
      state.interfaces.push_back({.ifindex = ifindex, .mac = ifindex * 11ULL});
    engine_.at_wait = [&] {
      for (const std::uint32_t ifindex : ifindexes) {
        EXPECT_TRUE(!before_.contains(ifindex) || sees(ifindex)) << ifindex;
      }
    };
    ASSERT_TRUE(publisher_.publish(state).has_value());
    before_ = ifindexes;
    for (const std::uint32_t ifindex : ifindexes) EXPECT_TRUE(sees(ifindex)) << ifindex;
    const auto places = engine_.tables().interfaces();
    const auto used =
        std::count_if(places.begin(), places.end(), [](const core::Interface& place) { return place.ifindex != 0; });
    EXPECT_EQ(static_cast<std::size_t>(used), ifindexes.size()) << "none is left behind";
  }

  test::WatchingEngine engine_{test::small_sizes()};
  Publisher publisher_{engine_};
  std::set<std::uint32_t> before_;
};

TEST_F(Interfaces, that_stay_are_seen_at_every_moment_of_a_change) {
  publish({2, 3});
  publish({2, 3, 1026, 2050});  // which have the place of 2 under the first multiplier
  publish({3, 1026, 3074});
  publish({1027, 3, 2051, 3075, 4099});
  publish({3});
  publish({});
}

TEST_F(Interfaces, with_a_new_mac_have_it) {
  publish({2});
  DesiredState state{.interfaces = {{.ifindex = 2, .mac = 0x1234}}, .services = {}};
  ASSERT_TRUE(publisher_.publish(state).has_value());
  EXPECT_EQ(engine_.tables().interfaces()[2].mac, 0x1234U);
}

TEST_F(Interfaces, as_many_as_a_configuration_may_name_find_a_place_and_others_beside_them) {
  std::mt19937 random(7);
  for (int times = 0; times < 20; ++times) {
    std::set<std::uint32_t> many;
    while (many.size() < 64) many.insert(1 + static_cast<std::uint32_t>(random()) % 100'000);
    ASSERT_NO_FATAL_FAILURE(publish(many));
  }
}

}  // namespace
}  // namespace astil::dataplane
