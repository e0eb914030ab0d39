// The counts of active flows that least-connections and two-choices go by (core::Load), beside what the flow table
// holds.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "dataplane/census.hpp"

namespace astil::test {

/// Active flows by backend number, counted anew.
inline std::vector<std::uint32_t> recounted(const dataplane::Tables& tables) {
  std::vector<std::uint32_t> counts(tables.sizes.backends);
  for (const core::FlowLine& line : tables.flows()) {
    for (const std::uint64_t entry : line.entries) {
      if (core::backend_of(entry) < counts.size()) counts[core::backend_of(entry)] += core::is_active(entry);
    }
  }
  return counts;
}

inline std::vector<std::uint32_t> counted(const dataplane::Tables& tables) {
  std::vector<std::uint32_t> counts;
  for (const core::Load& load : tables.loads()) counts.push_back(load.opened - load.closed);
  return counts;
}

#define EXPECT_TRUE_LOADS(tables) EXPECT_EQ(::astil::test::counted(tables), ::astil::test::recounted(tables))

}  // namespace astil::test
