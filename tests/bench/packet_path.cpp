// The bench of the packet path in the kernel: nanoseconds per packet by BPF test run, as ratios to a program that swaps
// MAC addresses and returns XDP_TX, measured in the same run, case by case in turn.
//
// What a figure is: the time of a run that restores the packet and takes it through the path, minus the time of one
// that only restores it and drops, plus the time of one that only drops: so it stands beside "MAC swap" as if the
// packet had come fresh. Where the path makes the packet longer, half the cost of growing and shrinking it counts as
// restoring. Every case asserts from the program's own counters that each packet took the way the case is named for.
// "One flow line" reads a random line of the same table and waits for it: the least that a packet of one of many flows
// can cost. "Nothing checked" parses the headers, finds the flow and its backend and encapsulates, without a look at
// whether the packet is for a service and for this station, whose the flow is, as it stands, and whether the backend
// may have it so: the least that a known flow can cost.
#include <getopt.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <numeric>
#include <vector>

#include "tests/bench/packet_bench.hpp"

namespace {

using namespace astil;
using bench::fail;
using bench::Frames;
using bench::PacketBench;
using bench::Sender;
using bench::Served;
using core::Forwarding;
using core::kTcpAck;
using core::kTcpSyn;
using core::Reason;
using core::Scheduler;
using core::Wrap;

constexpr std::uint32_t kFlows = 1U << 20U;
constexpr std::uint32_t kSlots = 2 * kFlows;
constexpr std::uint32_t kFewSlots = 1U << 16U;
constexpr std::uint32_t kRepeat = 1'000'000;

constexpr Served kIpip{.number = 0};
constexpr Served kGue{.number = 1, .wrap = Wrap::gue4};
constexpr Served kWide{.number = 2, .wrap = Wrap::ipip6, .wide = true};
constexpr Served kUdp{.number = 3, .protocol = core::kProtocolUdp};
constexpr Served kNat{.number = 4, .forwarding = Forwarding::nat};
constexpr Served kNatOfOne{.number = 5, .forwarding = Forwarding::nat, .backends = 1};
constexpr Served kDirect{.number = 6, .forwarding = Forwarding::direct};
constexpr Served kLeast10{.number = 7, .scheduler = Scheduler::least_connections, .backends = 10};
constexpr Served kLeast32{.number = 8, .scheduler = Scheduler::least_connections, .backends = core::kExactMembers};
constexpr Served kLeast100{.number = 9, .scheduler = Scheduler::least_connections};
constexpr Served kTwo{.number = 10, .scheduler = Scheduler::two_choices};
constexpr Served kSource{.number = 11, .scheduler = Scheduler::source_hash};
constexpr Served kAffine{.number = 12, .affinity = dataplane::Affinity{}};
constexpr Served kFullNat{.number = 13, .forwarding = Forwarding::full_nat};
constexpr Served kFullNatServices[] = {kFullNat};
constexpr Served kServices[] = {kIpip,    kGue,     kWide,     kUdp, kNat,    kNatOfOne, kDirect,
                                kLeast10, kLeast32, kLeast100, kTwo, kSource, kAffine};

struct Figure {
  std::string name;
  double ns_min = 0;
  double ns_median = 0;
  double ratio = 0;
};

/// One case: what is made ready before each of its runs, and which counter must have moved by each packet.
struct Case {
  std::string name;
  std::function<void(PacketBench&)> prepare;
  std::uint32_t repeat;
  Reason reason;
  bool opens = false;  ///< every packet places a new flow
  bool grows = false;  ///< the path makes the packet longer
  Sender sender = Sender::client4;
  std::string program = "bench_path_";  ///< but for the sender
};

core::Counter at_backends(const PacketBench& bench) {
  constexpr std::uint32_t kNumbers = 4096;  // more than all services use together
  core::Counter sum{};
  for (std::uint32_t number = 0; number < kNumbers; ++number) {
    const core::Counter counter = bench.tables().sum_counter(number);
    sum.packets += counter.packets;
    sum.connections += counter.connections;
  }
  return sum;
}

/// Packets that went this way so far. What is sent is counted with its backend.
std::uint64_t taken(const PacketBench& bench, Reason reason) {
  return reason == Reason::forwarded || reason == Reason::replied ? at_backends(bench).packets
                                                                  : bench.tables().sum_reason(reason);
}

double run_case(PacketBench& bench, const Case& which) {
  which.prepare(bench);
  const std::uint64_t before = taken(bench, which.reason);
  const std::uint64_t opened = at_backends(bench).connections;
  const double ns = bench.time(which.program + bench::suffix_of(which.sender), which.repeat);
  const std::uint64_t took = taken(bench, which.reason) - before;
  if (took != which.repeat) {
    fail(which.name + ": " + std::to_string(took) + " of " + std::to_string(which.repeat) + " packets took the way");
  }
  if (which.opens && at_backends(bench).connections - opened != which.repeat)
    fail(which.name + ": not every packet placed a new flow");
  if (!which.opens && at_backends(bench).connections != opened) fail(which.name + ": a flow was placed anew");
  return ns;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Opens flows of a service, in a table that is empty at first.
void fill_flows(PacketBench& bench, const Served& served, std::uint32_t count) {
  bench.clear_flows();
  bench.limit(0);
  const Sender sender = served.wide ? Sender::client6 : Sender::client4;
  bench.aim(served, {.sender = sender, .tcp_flags = kTcpSyn, .count = count});
  (void)bench.time("bench_path_" + bench::suffix_of(sender), count);
}

/// The rest of the handshake, of flows that were opened under nat with their only backend.
void establish_flows(PacketBench& bench, const Served& served, std::uint32_t count) {
  bench.aim(served, {.sender = Sender::backend4, .tcp_flags = kTcpSyn | kTcpAck, .count = count});
  (void)bench.time("bench_path_" + bench::suffix_of(Sender::backend4), count);
  bench.aim(served, {.count = count});
  (void)bench.time("bench_path_" + bench::suffix_of(Sender::client4), count);
}

/// Packets of flows that the table knows, from their clients or, under nat, from their only backend.
Case known(const std::string& name, const Served& served, std::uint32_t flows, Sender sender = Sender::client4) {
  const auto prepare = [served, flows, sender](PacketBench& b) {
    fill_flows(b, served, flows);
    if (sender == Sender::backend4) establish_flows(b, served, flows);
    b.aim(served, {.sender = sender, .count = flows});
  };
  const std::string count = flows == 1 ? "1 flow" : flows == kFlows ? "1 M flows" : "64 K flows";
  return {.name = name + ", " + count,
          .prepare = prepare,
          .repeat = flows == kFlows ? kFlows : kRepeat,
          .reason = sender == Sender::backend4 ? Reason::replied : Reason::forwarded,
          .grows = served.forwarding == Forwarding::tunnel,
          .sender = sender};
}

/// Every packet opens a flow of a service, in a table that is empty at first.
Case opening(std::string name, const Served& served, std::uint32_t limit = 0) {
  const auto prepare = [served, limit](PacketBench& b) {
    b.clear_flows();
    b.limit(limit);
    b.aim(served, {.tcp_flags = kTcpSyn, .count = kFlows});
  };
  return {.name = std::move(name),
          .prepare = prepare,
          .repeat = kFlows,
          .reason = Reason::forwarded,
          .opens = true,
          .grows = true};
}

/// The same without looking at anything that need not be for finding the flow and its backend, and encapsulating.
Case least_of_known(std::uint32_t flows) {
  Case which = known("known flow, nothing checked", kIpip, flows);
  which.program = "bench_least_";
  return which;
}

Case opening_beside_others() {
  const auto prepare = [](PacketBench& b) {
    fill_flows(b, kIpip, kFlows);
    b.aim(kIpip, {.tcp_flags = kTcpSyn, .first = kFlows, .count = kFlows});
  };
  Case which = opening("SYN, new flow beside 1 M flows", kIpip);
  which.prepare = prepare;
  which.repeat = kFlows / 2;
  return which;
}

/// The figures of a case are over tables of these sizes.
struct Group {
  std::span<const Served> services;  ///< where full NAT is used, every packet may be of it
  std::uint32_t slots;
  std::vector<Case> cases;
};

std::vector<Group> groups() {
  return {{kServices,
           kSlots,
           {least_of_known(1),
            least_of_known(kFlows),
            known("known flow", kIpip, 1),
            known("known flow", kIpip, 65536),
            known("known flow", kIpip, kFlows),
            known("UDP, known flow", kUdp, 1),
            known("UDP, known flow", kUdp, kFlows),
            known("v6, known flow", kWide, 1, Sender::client6),
            known("v6, known flow", kWide, kFlows, Sender::client6),
            known("GUE, known flow", kGue, 1),
            known("GUE, known flow", kGue, kFlows),
            known("direct, known flow", kDirect, 1),
            known("direct, known flow", kDirect, kFlows),
            known("nat, to a backend", kNat, 1),
            known("nat, to a backend", kNat, kFlows),
            known("nat, reply", kNatOfOne, 1, Sender::backend4),
            known("nat, reply", kNatOfOne, 65536, Sender::backend4),
            known("nat, reply", kNatOfOne, kFlows, Sender::backend4),
            opening("SYN, new flow, 1 M flows", kIpip),
            opening_beside_others(),
            opening("SYN, above the limit of new flows", kIpip, 1),
            opening("SYN, least-connections of 10", kLeast10),
            opening("SYN, least-connections of 32", kLeast32),
            opening("SYN, least-connections of 100", kLeast100),
            opening("SYN, two-choices of 100", kTwo),
            opening("SYN, source-hash", kSource),
            opening("SYN, affinity, 16 flows a client", kAffine),
            {.name = "not for a service",
             .prepare = [](PacketBench& b) { b.aim_elsewhere(); },
             .repeat = kRepeat,
             .reason = Reason::no_service},
            {.name = "to another port of a service's address",
             .prepare = [](PacketBench& b) { b.aim(kIpip, {.count = kFlows, .port = bench::kPort + 1}); },
             .repeat = kRepeat,
             .reason = Reason::no_service}}},
          {kFullNatServices,
           kSlots,
           {known("full NAT, to a backend", kFullNat, 1), known("full NAT, to a backend", kFullNat, kFlows)}},
          {kServices, kFewSlots, {opening("SYN above the limit, 64 K slots", kIpip, 1)}}};
}

using Times = std::vector<double>;

double least(const Times& values) { return *std::min_element(values.begin(), values.end()); }

/// The times of the programs without the path, by name.
class Baselines {
 public:
  void measure(PacketBench& bench) {
    bench.aim_elsewhere();
    for (const char* name : {"bench_drop", "bench_mac_swap", "bench_memory"}) take(bench, name);
    for (const Sender sender : {Sender::client4, Sender::backend4, Sender::client6}) {
      bench.aim(sender == Sender::client6 ? kWide : kIpip, {.sender = sender, .count = kFlows});
      take(bench, "bench_restore_" + bench::suffix_of(sender));
      take(bench, "bench_grown_" + bench::suffix_of(sender));
    }
  }
  [[nodiscard]] const Times& of(const std::string& name) const { return times_.at(name); }

  /// What restoring the packet takes in a case, by `statistic` of the times.
  [[nodiscard]] double restoring(const Case& which, const auto& statistic) const {
    const double restored = statistic(of("bench_restore_" + bench::suffix_of(which.sender)));
    const double grown = statistic(of("bench_grown_" + bench::suffix_of(which.sender)));
    return restored - statistic(of("bench_drop")) + (which.grows ? (grown - restored) / 2 : 0);
  }

 private:
  void take(PacketBench& bench, const std::string& name) { times_[name].push_back(bench.time(name, kRepeat)); }

  std::map<std::string, Times> times_;
};

void measure(const Group& group, int rounds, const std::string& only, std::vector<Figure>& figures) {
  PacketBench bench(group.services, group.slots, bench::kLoopback);
  Baselines baselines;
  std::map<std::string, Times> times;
  const auto wanted = [&](const Case& which) { return which.name.find(only) != std::string::npos; };
  for (int round = 0; round < rounds; ++round) {
    baselines.measure(bench);
    for (const Case& which : group.cases) {
      if (wanted(which)) times[which.name].push_back(run_case(bench, which));
    }
  }
  const double swap = least(baselines.of("bench_mac_swap"));
  const auto add = [&](const std::string& name, const Times& of, double without, double without_median) {
    const double ns = least(of) - without;
    figures.push_back({name, ns, median(of) - without_median, ns / swap});
  };
  if (figures.empty()) {
    add("XDP_DROP", baselines.of("bench_drop"), 0, 0);
    add("MAC swap, XDP_TX", baselines.of("bench_mac_swap"), 0, 0);
    add("one flow line, nothing else", baselines.of("bench_memory"), 0, 0);
  }
  for (const Case& which : group.cases) {
    if (!wanted(which)) continue;
    add(which.name, times[which.name], baselines.restoring(which, least), baselines.restoring(which, median));
  }
}

void print(const std::vector<Figure>& figures) {
  std::printf("%-34s %8s %8s %8s\n", "case", "ns min", "median", "ratio");
  for (const Figure& figure : figures) {
    std::printf("%-34s %8.1f %8.1f %8.2f\n", figure.name.c_str(), figure.ns_min, figure.ns_median, figure.ratio);
  }
}

void write_json(const std::string& path, const std::vector<Figure>& figures) {
  std::ofstream file(path);
  file << "[\n";
  for (std::size_t i = 0; i < figures.size(); ++i) {
    const Figure& figure = figures[i];
    file << R"(  {"name": ")" << figure.name << R"(", "ns_min": )" << figure.ns_min << R"(, "ns_median": )"
         << figure.ns_median << R"(, "ratio": )" << figure.ratio << (i + 1 < figures.size() ? "},\n" : "}\n");
  }
  file << "]\n";
  if (!file) fail("can not write " + path);
}

}  // namespace

int main(int count, char** values) {
  std::string json;
  std::string only;
  int rounds = 9;
  constexpr option kOptions[] = {{"json", required_argument, nullptr, 'j'},
                                 {"rounds", required_argument, nullptr, 'r'},
                                 {"only", required_argument, nullptr, 'o'},
                                 {}};
  for (int letter = 0; (letter = ::getopt_long(count, values, "j:r:o:", kOptions, nullptr)) != -1;) {
    if (letter == 'j') {
      json = optarg;
    } else if (letter == 'r') {
      rounds = std::max(1, std::atoi(optarg));
    } else if (letter == 'o') {
      only = optarg;
    } else {
      std::cerr << "usage: packet_path [--json FILE] [--rounds N] [--only PART-OF-A-NAME]\n";
      return 2;
    }
  }
  bench::enter_network();
  std::vector<Figure> figures;
  for (const Group& group : groups()) measure(group, rounds, only, figures);
  print(figures);
  if (!json.empty()) write_json(json, figures);
  return 0;
}
