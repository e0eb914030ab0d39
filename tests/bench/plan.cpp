// The bench of the planner at the configuration's limits: 65,536 services of 15 backends. The daemon plans on its only
// loop, at every change of a backend's health; so a plan that changes nothing must cost little more than the copy of
// the state that it makes, which is the baseline of each ratio.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "control/balance/planner.hpp"
#include "dataplane/core/headers.hpp"

namespace {

using namespace astil;

constexpr std::uint32_t kServices = 65536;
constexpr std::uint32_t kBackends = 15;
constexpr int kRounds = 3;

std::vector<balance::ServiceInput> inputs() {
  std::vector<balance::ServiceInput> services(kServices);
  for (std::uint32_t s = 0; s < kServices; ++s) {
    balance::ServiceInput& service = services[s];
    service.name = "s" + std::to_string(s);
    service.key = {.address = {{core::be32(0xc0000000U + s)}}, .port = 80, .protocol = core::kProtocolTcp};
    service.scheduler = core::Scheduler::round_robin;
    service.slots_per_weight = 10;
    for (std::uint32_t b = 0; b < kBackends; ++b) {
      service.backends.push_back({.address = {{core::be32(0x0a000000U + s * kBackends + b)}},
                                  .port = 80,
                                  .weight = 1 + b % 3,
                                  .availability = balance::Availability::up,
                                  .hop = {.destination_mac = 1, .source_mac = 2, .interface = 2, .source = {}}});
    }
  }
  return services;
}

/// The best of some rounds, in seconds.
template <class Work>
double seconds(Work work) {
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

}  // namespace

int main() {
  auto services = inputs();
  balance::Planner planner{dataplane::DesiredState{}};
  const balance::Plan first = planner.plan({}, services, {});
  planner.commit(first);
  std::size_t sink = 0;
  const double copy = seconds([&] { sink += dataplane::DesiredState(first.state).services.size(); });
  std::printf("%-42s %8.3f s  ratio 1\n", "a copy of the state", copy);
  const auto show = [&](const char* what, std::size_t changed) {
    std::size_t rings = 0;
    const double took = seconds([&] { rings = planner.plan({}, services, {}).rings.size(); });
    std::printf("%-42s %8.3f s  ratio %.1f\n", what, took, took / copy);
    if (rings == changed) return true;
    std::printf("%zu rings changed, not %zu: the figure is of something else\n", rings, changed);
    return false;
  };
  bool right = show("a plan of what is already so", 0);
  services[kServices / 2].backends[0].availability = balance::Availability::down;
  right = show("a plan with one backend down", 1) && right;
  return right && sink != 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
