// The bench of the packet path in the kernel: nanoseconds per packet by BPF test run, as ratios to a program that swaps
// MAC addresses and returns XDP_TX, measured in the same run, case by case in turn.
//
// What a figure is: the time of a run that restores the packet and takes it through the path, minus the time of one
// that only restores it and drops, plus the time of one that only drops: so it stands beside "MAC swap" as if the
// packet had come fresh. Where the path makes the packet longer, half the cost of growing and shrinking it counts as
// restoring. Every case asserts from the program's own counters that each packet took the way the case is named for.
// "One flow line" reads a random line of the same table and waits for it: the least that a packet of one of many flows
// can cost.
#include <bpf/bpf.h>
#include <getopt.h>
#include <net/if.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <optional>
#include <vector>

#include "control/balance/ring.hpp"
#include "dataplane/census.hpp"
#include "dataplane/core/hash.hpp"
#include "dataplane/core/schedule.hpp"
#include "dataplane/publisher.hpp"
#include "dataplane/xdp/embedded_program.hpp"
#include "dataplane/xdp/kernel_object.hpp"
#include "tests/bench/packet_path_control.hpp"

namespace {

using namespace astil;
using bench::Control;
using core::be16;
using core::be32;
using core::Reason;

constexpr std::uint32_t kFlows = 1U << 20U;
constexpr std::uint32_t kSlots = 2 * kFlows;
constexpr std::uint32_t kBackends = 100;
constexpr std::uint32_t kRingSlots = 65537;
constexpr std::uint32_t kLoopback = 1;  ///< the interface of a test run
constexpr std::uint64_t kOwnMac = 0x010000000002;
constexpr core::Be32 kService = be32(0xc000020a);  // 192.0.2.10
constexpr core::Be32 kOther = be32(0xc0000263);

/// A service of the bench: its address, how it picks among how many backends.
struct Served {
  core::Be32 address;
  core::Scheduler scheduler;
  std::uint32_t backends;
  std::optional<dataplane::Affinity> affinity = std::nullopt;
};
constexpr Served kRing{kService, core::Scheduler::maglev, kBackends};
constexpr Served kLeast10{be32(0xc000020b), core::Scheduler::least_connections, 10};
constexpr Served kLeast32{be32(0xc000020c), core::Scheduler::least_connections, core::kExactMembers};
constexpr Served kLeast100{be32(0xc000020d), core::Scheduler::least_connections, kBackends};
constexpr Served kTwo{be32(0xc000020e), core::Scheduler::two_choices, kBackends};
constexpr Served kSource{be32(0xc000020f), core::Scheduler::source_hash, kBackends};
constexpr Served kAffine{be32(0xc0000210), core::Scheduler::maglev, kBackends, dataplane::Affinity{}};

/// Tables of BPF maps without an attachment, for the publisher.
class BenchDataplane final : public dataplane::Dataplane {
 public:
  explicit BenchDataplane(dataplane::Tables tables) : tables_(tables) {}
  [[nodiscard]] const dataplane::Tables& tables() const override { return tables_; }
  void wait_for_readers() override {}
  [[nodiscard]] std::uint32_t tick() const override { return 0; }
  [[nodiscard]] std::uint32_t fine_tick() const override { return 0; }
  [[nodiscard]] std::uint64_t source_clock() const override { return 0; }
  Result<dataplane::Attachment> attach(std::uint32_t /*ifindex*/, dataplane::Hook /*hook*/) override {
    return dataplane::Attachment{};
  }
  Result<void> detach(std::uint32_t /*ifindex*/) override { return {}; }
  [[nodiscard]] std::vector<dataplane::Attachment> attachments() const override { return {}; }
  [[nodiscard]] int event_descriptor() const override { return -1; }
  void take_events(const dataplane::EventTaker& /*take*/) override {}
  Result<void> inject(std::uint32_t /*ifindex*/, std::span<const std::byte> /*frame*/) override {
    return Error{"this engine takes frames by calls only", {}};
  }

 private:
  dataplane::Tables tables_;
};

struct Figure {
  std::string name;
  double ns_min = 0;
  double ns_median = 0;
  double ratio = 0;
};

[[noreturn]] void fail(const std::string& what) {
  std::cerr << "packet_path: " << what << "\n";
  std::exit(1);
}

template <class T>
T value_of(Result<T> result) {
  if (result.has_error()) fail(result.error().text());
  return std::move(*result);
}

class Bench {
 public:
  explicit Bench(std::span<const std::byte> object)
      : object_(value_of(xdp::KernelObject::with_new_tables(object, sizes()))),
        mapped_(value_of(object_.map(sizes()))) {
    constexpr std::array<std::uint64_t, core::kHashKeys> kKey{
        0x9d39247e33776d41, 0x2af7398005aaa5c7, 0x44db015024623547, 0x9c15f73e62a76ae2,
        0x75834465489c0c89, 0x3290ac3a203001bf, 0x0fbbad1f61042279, 0xe83a908ff2fb60ca};
    dataplane::initialise(tables(), kKey, dataplane::tick_multiplier_for(250));
  }

