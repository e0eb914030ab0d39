// Prefixes as ranges: every address meets the longest prefix that holds it.
#include "dataplane/source_list.hpp"

#include <gtest/gtest.h>

#include <random>

#include "dataplane/core/hash.hpp"
#include "dataplane/core/sources.hpp"
#include "tests/packets/packet.hpp"

namespace astil::dataplane {
namespace {

using core::Address;
using core::SourceRange;
using test::address;

/// Enough of an engine for the search.
struct Ranges {
  const std::vector<SourceRange>& list;

  [[nodiscard]] const SourceRange* source_range(std::uint32_t i) const { return i < list.size() ? &list[i] : nullptr; }
};

std::uint32_t rule_of(const std::vector<SourceRange>& ranges, const Address& client) {
  Ranges engine{ranges};
  return core::detail::find_source_rule(engine, 0, static_cast<std::uint32_t>(ranges.size()), client);
}

/// The same by looking at all prefixes.
std::uint32_t longest(const std::vector<SourcePrefix>& prefixes, const Address& client) {
  bool allows = false;
  const SourcePrefix* found = nullptr;
  for (const SourcePrefix& prefix : prefixes) {
    allows = allows || prefix.verdict == SourceVerdict::allow;
    const bool holds = core::first_bits(client, prefix.length) == core::first_bits(prefix.network, prefix.length);
    if (holds && (found == nullptr || prefix.length > found->length)) found = &prefix;
  }
  if (found == nullptr) return allows ? core::kDenied : 0;
  return (found->length + 1U) | (found->verdict == SourceVerdict::deny ? core::kDenied : 0);
}

Address random_address(std::mt19937& random, std::uint32_t range) {
  Address made = address("2001:db8::");
  for (core::Be32& word : made.words)
    word = core::Be32{raw(word) ^ raw(core::be32(static_cast<std::uint32_t>(random() % range)))};
  return made;
}

TEST(SourceList, of_nothing_is_empty) { EXPECT_TRUE(ranges_of({}).empty()); }

TEST(SourceList, has_an_end_at_both_ends_of_all_addresses) {
  const auto ranges = ranges_of({{address("::"), 1, SourceVerdict::allow}, {address("8000::"), 1}});
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_EQ(rule_of(ranges, address("7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")), 2U);
  EXPECT_EQ(rule_of(ranges, address("8000::")), 2U | core::kDenied);
  EXPECT_EQ(rule_of(ranges, address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")), 2U | core::kDenied);
  EXPECT_EQ(ranges_of({{address("::"), 0}}).size(), 1U);
}

TEST(SourceList, says_of_each_address_what_the_longest_prefix_says) {
  std::mt19937 random(7);
  for (int times = 0; times < 300; ++times) {
    const std::uint32_t range = 1U << (1 + random() % 6);
    std::vector<SourcePrefix> prefixes;
    for (std::size_t i = random() % 12; i > 0; --i) {
      const SourcePrefix prefix{random_address(random, range), static_cast<std::uint8_t>(random() % 129),
                                random() % 2 == 0 ? SourceVerdict::allow : SourceVerdict::deny};
      const bool is_new = std::none_of(prefixes.begin(), prefixes.end(), [&](const SourcePrefix& other) {
        return other.length == prefix.length &&
               core::first_bits(other.network, other.length) == core::first_bits(prefix.network, prefix.length);
      });
      if (is_new) prefixes.push_back(prefix);
    }
    const auto ranges = ranges_of(prefixes);
    EXPECT_LE(ranges.size(), ranges_for(prefixes.size(), 1));
    for (int i = 0; i < 100; ++i) {
      const Address client = random_address(random, range + 1);
      ASSERT_EQ(rule_of(ranges, client), prefixes.empty() ? 0 : longest(prefixes, client));
    }
  }
}

TEST(SourceList, of_ten_thousand_is_searched_to_the_last) {
  std::vector<SourcePrefix> prefixes;
  for (std::uint32_t i = 0; i < 10'000; ++i)
    prefixes.push_back({core::mapped(core::be32((i * 2) << 8U)), 96 + 24, SourceVerdict::deny});
  const auto ranges = ranges_of(prefixes);
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    const std::uint32_t rule = rule_of(ranges, core::mapped(core::be32((i << 8U) + i % 256)));
    ASSERT_EQ((rule & core::kDenied) != 0, i % 2 == 0) << i;
  }
}

TEST(SourceList, does_not_depend_on_the_order_of_its_prefixes) {
  std::vector<SourcePrefix> prefixes{{address("10.0.0.0"), 104, SourceVerdict::deny},
                                     {address("10.1.0.0"), 112, SourceVerdict::allow},
                                     {address("10.1.2.0"), 120, SourceVerdict::deny}};
  SourceControl one{.ranges = ranges_of(prefixes)};
  std::reverse(prefixes.begin(), prefixes.end());
  EXPECT_EQ(one, SourceControl{.ranges = ranges_of(prefixes)});
}

}  // namespace
}  // namespace astil::dataplane
