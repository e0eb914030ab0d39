// Weights of a name's sites by how full they are (docs/decisions/0044-sites-by-load.md). Plain values; who calls brings
// the time.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/dns/sites.hpp"

namespace astil::dns {

/// What a site says of itself.
struct SiteLoad {
  double connections = 0;  ///< that it has now
  double capacity = 0;     ///< that it serves well; 0: none at the moment
  bool operator==(const SiteLoad&) const = default;
};

struct LoadedSite {
  std::string name;
  unsigned weight = 1;           ///< as it is configured
  std::optional<SiteLoad> load;  ///< none: nothing is known
};

/// A site's part is its weight times its capacity divided by how full it is. So one that is twice as full as another of
/// its size is answered half as often; that is as much as can be done without shares that swing, since what is answered
/// shows in the load only later. Less comes soon, more comes slowly, and small changes make none.
class LoadWeights {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// A site that is less full is as good as empty.
  static constexpr double kLeastFull = 0.1;
  /// Times in which the difference becomes e times less.
  static constexpr std::chrono::seconds kToLess{5};
  static constexpr std::chrono::seconds kToMore{30};
  /// Changes below this part are none.
  static constexpr double kStep = 0.05;

  /// In the order of `sites`, as SiteState::weight: the greatest part is kMostWeight. What is not known is as
  /// the others are on average; where nothing is, the configured weights are all there is.
  [[nodiscard]] std::vector<std::uint32_t> update(const std::vector<LoadedSite>& sites, Time now);

 private:
  struct Known {
    double smooth = 0;
    std::optional<double> told;  ///< part of the most
  };
  void smooth(const std::vector<LoadedSite>& sites, double seconds);

  std::map<std::string, Known> known_;  ///< by site
  Time updated_{};
};

/// How full; 1: as full as it may be. None where that is not known.
[[nodiscard]] std::optional<double> fullness(const std::optional<SiteLoad>& load);

}  // namespace astil::dns
