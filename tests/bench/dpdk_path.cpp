// The bench of the DPDK engine: nanoseconds a packet on one core, by size of burst, beside testpmd's macswap and a loop
// of our own that swaps MAC addresses, in the same run. Frames come from net_null and go there.
//
// What a figure is: each frame is written anew for its flow before its burst is worked on, since net_null gives what
// was sent; a loop that receives, writes and sends is measured too, and one that only receives and sends. The
// difference of those two is taken off. So a figure is of receiving, the packet path (or the swap) and sending. Every
// case asserts from the counters that each packet took the way that it is named for. Rounds go through all cases in
// turn; a figure is the least of them. At last two workers, each with a port, a core and half of the flows of its own,
// as RSS gives them, beside one of them alone that has all flows: over the same tables, and each over its own, which
// are half as large.
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "control/balance/ring.hpp"
#include "dataplane/core/hash.hpp"
#include "dataplane/core/headers.hpp"
#include "dataplane/dpdk/worker.hpp"
#include "dataplane/native/native_dataplane.hpp"
#include "dataplane/publisher.hpp"
#include "tests/bench/testpmd.hpp"

namespace {

using namespace astil;
using core::be16;
using core::be32;

constexpr std::uint32_t kFlows = 1U << 20U;
constexpr std::uint32_t kSlots = 2 * kFlows;
constexpr std::uint32_t kBackends = 100;
constexpr std::uint32_t kRingSlots = 65537;
constexpr std::uint32_t kIngress = 1;
constexpr std::uint64_t kOwnMac = 0x010000000002;
constexpr std::uint16_t kFrameBytes = 64;
constexpr core::Be32 kTunnel = be32(0xc000020a);
constexpr core::Be32 kNat = be32(0xc000020b);
constexpr std::array<std::size_t, 4> kBursts{1, 8, 32, 64};
constexpr std::size_t kPackets = 1U << 21U;
constexpr std::size_t kWorkers = 2;
/// Workers over the same tables come first, then those over their own.
constexpr std::array<std::size_t, 2> kShared{0, 1};
constexpr std::array<std::size_t, 2> kOwn{2, 3};

[[noreturn]] void fail(const std::string& what) {
  std::cerr << "dpdk_path: " << what << "\n";
  std::exit(EXIT_FAILURE);
}

class Nobody final : public dpdk::Outside {
 public:
  core::NextHop route(const core::Address& /*to*/, const core::Address& /*from*/, std::uint32_t /*length*/) override {
    return {};
  }
  bool hold(std::uint32_t /*ifindex*/, std::span<const std::byte> /*frame*/) override { return false; }
  void tell_drop(const core::DropEvent& /*event*/) override {}
  [[nodiscard]] std::uint64_t now() override { return 0; }
};

core::Sizes sizes(std::uint32_t slots) {
  return {.cpus = kWorkers,
          .flow_lines = slots / core::kEntriesPerLine,
          .services = 16,
          .backends = 1024,
          .ring_lines = 8192,
          .member_lines = 64,
          .index_lines = 64,
          .client_lines = 0,
          .source_ranges = 0,
          .source_buckets = 0};
}

dataplane::ServiceState service_at(core::Be32 address, core::Forwarding forwarding, std::uint32_t net) {
  dataplane::ServiceState service{.key = {.address = core::mapped(address), .port = 80, .protocol = core::kProtocolTcp},
                                  .forwarding = forwarding};
  std::vector<balance::RingMember> members;
  for (std::uint32_t i = 0; i < kBackends; ++i) {
    members.push_back({.identity = core::mixed(i + 1), .weight = 1});
    service.backends.push_back({.address = core::mapped(be32(net + 1 + i)),
                                .port = 80,
                                .source = core::mapped(be32(0x0a640100U)),
                                .destination_mac = std::uint64_t{0x020000000002} + i,
                                .source_mac = kOwnMac,
                                .interface = kIngress});
  }
  service.ring = balance::make_ring(members, kRingSlots);
  return service;
}

/// What stands in front of a frame's flow.
std::array<std::byte, kFrameBytes> frame_to(core::Be32 service, std::uint8_t flags) {
  std::array<std::byte, kFrameBytes> frame{};
  core::EthernetHeader ethernet{};
  std::memcpy(&ethernet.destination, &kOwnMac, 6);
  ethernet.type = core::kEtherTypeIpv4;
  core::Ipv4Header ip{};
  ip.version_length = 0x45;
  ip.total_length = be16(kFrameBytes - sizeof(core::EthernetHeader));
  ip.time_to_live = 64;
  ip.protocol = core::kProtocolTcp;
  ip.destination = service;
  core::TcpHeader tcp{};
  tcp.destination = be16(80);
  tcp.offset = 0x50;
  tcp.flags = flags;
  std::memcpy(frame.data(), &ethernet, sizeof(ethernet));
  std::memcpy(frame.data() + sizeof(ethernet), &ip, sizeof(ip));
  std::memcpy(frame.data() + sizeof(ethernet) + sizeof(ip), &tcp, sizeof(tcp));
  return frame;
}

enum class Writes { yes, no };

/// Every so many of the flows from one on.
struct Flows {
  std::uint32_t count;
  std::uint32_t first = 0;
  std::uint32_t step = 1;
};

class Bench {
 public:
  Bench()
      : workers_{dpdk::Worker(shared_.tables(), 0, nobody_), dpdk::Worker(shared_.tables(), 1, nobody_),
                 dpdk::Worker(own_[0].tables(), 0, nobody_), dpdk::Worker(own_[1].tables(), 1, nobody_)} {
    dataplane::DesiredState state;
    state.interfaces = {{.ifindex = kIngress, .mac = kOwnMac}};
    state.services = {service_at(kTunnel, core::Forwarding::tunnel, 0x0a640000),
                      service_at(kNat, core::Forwarding::nat, 0x0a650000)};
    for (native::NativeDataplane* dataplane : {&shared_, own_.data(), &own_[1]}) {
      dataplane::Publisher publisher(*dataplane);
      if (auto done = publisher.publish(state); done.has_error()) fail(done.error().text());
    }
    for (std::uint16_t port = 0; port < kWorkers; ++port) start_port(port);
  }