  [[nodiscard]] const dataplane::Tables& tables() const { return mapped_.tables(); }

  static dataplane::ServiceState state_of(const Served& served, core::Forwarding forwarding) {
    dataplane::ServiceState service{
        .key = {.address = core::mapped(served.address), .port = 80, .protocol = core::kProtocolTcp},
        .forwarding = forwarding,
        .scheduler = served.scheduler,
        .affinity = served.affinity};
    std::vector<balance::RingMember> members;
    for (std::uint32_t i = 0; i < served.backends; ++i) {
      members.push_back({.identity = core::mixed(i + 1), .weight = 1});
      service.backends.push_back({.address = core::mapped(be32(0x0a640001U + i)),
                                  .port = 80,
                                  .source = core::mapped(be32(0x0a640100U)),
                                  .destination_mac = std::uint64_t{0x020000000002} + i,
                                  .source_mac = kOwnMac,
                                  .interface = kLoopback});
    }
    service.ring = balance::make_ring(members, kRingSlots);
    return service;
  }

  void publish(core::Forwarding forwarding) {
    BenchDataplane engine(tables());
    dataplane::Publisher publisher(engine);
    dataplane::DesiredState state;
    state.interfaces = {{.ifindex = kLoopback, .mac = kOwnMac}};
    for (const Served& served : {kRing, kLeast10, kLeast32, kLeast100, kTwo, kSource, kAffine})
      state.services.push_back(state_of(served, forwarding));
    (void)value_of(publisher.publish(state));
  }

  /// So many new flows are written down in each 64th of a second; 0: all, and the limit was never met.
  void limit(std::uint32_t most) {
    tables().settings().new_flows_per_unit = most;
    tables().settings().shared.limited = 0;
  }

  void clear_flows() {
    std::memset(tables().memory[static_cast<std::size_t>(dataplane::TableId::flows)], 0,
                kSlots / core::kEntriesPerLine * sizeof(core::FlowLine));
    for (core::Load& load : tables().loads()) load = {};
  }

  /// The packets of the next runs: from flows [first, first + count), `count` a power of two.
  void aim(core::Be32 destination, std::uint8_t tcp_flags, std::uint32_t first, std::uint32_t count) {
    Control control{
        .cursor = 0, .first_flow = first, .flow_mask = count - 1, .tcp_flags = tcp_flags, .destination = destination};
    core::EthernetHeader ethernet{};
    std::memcpy(&ethernet.destination, &kOwnMac, 6);
    ethernet.type = core::kEtherTypeIpv4;
    core::Ipv4Header ip{};
    ip.version_length = 0x45;
    ip.total_length = be16(bench::kFrameBytes - sizeof(core::EthernetHeader));
    ip.time_to_live = 64;
    ip.protocol = core::kProtocolTcp;
    std::memcpy(frame_.data(), &ethernet, sizeof(ethernet));
    std::memcpy(frame_.data() + sizeof(ethernet), &ip, sizeof(ip));
    frame_[sizeof(ethernet) + sizeof(ip) + 12] = std::byte{0x50};
    std::memcpy(control.header, frame_.data(), sizeof(control.header));
    const std::uint32_t key = 0;
    if (::bpf_map_update_elem(object_.map_descriptor("bench_control"), &key, &control, BPF_ANY) != 0)
      fail("bench_control");
  }

  /// Nanoseconds a run.
  double time(const char* program, std::uint32_t repeat) {
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame_.data(), .data_size_in = static_cast<__u32>(frame_.size()),
                .repeat = static_cast<int>(repeat));
    if (::bpf_prog_test_run_opts(object_.program(program), &options) != 0) fail(std::string("test run of ") + program);
    return options.duration;
  }

 private:
  static core::Sizes sizes() {
    return {.cpus = static_cast<std::uint32_t>(libbpf_num_possible_cpus()),
            .flow_lines = kSlots / core::kEntriesPerLine,
            .services = 1024,
            .backends = 16384,
            .ring_lines = 131072,
            .member_lines = 4096,
            .index_lines = 8192,
            .client_lines = kSlots / core::kEntriesPerLine};
  }

  xdp::KernelObject object_;
  xdp::MappedTables mapped_;
  std::vector<std::byte> frame_ = std::vector<std::byte>(bench::kFrameBytes);
};

/// One case: what is made ready before each of its runs, and which counter must have moved by each packet.
struct Case {
  std::string name;
  std::function<void(Bench&)> prepare;
  std::uint32_t repeat;
  Reason reason;
  bool opens;  ///< every packet places a new flow
};

/// More than all services use together.
constexpr std::uint32_t kNumbers = 1024;

core::Counter at_backends(const Bench& bench) {
  core::Counter sum{};
  for (std::uint32_t number = 0; number < kNumbers; ++number) {
    const core::Counter counter = bench.tables().sum_counter(number);
    sum.packets += counter.packets;
    sum.connections += counter.connections;
  }
  return sum;
}

/// Packets that went this way so far. What is sent is counted with its backend.
std::uint64_t taken(const Bench& bench, Reason reason) {
  return reason == Reason::forwarded ? at_backends(bench).packets : bench.tables().sum_reason(reason);
}

