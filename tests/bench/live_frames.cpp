// The packet path over a link: frames a second that come back from a veth whose program takes them through the path, as
// a ratio to one that swaps MAC addresses and returns XDP_TX, in turn in the same run. The generator (a live test run),
// the link and the counting are the same, and all of it happens on one CPU, so the ratio is that of whole journeys. The
// flow is one, and known.
#include <net/if.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/packet_bench.hpp"

namespace {

using namespace astil;
using bench::PacketBench;
using bench::Served;

constexpr std::uint32_t kFrames = 1'000'000;
/// A run ends with a tick of the kernel, 4 ms or so, which is 4 ns a frame: so a figure is the mean of many, of the
/// half of them that took least.
constexpr int kRounds = 30;
constexpr Served kServices[] = {{.number = 0, .forwarding = core::Forwarding::direct},
                                {.number = 1},
                                {.number = 2, .forwarding = core::Forwarding::nat}};

void stay_on_one_processor() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(::sched_getcpu(), &one);
  if (::sched_setaffinity(0, sizeof(one), &one) != 0) bench::fail("stay on one processor");
}

/// Nanoseconds for each frame that came back; none, where not nearly all did.
std::optional<double> time(PacketBench& bench, const Served& served, const std::string& near) {
  bench.aim(served, {});
  const auto begin = std::chrono::steady_clock::now();
  bench.send(::if_nametoindex(near.c_str()), kFrames);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  const std::uint64_t back = bench.received();
  if (back < kFrames / 10 * 9) return {};
  return took.count() / static_cast<double>(back);
}

double mean_of_lower_half(std::vector<double> times) {
  constexpr std::size_t kLeast = kRounds / 2;
  if (times.size() < kLeast) bench::fail("of most runs a tenth of the frames did not come back");
  std::sort(times.begin(), times.end());
  return std::accumulate(times.begin(), times.begin() + kLeast, 0.0) / kLeast;
}

}  // namespace

int main() {
  bench::enter_network();
  stay_on_one_processor();
  const std::uint32_t far = ::if_nametoindex("far1");
  PacketBench bench(kServices, 1U << 21U, far);
  bench.attach("bench_receive", ::if_nametoindex("near0"));
  bench.attach("bench_mac_swap", ::if_nametoindex("far0"));
  bench.attach("bench_receive", ::if_nametoindex("near1"));
  bench.attach("bench_path", far);
  std::vector<double> swaps;
  std::vector<std::vector<double>> times(std::size(kServices));
  const auto add = [](std::vector<double>& to, std::optional<double> ns) {
    if (ns) to.push_back(*ns);
  };
  for (int round = 0; round < kRounds; ++round) {
    add(swaps, time(bench, kServices[0], "near0"));
    for (const Served& served : kServices) add(times[served.number], time(bench, served, "near1"));
  }
  const double swap = mean_of_lower_half(swaps);
  const auto print = [swap](const char* name, double ns) {
    std::printf("%-20s %10.1f %12.0f %8.2f\n", name, ns, 1e9 / ns, swap / ns);
  };
  std::printf("%-20s %10s %12s %8s\n", "case", "ns", "frames/s", "ratio");
  print("MAC swap, XDP_TX", swap);
  for (const Served& served : kServices) {
    const char* const names[] = {"direct", "tunnel", "nat"};
    print(names[served.number], mean_of_lower_half(times[served.number]));
  }
  return 0;
}
