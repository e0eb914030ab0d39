// The part of the API that takes backends out of service and back.
#include <gtest/gtest.h>

#include "control/api/json.hpp"
#include "control/api/routes.hpp"
#include "tests/unit/api_fake.hpp"

namespace astil::api {
namespace {

class BackendRoutes : public testing::Test {
 protected:
  Answer ask(std::string_view method, std::string_view target, Access access = Access::everything) {
    return answer(daemon, {.method = method, .target = target, .body = {}, .access = access});
  }

  test::FakeDaemon daemon;
};

TEST_F(BackendRoutes, each_order_has_its_path_and_is_a_post) {
  for (const auto& [word, state] : {std::pair("drain", AdminState::drain), std::pair("activate", AdminState::active),
                                    std::pair("maintenance", AdminState::maintenance)}) {
    const std::string path = "/v1/backends/" + std::string(word) + "?backend=b1";
    EXPECT_EQ(ask("GET", path).status, 405U);
    ASSERT_EQ(ask("POST", path).status, 200U);
    EXPECT_EQ(daemon.orders.back(), state);
    EXPECT_EQ(daemon.backend_filter.backend, "b1");
    EXPECT_FALSE(daemon.backend_filter.service.has_value());
  }
  EXPECT_EQ(ask("POST", "/v1/backends/drain?backend=b1&service=web").status, 200U);
  EXPECT_EQ(daemon.backend_filter.service, "web");
}

TEST_F(BackendRoutes, an_order_needs_a_backend_and_more_than_the_metrics_access) {
  EXPECT_EQ(ask("POST", "/v1/backends/drain").status, 400U);
  EXPECT_EQ(ask("POST", "/v1/backends/drain?backend=b1", Access::metrics).status, 403U);
  EXPECT_TRUE(daemon.orders.empty());
}

TEST_F(BackendRoutes, a_refusal_says_why) {
  daemon.drains_view = Error{"there is no backend 'b9'", "did you mean \"b1\"?"};
  const Answer refused = ask("POST", "/v1/backends/drain?backend=b9");
  EXPECT_EQ(refused.status, 422U);
  EXPECT_NE(refused.body.find("no backend 'b9'"), std::string::npos);
}

TEST_F(BackendRoutes, flows_that_are_left_are_told) {
  daemon.drains_view = DrainsView{
      {{.service = "web", .backend = "b1", .admin = AdminState::drain, .active_flows = 7, .empty_in_seconds = 90.0}}};
  const Answer told = ask("GET", "/v1/backends?backend=b1");
  EXPECT_EQ(told.body,
            "{\"backends\":[{\"service\":\"web\",\"backend\":\"b1\",\"admin\":\"drain\",\"in_rotation\":false,"
            "\"active_flows\":7,\"drained\":false,\"empty_in_seconds\":9E1}]}\n");
}

}  // namespace
}  // namespace astil::api
