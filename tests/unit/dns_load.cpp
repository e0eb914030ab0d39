// Weights by load: what sites get, and that shares come to rest in a world that answers late: resolvers keep what they
// were told, and connections outlive it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "control/dns/load_weights.hpp"

namespace astil::dns::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Time = LoadWeights::Time;

constexpr Time kBegin{};

LoadedSite site(const std::string& name, double connections, double capacity, unsigned weight = 1) {
  return {.name = name, .weight = weight, .load = SiteLoad{.connections = connections, .capacity = capacity}};
}

std::vector<double> shares(const std::vector<std::uint32_t>& weights) {
  double sum = 0;
  for (const std::uint32_t weight : weights) sum += weight;
  std::vector<double> all;
  for (const std::uint32_t weight : weights) all.push_back(weight / sum);
  return all;
}

TEST(Load, a_site_that_is_twice_as_full_gets_half_as_much) {
  LoadWeights weights;
  const auto told = weights.update({site("a", 300, 1000), site("b", 600, 1000)}, kBegin);
  EXPECT_EQ(told, (std::vector<std::uint32_t>{kMostWeight, kMostWeight / 2}));
}

TEST(Load, capacity_and_weight_count) {
  LoadWeights weights;
  EXPECT_EQ(weights.update({site("a", 300, 1000), site("b", 900, 3000), site("c", 600, 2000, 3)}, kBegin),
            (std::vector<std::uint32_t>{kMostWeight / 6 + 1, kMostWeight / 2, kMostWeight}));
}

TEST(Load, sites_that_are_nearly_empty_are_alike) {
  LoadWeights weights;
  EXPECT_EQ(weights.update({site("a", 1, 1000), site("b", 90, 1000)}, kBegin),
            (std::vector<std::uint32_t>{kMostWeight, kMostWeight}));
}

TEST(Load, of_what_is_not_known_the_average_of_the_others_is_assumed) {
  LoadWeights weights;
  const std::vector<LoadedSite> all{site("a", 500, 1000), site("b", 250, 1000), {.name = "c", .weight = 1, .load = {}}};
  const auto part = shares(weights.update(all, kBegin));
  EXPECT_NEAR(part[2], 1.0 / 3, 0.001);
  LoadWeights blind;
  EXPECT_EQ(blind.update({{.name = "a", .weight = 1, .load = {}}, {.name = "b", .weight = 4, .load = {}}}, kBegin),
            (std::vector<std::uint32_t>{kMostWeight / 4, kMostWeight}));
}

TEST(Load, a_site_without_capacity_gets_nothing) {
  LoadWeights weights;
  EXPECT_EQ(weights.update({site("a", 500, 1000), site("b", 0, 0)}, kBegin)[1], 0U);
  EXPECT_EQ(fullness(SiteLoad{.connections = 5, .capacity = 0}), std::nullopt);
}

TEST(Load, less_comes_soon_and_more_slowly) {
  LoadWeights weights;
  Time now = kBegin;
  (void)weights.update({site("a", 200, 1000), site("b", 200, 1000)}, now);
  for (int i = 0; i < 10; ++i) {
    now += milliseconds(500);
    (void)weights.update({site("a", 800, 1000), site("b", 200, 1000)}, now);
  }
  const auto after_5_s = weights.update({site("a", 800, 1000), site("b", 200, 1000)}, now);
  EXPECT_LT(after_5_s[0], 0.6 * kMostWeight) << "two thirds of the way";
  for (int i = 0; i < 10; ++i) {
    now += milliseconds(500);
    (void)weights.update({site("a", 200, 1000), site("b", 200, 1000)}, now);
  }
  EXPECT_LT(weights.update({site("a", 200, 1000), site("b", 200, 1000)}, now)[0], 0.7 * kMostWeight);
}

TEST(Load, small_changes_make_none) {
  LoadWeights weights;
  Time now = kBegin;
  const auto first = weights.update({site("a", 500, 1000), site("b", 500, 1000)}, now);
  for (int i = 0; i < 100; ++i) {
    now += milliseconds(500);
    const double noise = i % 2 == 0 ? 15 : -15;
    EXPECT_EQ(weights.update({site("a", 500 + noise, 1000), site("b", 500 - noise, 1000)}, now), first);
  }
}

/// Clients in a world where resolvers keep answers for `ttl` and connections last: what sites have follows late.
struct World {
  double ttl;       ///< seconds, for which resolvers answer as they were told
  double lasting;   ///< seconds that a connection lasts on average
  double arriving;  ///< connections a second
  std::vector<double> capacity;
  std::vector<double> own;  ///< connections that have nothing to do with names
  std::vector<double> connections = std::vector<double>(capacity.size(), 0);
  LoadWeights weights{};
  std::vector<std::vector<double>> told{};  ///< shares, each half second

  void step(int i) {
    constexpr double kStep = 0.5;
    std::vector<LoadedSite> sites;
    // What is reported is that of the last report.
    if (i % 10 == 0) reported = connections;
    for (std::size_t s = 0; s < capacity.size(); ++s)
      sites.push_back(site("s" + std::to_string(s), reported[s] + own[s], capacity[s]));
    told.push_back(shares(weights.update(sites, kBegin + i * milliseconds(500))));
    // Resolvers have asked at any time within the last TTL.
    const auto back = static_cast<int>(ttl / kStep);
    for (std::size_t s = 0; s < capacity.size(); ++s) {
      double share = 0;
      for (int k = 0; k < back; ++k) share += told[static_cast<std::size_t>(std::max(0, i - k))][s] / back;
      connections[s] += arriving * share * kStep - connections[s] * kStep / lasting;
    }
  }
  std::vector<double> reported = std::vector<double>(capacity.size(), 0);
};

/// Between the least and the most of a share from then on.
double swing(const World& world, std::size_t site, std::size_t from) {
  double least = 1;
  double most = 0;
  for (std::size_t i = from; i < world.told.size(); ++i) {
    least = std::min(least, world.told[i][site]);
    most = std::max(most, world.told[i][site]);
  }
  return most - least;
}

TEST(Load, a_busy_site_s_share_falls_and_comes_to_rest_however_late_the_world_follows) {
  for (const double ttl : {1.0, 5.0, 30.0, 60.0}) {
    for (const double lasting : {1.0, 20.0, 300.0}) {
      // Fills a half of the capacity of both.
      World world{.ttl = ttl, .lasting = lasting, .arriving = 1000 / lasting, .capacity = {1000, 1000}, .own = {0, 0}};
      constexpr int kMinute = 120;
      int i = 0;
      for (; i < 30 * kMinute; ++i) world.step(i);
      ASSERT_NEAR(world.told.back()[0], 0.5, 0.03) << "ttl " << ttl << ", lasting " << lasting;
      world.own[0] = 600;
      const int busy = i;
      for (; i < busy + 15 * kMinute; ++i) world.step(i);
      const double after_two_reports = world.told[static_cast<std::size_t>(busy) + 20][0];
      EXPECT_LT(after_two_reports, 0.42) << "ttl " << ttl << ", lasting " << lasting;
      // The last ten minutes of fifteen.
      EXPECT_LT(swing(world, 0, static_cast<std::size_t>(busy) + 5 * kMinute), 0.06)
          << "ttl " << ttl << ", lasting " << lasting;
    }
  }
}

}  // namespace
}  // namespace astil::dns::testing
