#include "control/dns/load_weights.hpp"

#include <algorithm>
#include <cmath>

namespace astil::dns {
namespace {

/// For each unit of the configured weight.
std::optional<double> goodness(const std::optional<SiteLoad>& load) {
  if (!load) return std::nullopt;
  if (load->capacity <= 0) return 0;
  return load->capacity / std::max(LoadWeights::kLeastFull, load->connections / load->capacity);
}

/// What each site should have, the most of them 1.
std::vector<double> targets(const std::vector<LoadedSite>& sites) {
  double sum = 0;
  double count = 0;
  for (const LoadedSite& site : sites) {
    const auto good = goodness(site.load);
    sum += good.value_or(0);
    count += good ? 1 : 0;
  }
  const double average = sum > 0 ? sum / count : 1;
  std::vector<double> parts;
  for (const LoadedSite& site : sites) parts.push_back(site.weight * goodness(site.load).value_or(average));
  const double most = parts.empty() ? 0 : *std::max_element(parts.begin(), parts.end());
  for (double& part : parts) part = most > 0 ? part / most : 1;
  return parts;
}

}  // namespace

std::optional<double> fullness(const std::optional<SiteLoad>& load) {
  if (!load || load->capacity <= 0) return std::nullopt;
  return load->connections / load->capacity;
}

void LoadWeights::smooth(const std::vector<LoadedSite>& sites, double seconds) {
  const std::vector<double> wanted = targets(sites);
  std::map<std::string, Known> next;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    Known& known = next[sites[i].name];
    const auto before = known_.find(sites[i].name);
    if (before == known_.end()) {
      known.smooth = wanted[i];
      continue;
    }
    known = before->second;
    const std::chrono::duration<double> time = wanted[i] < known.smooth ? kToLess : kToMore;
    known.smooth += (wanted[i] - known.smooth) * (1 - std::exp(-seconds / time.count()));
  }
  known_ = std::move(next);
}

std::vector<std::uint32_t> LoadWeights::update(const std::vector<LoadedSite>& sites, Time now) {
  smooth(sites, std::chrono::duration<double>(now - updated_).count());
  updated_ = now;
  double most = 0;
  for (const auto& [name, known] : known_) most = std::max(most, known.smooth);
  const auto part = [most](const Known& known) { return most > 0 ? known.smooth / most : 1; };
  const bool is_step = std::any_of(known_.begin(), known_.end(), [&](const auto& each) {
    const double now_due = part(each.second);
    return !each.second.told || std::abs(now_due - *each.second.told) > kStep * std::max(now_due, *each.second.told);
  });
  std::vector<std::uint32_t> weights;
  for (const LoadedSite& site : sites) {
    Known& known = known_[site.name];
    if (is_step) known.told = part(known);
    weights.push_back(static_cast<std::uint32_t>(std::lround(*known.told * kMostWeight)));
  }
  return weights;
}

}  // namespace astil::dns
