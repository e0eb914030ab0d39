// Orders for backends and the file that keeps them.
#include "control/app/backend_orders.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/api_fake.hpp"

namespace astil::app {
namespace {

using api::AdminState;

class Orders : public testing::Test {
 protected:
  void write(const std::string& text) const { std::ofstream(path) << text; }

  test::TemporaryFolder folder;
  const std::string path = folder / "main.orders";
  const api::TimePoint now{std::chrono::seconds(1'000'000'000)};
};

TEST_F(Orders, last_until_another_one_and_over_restarts) {
  {
    BackendOrders orders(path);
    EXPECT_EQ(orders.state("web", "b1"), AdminState::active);
    ASSERT_TRUE(orders.set({{"web", "b1"}, {"tls", "b1"}}, AdminState::drain, now).has_value());
    ASSERT_TRUE(orders.set({{"tls", "b1"}}, AdminState::maintenance, now + std::chrono::hours(1)).has_value());
  }
  BackendOrders orders(path);
  EXPECT_FALSE(orders.damage().has_value());
  EXPECT_EQ(orders.state("web", "b1"), AdminState::drain);
  EXPECT_EQ(orders.of("web", "b1").since, now);
  EXPECT_EQ(orders.state("tls", "b1"), AdminState::maintenance);
  EXPECT_EQ(orders.state("web", "b2"), AdminState::active);
  ASSERT_TRUE(orders.set({{"web", "b1"}}, AdminState::active, now).has_value());
  EXPECT_EQ(BackendOrders(path).state("web", "b1"), AdminState::active);
}

TEST_F(Orders, given_again_stay_as_old_as_they_are) {
  BackendOrders orders(path);
  ASSERT_TRUE(orders.set({{"web", "b1"}}, AdminState::drain, now).has_value());
  ASSERT_TRUE(orders.set({{"web", "b1"}}, AdminState::drain, now + std::chrono::hours(1)).has_value());
  EXPECT_EQ(orders.of("web", "b1").since, now);
}

TEST_F(Orders, make_their_folder) {
  const std::string below = folder / "state/main.orders";
  ASSERT_TRUE(BackendOrders(below).set({{"web", "b1"}}, AdminState::drain, now).has_value());
  EXPECT_EQ(BackendOrders(below).state("web", "b1"), AdminState::drain);
}

TEST_F(Orders, that_can_not_be_kept_are_not_taken) {
  write("{\"version\":1,\"orders\":[]}");
  BackendOrders orders(path + "/main.orders");
  const auto kept = orders.set({{"web", "b1"}}, AdminState::drain, now);
  ASSERT_TRUE(kept.has_error());
  EXPECT_NE(kept.error().text().find(path + "/main.orders"), std::string::npos) << kept.error().text();
  EXPECT_EQ(orders.state("web", "b1"), AdminState::active);
}

TEST_F(Orders, of_a_damaged_file_are_lost_aloud_and_the_file_is_kept) {
  for (const char* text : {"", "{\"version\":1,\"orders\":[{\"service\":1}]}", "{\"version\":2}", "[]",
                           "{\"version\":1,\"orders\":[{\"state\":\"asleep\"}]}"}) {
    write(text);
    BackendOrders orders(path);
    ASSERT_TRUE(orders.damage().has_value()) << text;
    EXPECT_NE(orders.damage()->text().find(path), std::string::npos);
    EXPECT_TRUE(std::filesystem::exists(path + ".broken"));
    EXPECT_TRUE(orders.set({{"web", "b1"}}, AdminState::drain, now).has_value());
  }
}

}  // namespace
}  // namespace astil::app
