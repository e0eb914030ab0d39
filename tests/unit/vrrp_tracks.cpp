// What a group tracks, as astil-vrrp keeps it.
#include "control/ha/vrrp/track_states.hpp"

#include <gtest/gtest.h>

#include <array>

namespace astil::ha::test {
namespace {

TrackRecord told(const char* name, std::uint8_t subtract) { return {.name = Name(name), .subtract = subtract}; }
TrackRecord interface(const char* name, std::uint8_t subtract) {
  return {.name = Name(name), .interface = InterfaceName(name), .subtract = subtract};
}

TEST(vrrp_tracks, what_a_new_group_is_not_told_of_counts_as_failing) {
  TrackStates tracks;
  tracks.configure(std::array{told("gateway", 30), told("script", 5)});
  EXPECT_EQ(tracks.penalty(), 35U);
  tracks.tell(0b01, 0b00);
  EXPECT_EQ(tracks.penalty(), 5U);
  EXPECT_EQ(tracks.failing(), 0b10);
}

TEST(vrrp_tracks, a_change_keeps_what_is_known_and_what_it_adds_counts_as_well) {
  TrackStates tracks;
  tracks.configure(std::array{told("a", 30), told("b", 5)});
  tracks.tell(0b11, 0b10);
  tracks.configure(std::array{told("new", 50), told("b", 7), told("a", 30)});
  EXPECT_EQ(tracks.failing(), 0b010);
  EXPECT_EQ(tracks.penalty(), 7U);
}

TEST(vrrp_tracks, an_astild_that_knows_nothing_yet_changes_nothing) {
  TrackStates tracks;
  tracks.configure(std::array{told("a", 30)});
  tracks.tell(0b1, 0b1);
  tracks.tell(0b0, 0b0);
  EXPECT_EQ(tracks.penalty(), 30U);
}

TEST(vrrp_tracks, interfaces_are_looked_at_here_whatever_is_told) {
  TrackStates tracks;
  tracks.configure(std::array{interface("eth1", 40), told("a", 2)});
  tracks.look([](std::string_view name) { return name != "eth1"; });
  tracks.tell(0b11, 0b00);
  EXPECT_EQ(tracks.penalty(), 40U);
  tracks.look([](std::string_view) { return true; });
  EXPECT_EQ(tracks.penalty(), 0U);
}

}  // namespace
}  // namespace astil::ha::test
