// The bench of the DPDK engine: nanoseconds a packet on one core, by size of burst, beside testpmd's macswap and a loop
// of our own that swaps MAC addresses, in the same run. Frames come from net_null and go there.
//
// What a figure is: each frame is written anew for its flow before its burst is worked on, since net_null gives what
// was sent; a loop that receives, writes and sends is measured too, and one that only receives and sends. The
// difference of those two is taken off. So a figure is of receiving, the packet path (or the swap) and sending. Every
// case asserts from the counters that each packet took the way that it is named for. Rounds go through all cases in
// turn; a figure is the least of them. At last two workers, each with a port and a core of its own, over the same
// tables, beside one of them alone.
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

core::Sizes sizes() {
  return {.cpus = kWorkers,
          .flow_lines = kSlots / core::kEntriesPerLine,
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

class Bench {
 public:
  Bench()
      : dataplane_(sizes()),
        workers_{dpdk::Worker(dataplane_.tables(), 0, nobody_), dpdk::Worker(dataplane_.tables(), 1, nobody_)} {
    dataplane::DesiredState state;
    state.interfaces = {{.ifindex = kIngress, .mac = kOwnMac}};
    state.services = {service_at(kTunnel, core::Forwarding::tunnel, 0x0a640000),
                      service_at(kNat, core::Forwarding::nat, 0x0a650000)};
    dataplane::Publisher publisher(dataplane_);
    if (auto done = publisher.publish(state); done.has_error()) fail(done.error().text());
    for (std::uint16_t port = 0; port < kWorkers; ++port) start_port(port);
  }

  /// Nanoseconds a packet of receiving, writing, `work`, sending, by a worker at its port.
  double time(core::Be32 service, std::uint32_t flows, std::uint8_t flags, std::size_t size, std::size_t packets,
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
        write(burst[i], frame, next * 0x9e3779b1U & (flows - 1));
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
    for (std::size_t number = 0; number < 2 * std::size_t{kBackends}; ++number) {
      const core::Counter counter = dataplane_.tables().sum_counter(number);
      sum.packets += counter.packets;
      sum.connections += counter.connections;
    }
    return sum;
  }

  void forget_flows() {
    const dataplane::Tables& tables = dataplane_.tables();
    std::memset(tables.flows().data(), 0, tables.flows().size_bytes());
    tables.settings().new_flows_per_unit = 0;
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
  native::NativeDataplane dataplane_;
  std::array<dpdk::Worker, kWorkers> workers_;
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
  (void)bench.time(which.service, which.flows, core::kTcpSyn, dpdk::Worker::kLongestBurst,
                   std::max<std::size_t>(which.flows, dpdk::Worker::kLongestBurst), take_path);
  const core::Counter before = bench.counted();
  const double ns = bench.time(which.service, which.flows, core::kTcpAck, size, kPackets, take_path);
  const core::Counter after = bench.counted();
  if (after.packets - before.packets != kPackets || after.connections != before.connections)
    fail(std::string(which.name) + ": not every packet took the way");
  return ns;
}

/// One of two workers, each on a core of its own.
struct Half {
  Bench* bench;
  const Case* which;
  std::uint16_t number;
  double ns = 0;

  static int take(void* itself) {
    auto& half = *static_cast<Half*>(itself);
    const auto work = [number = half.number](Bench& b, std::span<rte_mbuf*> burst) { b.run(number, burst); };
    half.ns = half.bench->time(half.which->service, half.which->flows, core::kTcpAck, 32, 4 * kPackets, work,
                               Writes::yes, half.number);
    return 0;
  }
};

/// How many times the packets of one worker two carry, in the best of the rounds.
double speed_up(Bench& bench, const Case& which, int rounds) {
  (void)measure(bench, which, 32);  // makes the flows
  double alone = 1e9;
  double together = 1e9;
  for (int round = 0; round < rounds; ++round) {
    Half first{&bench, &which, 0};
    Half second{&bench, &which, 1};
    Half::take(&first);
    alone = std::min(alone, first.ns);
    if (rte_eal_remote_launch(Half::take, &second, rte_get_next_lcore(-1, 1, 0)) != 0) fail("start the second worker");
    Half::take(&first);
    rte_eal_mp_wait_lcore();
    together = std::min(together, std::max(first.ns, second.ns));
  }
  return 2 * alone / together;
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
        return bench.time(kNat, kFlows, 0, kBursts[b], kPackets, work, writes);
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
    std::printf("two workers, %-32s %.2f times one\n", which.name, speed_up(bench, which, rounds));
  }
  return 0;
}