  /// Nanoseconds a packet of receiving, writing, `work`, sending, by a worker at its port.
  double time(core::Be32 service, Flows flows, std::uint8_t flags, std::size_t size, std::size_t packets,
              const std::function<void(Bench&, std::span<rte_mbuf*>)>& work, Writes writes = Writes::yes,
              std::uint16_t port = 0) {
    const auto frame = frame_to(service, flags);
    std::array<rte_mbuf*, dpdk::Worker::kLongestBurst> burst{};
    std::uint32_t next = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t done = 0; done < packets; done += size) {
      const std::uint16_t got = rte_eth_rx_burst(port, 0, burst.data(), static_cast<std::uint16_t>(size));
      if (got != size) fail("net_null gave " + std::to_string(got) + " frames");
      for (std::size_t i = 0; writes == Writes::yes && i < size; ++i, ++next)
        write(burst[i], frame, flows.first + flows.step * (next * 0x9e3779b1U & (flows.count - 1)));
      work(*this, std::span(burst).first(size));
      if (rte_eth_tx_burst(port, 0, burst.data(), static_cast<std::uint16_t>(size)) != size) fail("net_null took less");
    }
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    return took.count() / static_cast<double>(packets);
  }

  void run(std::size_t worker, std::span<rte_mbuf*> burst) {
    std::array<core::Verdict, dpdk::Worker::kLongestBurst> verdicts;
    workers_[worker].read_clocks();
    workers_[worker].run(burst, kIngress, verdicts);
  }

  [[nodiscard]] core::Counter counted() const {
    core::Counter sum{};
    for (const native::NativeDataplane* dataplane : {&shared_, own_.data(), &own_[1]}) {
      for (std::size_t number = 0; number < 2 * std::size_t{kBackends}; ++number) {
        const core::Counter counter = dataplane->tables().sum_counter(number);
        sum.packets += counter.packets;
        sum.connections += counter.connections;
      }
    }
    return sum;
  }

  void forget_flows() {
    for (native::NativeDataplane* dataplane : {&shared_, own_.data(), &own_[1]}) {
      const dataplane::Tables& tables = dataplane->tables();
      std::memset(tables.flows().data(), 0, tables.flows().size_bytes());
      tables.settings().new_flows_per_unit = 0;
    }
  }

