// The flow hash spreads: over lines, over the second line given the first, over rings, whatever clients look like.
#include "dataplane/core/hash.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>
#include <vector>

namespace astil::core {
namespace {

constexpr u64 kKey[kHashKeys] = {0x243f6a8885a308d3ULL, 0x13198a2e03707344ULL, 0xa4093822299f31d0ULL,
                                 0x082efa98ec4e6c89ULL, 0x452821e638d01377ULL, 0xbe5466cf34e90c6cULL,
                                 0xc0ac29b7c97c50ddULL, 0x3f84d5b5b5470917ULL};
constexpr u32 kBins = 1024;
constexpr u32 kFlows = 1U << 18U;

/// How far counts are from even, in standard deviations of chi-square (about normal with so many bins).
double unevenness(const std::vector<u32>& counts) {
  const double expected = double{kFlows} / static_cast<double>(counts.size());
  double chi_square = 0;
  for (const u32 count : counts) chi_square += (count - expected) * (count - expected) / expected;
  const double freedom = static_cast<double>(counts.size()) - 1;
  return (chi_square - freedom) / std::sqrt(2 * freedom);
}

/// Ways in which many clients differ from each other.
FlowTuple one_client_many_ports(u32 i) {
  return {mapped(be32(0xc0000200U + (i >> 16U))), mapped(be32(0xc6336401U)), be16(static_cast<u16>(i)), be16(80), 6};
}
FlowTuple many_clients_one_port(u32 i) {
  return {mapped(be32(0x0a000000U + i)), mapped(be32(0xc6336401U)), be16(40000), be16(80), 6};
}
FlowTuple many_services(u32 i) {
  return {mapped(be32(0x0a000001U)), mapped(be32(0xc6330000U + (i >> 8U))), be16(40000),
          be16(static_cast<u16>(i & 0xffU)), 6};
}
/// Word `kWord` of the client's address counts.
template <u32 kWord>
FlowTuple many_clients_of_ipv6(u32 i) {
  FlowTuple flow{{{be32(0x20010db8U), be32(1), be32(2), be32(3)}},
                 {{be32(0x20010db8U), be32(0xffffU), be32(0), be32(0x50)}},
                 be16(40000),
                 be16(80),
                 6};
  flow.client.words[kWord] = be32(i);
  return flow;
}
FlowTuple many_services_of_ipv6(u32 i) {
  FlowTuple flow = many_clients_of_ipv6<3>(7);
  flow.address.words[i % 4] = be32(0x10000U + i / 4);
  return flow;
}

class Spread : public testing::TestWithParam<FlowTuple (*)(u32)> {};
INSTANTIATE_TEST_SUITE_P(of, Spread,
                         testing::Values(one_client_many_ports, many_clients_one_port, many_services,
                                         many_clients_of_ipv6<0>, many_clients_of_ipv6<1>, many_clients_of_ipv6<2>,
                                         many_clients_of_ipv6<3>, many_services_of_ipv6));

TEST_P(Spread, is_even_over_first_and_second_lines) {
  std::vector<u32> first(kBins, 0);
  std::vector<u32> second(kBins, 0);
  for (u32 i = 0; i < kFlows; ++i) {
    const FlowHash hash = flow_hash(GetParam()(i), kKey, kBins - 1);
    ++first[hash.line];
    ++second[hash.other_line];
    ASSERT_NE(hash.line, hash.other_line);
    ASSERT_NE(hash.tag, 0U);
  }
  EXPECT_LT(std::abs(unevenness(first)), 6);
  EXPECT_LT(std::abs(unevenness(second)), 6);
}

TEST_P(Spread, of_second_lines_is_even_among_flows_of_one_first_line) {
  std::vector<u32> second(32, 0);
  u32 flows = 0;
  for (u32 i = 0; i < kFlows; ++i) {
    const FlowHash hash = flow_hash(GetParam()(i), kKey, 31);
    if (hash.line != 5) continue;
    ++second[hash.other_line];
    ++flows;
  }
  EXPECT_EQ(second[5], 0U);
  // The step between the two is odd: half of the lines can be the other one.
  for (u32 line = 0; line < 32; line += 2) EXPECT_NEAR(second[line], flows / 16.0, 6 * std::sqrt(flows / 16.0)) << line;
}

TEST_P(Spread, is_even_over_a_ring_and_independent_of_lines) {
  constexpr u32 kLength = 1000;
  std::vector<u32> slots(kLength, 0);
  std::vector<u32> line_by_slot(16U * 16U, 0);
  for (u32 i = 0; i < kFlows; ++i) {
    const FlowHash hash = flow_hash(GetParam()(i), kKey, 15);
    ++slots[ring_slot(hash.ring, kLength)];
    ++line_by_slot[hash.line * 16 + ring_slot(hash.ring, 16)];
  }
  EXPECT_LT(std::abs(unevenness(slots)), 6);
  EXPECT_LT(std::abs(unevenness(line_by_slot)), 6);
}

TEST_P(Spread, gives_different_flows_different_tags) {
  std::set<u32> tags;
  for (u32 i = 0; i < kFlows; ++i) tags.insert(flow_hash(GetParam()(i), kKey, 15).tag);
  EXPECT_GT(tags.size(), kFlows - 64) << "by chance alone 16 tags are met twice";
}

TEST(FlowHash, depends_on_the_secret) {
  constexpr u64 kOther[kHashKeys] = {1, 2, 3, 4, 5, 6, 7, 8};
  u32 same_lines = 0;
  for (u32 i = 0; i < 10000; ++i) {
    const FlowTuple flow = many_clients_one_port(i);
    same_lines += flow_hash(flow, kKey, kBins - 1).line == flow_hash(flow, kOther, kBins - 1).line ? 1 : 0;
  }
  EXPECT_LT(same_lines, 40U);
}

TEST(RingSlot, stays_within_the_ring) {
  for (const u32 length : {1U, 2U, 7U, 65537U}) {
    EXPECT_EQ(ring_slot(0, length), 0U);
    EXPECT_EQ(ring_slot(~0U, length), length - 1);
  }
}

}  // namespace
}  // namespace astil::core