double run_case(Bench& bench, const Case& which) {
  which.prepare(bench);
  const std::uint64_t before = taken(bench, which.reason);
  const std::uint64_t opened = at_backends(bench).connections;
  const double ns = bench.time("bench_path", which.repeat);
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

void fill_flows(Bench& bench, std::uint32_t count) {
  bench.clear_flows();
  bench.limit(0);
  bench.aim(kService, core::kTcpSyn, 0, count);
  (void)bench.time("bench_path", count);
  bench.aim(kService, core::kTcpAck, 0, count);
}

/// Every packet opens a flow of a service, in a table that is empty at first.
Case opening(std::string name, const Served& served, std::uint32_t limit = 0) {
  const auto prepare = [served, limit](Bench& b) {
    b.clear_flows();
    b.limit(limit);
    b.aim(served.address, core::kTcpSyn, 0, kFlows);
  };
  return {std::move(name), prepare, kFlows, Reason::forwarded, true};
}

std::vector<Case> cases() {
  constexpr std::uint32_t kRepeat = 1'000'000;
  return {
      {"known flow, 1 flow", [](Bench& b) { fill_flows(b, 1); }, kRepeat, Reason::forwarded, false},
      {"known flow, 64 K flows", [](Bench& b) { fill_flows(b, 65536); }, kRepeat, Reason::forwarded, false},
      {"known flow, 1 M flows", [](Bench& b) { fill_flows(b, kFlows); }, kFlows, Reason::forwarded, false},
      opening("SYN, new flow, 1 M flows", kRing),
      {"SYN, new flow beside 1 M flows",
       [](Bench& b) {
         fill_flows(b, kFlows);
         b.aim(kService, core::kTcpSyn, kFlows, kFlows);
       },
       kFlows / 2, Reason::forwarded, true},
      opening("SYN, above the limit of new flows", kRing, 1),
      opening("SYN, least-connections of 10", kLeast10),
      opening("SYN, least-connections of 32", kLeast32),
      opening("SYN, least-connections of 100", kLeast100),
      opening("SYN, two-choices of 100", kTwo),
      opening("SYN, source-hash", kSource),
      opening("SYN, affinity, 16 flows a client", kAffine),
      {"not for a service", [](Bench& b) { b.aim(kOther, core::kTcpAck, 0, kFlows); }, kRepeat, Reason::no_service,
       false},
  };
}

std::vector<std::byte> read_object(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail(std::string("can not read ") + path);
  const std::vector<char> text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

std::vector<Figure> measure(Bench& bench, int rounds) {
  const std::vector<Case> list = cases();
  std::vector<double> drops;
  std::vector<double> swaps;
  std::vector<double> memory;
  std::vector<double> restores;
  std::vector<double> grown;
  std::vector<std::vector<double>> times(list.size());
  for (int round = 0; round < rounds; ++round) {
    constexpr std::uint32_t kRepeat = 1'000'000;
    drops.push_back(bench.time("bench_drop", kRepeat));
    swaps.push_back(bench.time("bench_mac_swap", kRepeat));
    memory.push_back(bench.time("bench_memory", kRepeat));
    bench.aim(kOther, core::kTcpAck, 0, kFlows);
    restores.push_back(bench.time("bench_restore", kRepeat));
    grown.push_back(bench.time("bench_restore_grown", kRepeat));
    for (std::size_t i = 0; i < list.size(); ++i) times[i].push_back(run_case(bench, list[i]));
  }
  const auto least = [](const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); };
  const auto restoring = [&](const Case& which, const auto& of) {
    const double plain = of(restores) - of(drops);
    return which.reason == Reason::forwarded ? plain + (of(grown) - of(restores)) / 2 : plain;
  };
  std::vector<Figure> figures{
      {"XDP_DROP", least(drops), median(drops), least(drops) / least(swaps)},
      {"MAC swap, XDP_TX", least(swaps), median(swaps), 1},
      {"one flow line, nothing else", least(memory), median(memory), least(memory) / least(swaps)}};
  for (std::size_t i = 0; i < list.size(); ++i) {
    const double ns = least(times[i]) - restoring(list[i], least);
    figures.push_back({list[i].name, ns, median(times[i]) - restoring(list[i], median), ns / least(swaps)});
  }
  return figures;
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
  int rounds = 9;
  constexpr option kOptions[] = {
      {"json", required_argument, nullptr, 'j'}, {"rounds", required_argument, nullptr, 'r'}, {}};
  for (int letter = 0; (letter = ::getopt_long(count, values, "j:r:", kOptions, nullptr)) != -1;) {
    if (letter == 'j') {
      json = optarg;
    } else if (letter == 'r') {
      rounds = std::max(1, std::atoi(optarg));
    } else {
      std::cerr << "usage: packet_path [--json FILE] [--rounds N]\n";
      return 2;
    }
  }
  Bench bench(read_object(ASTIL_BENCH_OBJECT));
  bench.publish(core::Forwarding::tunnel);
  const std::vector<Figure> figures = measure(bench, rounds);
  print(figures);
  if (!json.empty()) write_json(json, figures);
  return 0;
}