 private:
  static void write(rte_mbuf* mbuf, const std::array<std::byte, kFrameBytes>& frame, std::uint32_t flow) {
    auto* bytes = rte_pktmbuf_mtod(mbuf, std::byte*);
    std::memcpy(bytes, frame.data(), frame.size());
    const core::Be32 client = be32(0x0b000000U + (flow >> 4U));
    const core::Be16 port = be16(static_cast<std::uint16_t>(1024 + (flow & 15U)));
    std::memcpy(bytes + sizeof(core::EthernetHeader) + offsetof(core::Ipv4Header, source), &client, sizeof(client));
    std::memcpy(bytes + sizeof(core::EthernetHeader) + sizeof(core::Ipv4Header), &port, sizeof(port));
  }

  static void start_port(std::uint16_t port) {
    const std::string name = "frames" + std::to_string(port);
    rte_mempool* pool = rte_pktmbuf_pool_create(name.c_str(), 4095, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    const rte_eth_conf none{};
    if (pool == nullptr || rte_eth_dev_configure(port, 1, 1, &none) != 0 ||
        rte_eth_rx_queue_setup(port, 0, 512, SOCKET_ID_ANY, nullptr, pool) != 0 ||
        rte_eth_tx_queue_setup(port, 0, 512, SOCKET_ID_ANY, nullptr) != 0 || rte_eth_dev_start(port) != 0)
      fail("start net_null");
  }

  Nobody nobody_;
  native::NativeDataplane shared_{sizes(kSlots)};
  std::array<native::NativeDataplane, kWorkers> own_{native::NativeDataplane(sizes(kSlots / kWorkers)),
                                                     native::NativeDataplane(sizes(kSlots / kWorkers))};
  std::array<dpdk::Worker, 2 * kWorkers> workers_;
};

void do_nothing(Bench& /*bench*/, std::span<rte_mbuf*> /*burst*/) {}

void swap_addresses(Bench& /*bench*/, std::span<rte_mbuf*> burst) {
  for (rte_mbuf* frame : burst) {
    auto* bytes = rte_pktmbuf_mtod(frame, std::byte*);
    std::swap_ranges(bytes, bytes + 6, bytes + 6);
  }
}

void take_path(Bench& bench, std::span<rte_mbuf*> burst) { bench.run(0, burst); }

struct Case {
  const char* name;
  core::Be32 service;
  std::uint32_t flows;
};
constexpr std::array<Case, 4> kCases{{{"nat, known flow, 1 flow", kNat, 1},
                                      {"nat, known flow, 1 M flows", kNat, kFlows},
                                      {"IPIP, known flow, 1 flow", kTunnel, 1},
                                      {"IPIP, known flow, 1 M flows", kTunnel, kFlows}}};

double measure(Bench& bench, const Case& which, std::size_t size) {
  bench.forget_flows();
  (void)bench.time(which.service, {which.flows}, core::kTcpSyn, dpdk::Worker::kLongestBurst,
                   std::max<std::size_t>(which.flows, dpdk::Worker::kLongestBurst), take_path);
  const core::Counter before = bench.counted();
  const double ns = bench.time(which.service, {which.flows}, core::kTcpAck, size, kPackets, take_path);
  const core::Counter after = bench.counted();
  if (after.packets - before.packets != kPackets || after.connections != before.connections)
    fail(std::string(which.name) + ": not every packet took the way");
  return ns;
}

/// A worker with its port, on a core of its own.
struct Half {
  Bench* bench;
  core::Be32 service;
  Flows flows;
  std::size_t worker;
  std::uint16_t port;
  std::uint8_t flags = core::kTcpAck;
  std::size_t packets = 4 * kPackets;
  double ns = 0;

