// The sentence that says why a backend gets new flows or not.
#include "control/app/rotation_reason.hpp"

#include <gtest/gtest.h>

namespace astil::app {
namespace {

using api::AdminState;
using api::BackendState;

TEST(RotationReason, the_gravest_hindrance_is_told) {
  Circumstances of{.checked = true,
                   .health = BackendState::down,
                   .last_error = "connect: Connection refused",
                   .unreachable = "no answer to ARP",
                   .weight = 0};
  EXPECT_EQ(rotation_reason(of), "its checks fail: connect: Connection refused");
  of.admin = AdminState::maintenance;
  EXPECT_EQ(rotation_reason(of), "ordered into maintenance");
  of.admin = AdminState::drain;
  of.health = BackendState::up;
  EXPECT_EQ(rotation_reason(of), "it can not be reached: no answer to ARP");
  of.unreachable.clear();
  EXPECT_EQ(rotation_reason(of), "ordered to drain");
  of.admin = AdminState::active;
  EXPECT_EQ(rotation_reason(of), "its weight is 0");
  of.weight = 1;
  of.health = BackendState::unknown;
  EXPECT_EQ(rotation_reason(of), "it has not been checked yet");
}

TEST(RotationReason, what_a_service_does_when_too_few_are_well_is_told) {
  Circumstances of{.in_rotation = true,
                   .checked = true,
                   .health = BackendState::down,
                   .last_error = "timeout",
                   .too_few = true,
                   .when_down = "fail-open"};
  EXPECT_EQ(rotation_reason(of),
            "too few backends are well, and then the service does fail-open, though its checks fail: timeout");
  of.in_rotation = false;
  of.health = BackendState::up;
  of.when_down = "drop";
  EXPECT_EQ(rotation_reason(of), "too few backends of the service are well, and then it does drop");
}

TEST(RotationReason, a_backend_that_is_well_says_how_that_is_known) {
  EXPECT_EQ(rotation_reason({.in_rotation = true}), "its service has no health check");
  EXPECT_EQ(rotation_reason({.in_rotation = true, .checked = true, .health = BackendState::up}), "its checks succeed");
  EXPECT_EQ(rotation_reason({.in_rotation = true, .checked = true}), "it was, and has not been checked again yet");
}

TEST(RotationReason, a_fallback_says_whether_it_is_needed) {
  Circumstances of{.checked = true, .health = BackendState::up, .fallback = true};
  EXPECT_EQ(rotation_reason(of), "a fallback, and enough other backends are well");
  of.in_rotation = true;
  of.too_few = true;
  EXPECT_EQ(rotation_reason(of), "a fallback, and too few other backends are well");
}

}  // namespace
}  // namespace astil::app
