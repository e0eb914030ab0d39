// One holder for each instance, and where it answers.
#include "control/app/instance_lock.hpp"

#include <gmock/gmock.h>

#include "tests/unit/api_fake.hpp"

namespace astil::app {
namespace {

using testing::HasSubstr;

class Locks : public testing::Test {
 protected:
  Result<InstanceLock> take(const std::string& instance, const std::string& socket = "/run/a.sock") {
    return InstanceLock::take(instance, socket, folder / "made");
  }
  std::optional<std::string> holder(const std::string& instance) { return holder_of(instance, folder / "made"); }

  test::TemporaryFolder folder;
};

TEST_F(Locks, have_one_holder_who_says_where_it_answers) {
  const auto first = take("main", "/run/elsewhere.sock");
  ASSERT_TRUE(first) << first.error().text();
  const auto second = take("main");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().what, "instance main has a daemon already, which answers at /run/elsewhere.sock");
  EXPECT_EQ(holder("main"), "/run/elsewhere.sock");
}

TEST_F(Locks, of_other_instances_are_others) {
  const auto first = take("main");
  EXPECT_TRUE(take("edge"));
  EXPECT_FALSE(holder("edge"));
}

TEST_F(Locks, end_with_their_holder) {
  { const auto first = take("main", "/run/a-longer-path.sock"); }
  EXPECT_FALSE(holder("main"));
  const auto second = take("main", "/run/b.sock");
  ASSERT_TRUE(second);
  EXPECT_EQ(holder("main"), "/run/b.sock");
}

TEST_F(Locks, of_a_detach_say_so) {
  const auto detaching = take("main", "");
  EXPECT_THAT(take("main").error().what, HasSubstr("is being detached"));
  EXPECT_EQ(holder("main"), "");
}

TEST_F(Locks, that_nobody_ever_took_have_no_holder) { EXPECT_FALSE(holder("main")); }

}  // namespace
}  // namespace astil::app