  static int take(void* itself) {
    auto& half = *static_cast<Half*>(itself);
    const auto work = [worker = half.worker](Bench& b, std::span<rte_mbuf*> burst) { b.run(worker, burst); };
    half.ns = half.bench->time(half.service, half.flows, half.flags, 32, half.packets, work, Writes::yes, half.port);
    return 0;
  }
};

/// Nanoseconds a packet of the slower of two workers, each with its half of the flows, in the best of the rounds.
double time_together(Bench& bench, const Case& which, const std::array<std::size_t, 2>& workers, int rounds) {
  bench.forget_flows();
  const std::uint32_t share = std::max<std::uint32_t>(1, which.flows / kWorkers);
  std::array<Half, kWorkers> halves{Half{&bench, which.service, {share, 0, kWorkers}, workers[0], 0},
                                    Half{&bench, which.service, {share, 1, kWorkers}, workers[1], 1}};
  for (Half half : halves) {  // makes the flows
    half.flags = core::kTcpSyn;
    half.packets = std::max<std::size_t>(share, dpdk::Worker::kLongestBurst);
    Half::take(&half);
  }
  const core::Counter before = bench.counted();
  double best = 1e9;
  for (int round = 0; round < rounds; ++round) {
    if (rte_eal_remote_launch(Half::take, &halves[1], rte_get_next_lcore(-1, 1, 0)) != 0)
      fail("start the second worker");
    Half::take(halves.data());
    rte_eal_mp_wait_lcore();
    best = std::min(best, std::max(halves[0].ns, halves[1].ns));
  }
  const core::Counter after = bench.counted();
  const std::uint64_t all = kWorkers * halves[0].packets * static_cast<std::uint64_t>(rounds);
  if (after.packets - before.packets != all || after.connections != before.connections)
    fail(std::string(which.name) + ", two workers: not every packet took the way");
  return best;
}

/// How many times the packets of one worker two carry.
void compare_two_workers(Bench& bench, const Case& which, int rounds) {
  (void)measure(bench, which, 32);  // makes the flows
  double alone = 1e9;
  for (int round = 0; round < rounds; ++round) {
    Half one{&bench, which.service, {which.flows}, kShared[0], 0};
    Half::take(&one);
    alone = std::min(alone, one.ns);
  }
  const double shared = time_together(bench, which, kShared, rounds);
  const double own = time_together(bench, which, kOwn, rounds);
  std::printf("two workers, %-32s same tables %.2f times one (%.1f ns each), own tables %.2f (%.1f ns each)\n",
              which.name, kWorkers * alone / shared, shared, kWorkers * alone / own, own);
}

void start_eal() {
  const std::string cores = std::thread::hardware_concurrency() < kWorkers ? "--lcores=0" : "--lcores=0,1";
  std::array<std::string, 11> words{"dpdk_path",        "--no-huge",        "-m",          "256",
                                    "--no-pci",         "--no-telemetry",   "--no-shconf", "--log-level=error",
                                    "--vdev=net_null0", "--vdev=net_null1", cores};
  std::array<char*, words.size()> arguments{};
  std::transform(words.begin(), words.end(), arguments.begin(), [](std::string& word) { return word.data(); });
  if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0)
    fail(std::string("start the EAL: ") + rte_strerror(rte_errno));
}

}  // namespace

int main(int count, char** values) {
  const int rounds = count > 1 ? std::max(1, std::atoi(values[1])) : 5;
  start_eal();
  Bench bench;
  constexpr double kNever = 1e9;
  using Row = std::array<double, kBursts.size()>;
  Row bare, written, swapped, testpmd;
  std::array<Row, kCases.size()> taken;
  for (Row* row : {&bare, &written, &swapped, &testpmd}) row->fill(kNever);
  for (Row& row : taken) row.fill(kNever);
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t b = 0; b < kBursts.size(); ++b) {
      const auto loop = [&](const auto& work, Writes writes) {
        return bench.time(kNat, {kFlows}, 0, kBursts[b], kPackets, work, writes);
      };
      bare[b] = std::min(bare[b], loop(do_nothing, Writes::no));
      written[b] = std::min(written[b], loop(do_nothing, Writes::yes));
      swapped[b] = std::min(swapped[b], loop(swap_addresses, Writes::no));
      testpmd[b] = std::min(testpmd[b], bench::testpmd_macswap(kBursts[b]).value_or(kNever));
      for (std::size_t c = 0; c < kCases.size(); ++c)
        taken[c][b] = std::min(taken[c][b], measure(bench, kCases[c], kBursts[b]));
    }
  }
  std::printf("%-32s", "ns a packet, ratio to the swap");
  for (const std::size_t size : kBursts) std::printf("     burst %2zu", size);
  const auto print = [&](const char* name, const Row& row) {
    std::printf("\n%-32s", name);
    for (std::size_t b = 0; b < kBursts.size(); ++b) std::printf("  %6.1f %4.1f", row[b], row[b] / swapped[b]);
  };
  print("receive, send", bare);
  print("receive, MAC swap, send", swapped);
  if (testpmd.front() < kNever) print("testpmd macswap", testpmd);
  for (std::size_t c = 0; c < kCases.size(); ++c) {
    for (std::size_t b = 0; b < kBursts.size(); ++b) taken[c][b] -= written[b] - bare[b];
    print(kCases[c].name, taken[c]);
  }
  std::printf("\n");
  for (const Case& which : kCases) {
    if (rte_lcore_count() < kWorkers) break;
    compare_two_workers(bench, which, rounds);
  }
  return 0;
}
