// Interfaces that packets come in by are found at every moment, however their table changes.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/unit/dataplane_watching.hpp"

namespace astil::dataplane {
namespace {

class Interfaces : public testing::Test {
 protected:
  [[nodiscard]] bool sees(std::uint32_t ifindex) const {
    const std::uint32_t slot = (ifindex * engine_.tables().settings().interface_multiplier) >> 26U;
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
  publish({2, 3, 66, 130});  // which have the places of 2 under the first multiplier
  publish({3, 66, 194});
  publish({67, 3, 131, 195, 259});
  publish({3});
  publish({});
}

TEST_F(Interfaces, with_a_new_mac_have_it) {
  publish({2});
  DesiredState state{.interfaces = {{.ifindex = 2, .mac = 0x1234}}, .services = {}};
  ASSERT_TRUE(publisher_.publish(state).has_value());
  EXPECT_EQ(engine_.tables().interfaces()[2].mac, 0x1234U);
}

TEST_F(Interfaces, as_many_as_a_machine_with_many_bonds_has_find_a_place) {
  std::set<std::uint32_t> many;
  for (std::uint32_t i = 0; i < 16; ++i) many.insert(3 + i * i * 7);
  publish(many);
}

}  // namespace
}  // namespace astil::dataplane
