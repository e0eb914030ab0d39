// What was put right is counted and told each time; what can not be, once.
#include "control/app/repairs.hpp"

#include <gtest/gtest.h>

namespace astil::app {
namespace {

using dataplane::Repair;
using dataplane::Repaired;

class RepairsCase : public testing::Test {
 protected:
  [[nodiscard]] api::RepairView counted(const std::string& kind) const {
    for (const api::RepairView& view : repairs_.view()) {
      if (view.what == kind) return view;
    }
    return {.what = "missing", .done = 99, .failed = 99};
  }

  std::vector<std::string> told_;
  Repairs repairs_{
      {.repaired = [this](const std::string& kind, const std::string& what) { told_.push_back(kind + " " + what); },
       .failed = [this](const std::string& kind, const std::string& what,
                        const std::string& why) { told_.push_back(kind + " " + what + " FAILED " + why); }}};
};

TEST_F(RepairsCase, each_repair_is_counted_and_told) {
  const Repair repair{.kind = Repaired::table, .what = "rings", .failure = {}};
  repairs_.see({repair});
  repairs_.see({repair});
  repairs_.repaired("address", "192.0.2.1");
  EXPECT_EQ(told_, (std::vector<std::string>{"table rings", "table rings", "address 192.0.2.1"}));
  EXPECT_EQ(counted("table").done, 2U);
  EXPECT_EQ(counted("address").done, 1U);
  EXPECT_EQ(counted("pin").done, 0U);
  EXPECT_TRUE(repairs_.failing().empty());
}

TEST_F(RepairsCase, what_fails_again_and_again_is_told_when_it_begins) {
  const Repair failure{.kind = Repaired::attachment, .what = "eth0", .failure = "busy"};
  repairs_.see({failure});
  repairs_.see({failure});
  EXPECT_EQ(told_, std::vector<std::string>{"attachment eth0 FAILED busy"});
  EXPECT_EQ(counted("attachment").failed, 2U);
  EXPECT_EQ(repairs_.failing(), std::set<std::string>{"eth0: busy"});
  repairs_.see({});
  EXPECT_TRUE(repairs_.failing().empty());
  repairs_.see({failure});
  EXPECT_EQ(told_.size(), 2U);
}

}  // namespace
}  // namespace astil::app
