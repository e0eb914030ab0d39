// A million random, truncated and bit-flipped frames through the native engine and through the kernel's programs, from
// equal tables: the same verdict and the same bytes for each, and equal tables at the end. What came right leaves
// right, and each frame is counted once.
#include <cstdlib>
#include <iostream>

#include "dataplane/census.hpp"
#include "tests/packets/judge.hpp"
#include "tests/packets/mutator.hpp"
#include "tests/packets/sense.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

using core::Reason;
using dataplane::Rotation;
using dataplane::Tables;

constexpr std::uint64_t kSeed = 20250101;
constexpr std::size_t kFrames = 1'000'000;
/// Of engines that share all but their outermost layer with XDP's or the native one, in a short run.
constexpr std::size_t kFewerFrames = 300'000;
constexpr std::size_t kFramesOfStage = 10'000;
constexpr std::size_t kFramesOfUnit = 2500;  ///< of the clock of limits
constexpr std::uint32_t kMostNewFlows = 50;

core::Sizes sizes() {
  core::Sizes sizes = small_sizes();
  sizes.services = 64;
  sizes.backends = 128;
  sizes.member_lines = 128;
  return sizes;
}

constexpr std::size_t kLeastPlain = 14 + 40;

/// What an operator changes from time to time.
struct Changes {
  std::uint32_t weight;
  Rotation rotation;
  Rotation udp_rotation;
  std::uint64_t mac;  ///< of a next hop that is not always known
  std::uint32_t mtu;  ///< of a path
  bool has_vlan;
  bool has_exact_port;
  std::uint8_t denied_bits;  ///< of a client that some services do not let in
  bool refuses;              ///< a service that has nobody
};

Changes changes_at(std::size_t stage) {
  return {.weight = 1 + static_cast<std::uint32_t>(stage % 3),
          .rotation = stage % 2 == 0 ? Rotation::in : (stage % 4 == 1 ? Rotation::reset : Rotation::out),
          .udp_rotation = stage % 2 == 0 ? Rotation::in : Rotation::down,
          .mac = stage % 4 == 3 ? 0 : mac(0xb3),
          .mtu = stage % 4 == 1 ? 0 : 1300U,
          .has_vlan = stage % 3 == 1,
          .has_exact_port = stage % 5 != 2,
          .denied_bits = static_cast<std::uint8_t>(stage % 4 == 2 ? 0 : 32),
          .refuses = stage % 3 != 0};
}

/// Every forwarding with all that a tunnel can put in front, both schedulers, tags of VLANs, a service without a
/// backend, one whose next hop is not known: on ports of one address.
void add_services(const Hosts& own, const Hosts& other, const Changes& now, std::vector<Service>& services) {
  const auto service = [&, port = kFirstServicePort](std::uint16_t offset) {
    return Service(own.service, static_cast<std::uint16_t>(port + offset)).ring_length(64);
  };
  const auto& backends = own.backends;
  const BackendOptions second_nat{
      .port = kBackendPort, .mac = mac(0xb2), .interface = kOutside, .mtu = now.mtu, .rotation = now.rotation};
  const BackendOptions tagged{.mtu = now.mtu,
                              .vlan = now.has_vlan ? std::uint16_t{0x2064} : std::uint16_t{7},
                              .outer_vlan = now.has_vlan ? std::uint16_t{9} : std::uint16_t{0}};
  services.insert(
      services.end(),
      {service(0)
           .nat()
           .backend(backends[0], {.port = kBackendPort, .weight = now.weight})
           .backend(backends[1], second_nat),
       service(0)
           .udp()
           .nat()
           .backend(backends[0], {.port = kBackendPort})
           .backend(backends[1], {.port = kBackendPort, .rotation = now.udp_rotation}),
       service(1)
           .tunnel()
           .deny(own.clients[1], now.denied_bits)
           .allow(own.clients[0], 32)
           .backend(backends[0])
           .backend(other.backends[1], {.weight = now.weight}),
       service(1).udp().tunnel().round_robin().backend(backends[0]).backend(other.backends[1]),
       service(2).direct().round_robin().backend(backends[0], {.weight = 3}).backend(backends[1], tagged),
       service(3).nat().round_robin().backend(backends[2], {.port = kBackendPort, .mac = now.mac}),
       (now.refuses ? service(4).refusing() : service(4)).tunnel().backend(backends[0], {.rotation = Rotation::out}),
       (now.refuses ? service(4).refusing() : service(4)).udp().nat().backend(backends[0], {.rotation = Rotation::out}),
       service(5)
           .gue()
           .limit(10, 3, 32)
           .backend(backends[0], tagged)
           .backend(other.backends[0], {.rotation = now.rotation}),
       service(5).udp().gue().backend(backends[0]).backend(other.backends[0]),
       service(7)
           .full_nat()
           .backend(backends[0], {.port = kBackendPort, .weight = now.weight})
           .backend(backends[1], second_nat),
       service(2).udp().full_nat().backend(backends[0], {.port = kBackendPort, .rotation = now.udp_rotation}),
       service(6).udp().direct().deny(own.clients[2], 32).limit(5, 2, 24).backend(backends[0], {.vlan = 5})});
}

/// On any port of another address, and at times one port of it on its own.
void add_any_port_services(const Hosts& own, const Changes& now, std::vector<Service>& services) {
  const auto service = [&](std::uint16_t port) { return Service(own.any_port_service, port).ring_length(64); };
  services.push_back(service(0).nat().backend(own.backends[3]));
  services.push_back(service(0).udp().gue().backend(own.backends[3]).backend(own.backends[4]));
  if (now.has_exact_port)
    services.push_back(service(kFirstServicePort).nat().backend(own.backends[4], {.port = kBackendPort}));
}

/// One of them makes up its outer sources.
void add_varied_sources(std::vector<Service>& services) {
  services.push_back(Service(kHosts4.service, kFirstServicePort + 6)
                         .tunnel()
                         .varied_source("10.200.0.0", 0xffff)
                         .backend(kHosts4.backends[0]));
  services.push_back(Service(kHosts6.service, kFirstServicePort + 6)
                         .gue()
                         .varied_source("2001:db8:5::", 0xffffffff)
                         .backend(kHosts6.backends[0]));
}

dataplane::DesiredState state_at(std::size_t stage) {
  const Changes now = changes_at(stage);
  std::vector<Service> services;
  add_services(kHosts4, kHosts6, now, services);
  add_services(kHosts6, kHosts4, now, services);
  add_any_port_services(kHosts4, now, services);
  add_any_port_services(kHosts6, now, services);
  add_varied_sources(services);
  dataplane::DesiredState state = desired(services);
  state.answers_echo = stage % 6 != 4;
  if (stage % 9 == 7) state.port_sources = {address(kPortSource6)};
  if (stage % 9 == 8) state.port_sources = {address(kPortSource)};
  if (stage % 5 == 3) state.closed_addresses = {address(kHosts4.service), address(kHosts6.service)};
  if (now.has_vlan)
    state.interfaces.push_back(
        {.ifindex = kOutside, .mac = core::tagged(kOutsideMac, core::be16(42)), .parent = kIngress});
  return state;
}

std::string hexadecimal(const Bytes& frame) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : frame) {
    text += kDigits[std::to_integer<std::size_t>(byte >> 4U)];
    text += kDigits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return text;
}

bool is_ipv6(const Bytes& frame) {
  std::size_t type = 12;
  while (type + 1 < frame.size() && (frame[type] == std::byte{0x81} || frame[type] == std::byte{0x88})) type += 4;
  return type < frame.size() && frame[type] == std::byte{0x86};
}

/// TCP right behind an IP header without options: tshark finds fault with some that routers send on (extension headers
/// in an order of their own, UDP over IPv6 without a checksum), and with what a fragment has of its datagram.
bool is_plain(const Bytes& frame) {
  constexpr std::size_t kType = 12;
  const auto at = [&](std::size_t offset) { return std::to_integer<unsigned>(frame[kType + 2 + offset]); };
  if (frame.size() < kLeastPlain || how_made(frame) != Made::right) return false;
  const unsigned type = std::to_integer<unsigned>(frame[kType]) << 8U | std::to_integer<unsigned>(frame[kType + 1]);
  if (type == 0x86dd) return at(6) == core::kProtocolTcp;
  const bool whole = (at(6) & 0x3fU) == 0 && at(7) == 0;
  return type == 0x0800 && at(0) == 0x45 && whole && at(9) == core::kProtocolTcp;
}

class Pair {
 public:
  Pair(std::unique_ptr<TestEngine> native, std::unique_ptr<TestEngine> kernel, Mutator& mutator)
      : native_(std::move(native)), kernel_(std::move(kernel)), mutator_(mutator) {}

  void change_to(std::size_t stage) {
    for (World* world : {&native_, &kernel_}) {
      ASSERT_TRUE(world->publisher().publish(state_at(stage)).has_value());
      world->tables().settings().header.ring_only = stage % 7 != 5 ? 0U : 1U + stage % 2;  // while flows are carried
      world->tables().settings().new_flows_per_unit = stage % 3 == 2 ? kMostNewFlows : 0;
      world->let_pass(static_cast<std::uint32_t>(stage % 5));
      const auto census = dataplane::take_census(world->tables(), 0);
      world->publisher().release([&](std::uint32_t number) { return census.named[number] != 0; });
      world->publisher().settle_sources(census.ports);
    }
    sense_ = Sense(native_.tables());
  }

  void go_on() const {
    forget_limits(native_.tables());
    forget_limits(kernel_.tables());
  }

  /// Both engines' word on a frame is the same, and makes sense. What leaves of a valid one is judged.
  void run(const Bytes& frame, bool is_valid) {
    Bytes by_native = frame;
    const Exit exit = native_.engine().run(by_native);
    ASSERT_EQ(sense_.check(frame, by_native, exit), "") << hexadecimal(by_native);
    ++seen_[is_ipv6(frame) ? 1 : 0][static_cast<std::size_t>(sense_.reason())];
    mutator_.saw_sent(by_native);
    if (exit != Exit::drop && is_valid && is_plain(frame) && ++left_ % 16 == 0)
      judge().saw(name_of_test(), by_native, how_made(frame));
    if (!kernel_.engine().takes(frame)) {
      ++for_native_alone_;
      return;
    }
    Bytes by_kernel = frame;
    EXPECT_EQ(kernel_.engine().run(by_kernel), exit);
    EXPECT_TRUE(are_same(by_kernel, by_native))
        << hexadecimal(by_kernel) << " by the kernel, " << hexadecimal(by_native);
  }

  /// Every CPU has met its limit of new flows, and most flows are forgotten, so that many are new.
  void flood() const {
    for (const World* world : {&native_, &kernel_}) {
      const Tables& tables = world->tables();
      tables.settings().new_flows_per_unit = 1;
      tables.settings().shared.limited = 1;  // in tick 0
      for (core::CpuRow& row : tables.cpu_rows())
        row.limits[static_cast<std::size_t>(core::LimitKind::new_flows)] = {.unit = 0, .count = 1};
      for (core::FlowLine& line : tables.flows().first(tables.flows().size() / 8 * 7)) line = {};
    }
  }

  void expect_equal_tables() const { EXPECT_EQ(difference(native_.tables(), kernel_.tables(), for_native_alone_), ""); }

  /// Every way through the packet path that a frame can take was taken, by either version of IP.
  void expect_all_ways_taken() const {
    for (std::size_t version = 0; version < seen_.size(); ++version) {
      for (std::size_t i = 0; i < kReasonCount; ++i) {
        const auto reason = static_cast<Reason>(i);
        const bool unseen = (reason < core::kFirstCounted && reason != kSent) || reason == Reason::unready ||
                            reason == Reason::fragment_refused || reason == Reason::fragment_lost ||
                            reason == Reason::no_headroom || reason == Reason::internal;
        EXPECT_EQ(seen_[version][i] == 0, unseen) << core::kReasons[i].name << ", " << (version == 0 ? "IPv4" : "IPv6");
      }
    }
  }

  /// And there is no service, nor a backend in rotation, that got nothing.
  void expect_all_backends_served() const {
    const Tables& tables = native_.tables();
    for (std::uint32_t number = 0; number < tables.backends().size(); ++number) {
      const core::Backend& backend = tables.backends()[number];
      if (backend.service == core::kNoService || backend.rotation != Rotation::in || backend.destination_mac == 0)
        continue;
      EXPECT_GT(tables.sum_counter(number).packets, 0U)
          << "number " << number << ", port " << host(backend.service_port);
    }
  }

 private:
  World native_;
  World kernel_;
  Mutator& mutator_;
  Sense sense_{native_.tables()};
  std::array<std::array<std::size_t, kReasonCount>, 2> seen_{};  ///< by version, IPv4 first
  std::size_t left_ = 0;
  std::uint64_t for_native_alone_ = 0;
};

/// In a long run (tests/run --all) every engine has as many.
std::size_t fewer_frames() { return std::getenv("ASTIL_LONG_RUN") == nullptr ? kFewerFrames : kFrames; }

void run_alike(Result<std::unique_ptr<TestEngine>> kernel, std::uint64_t seed, std::size_t frames) {
  if (kernel.has_error()) GTEST_SKIP() << "no such engine here: " << kernel.error().text();
  stay_on_this_cpu();
  std::cout << "seed " << seed << ", " << frames << " frames\n";
  Mutator mutator(seed);
  Pair engines(native_engine(sizes()), std::move(*kernel), mutator);
  for (std::size_t i = 0; i < frames; ++i) {
    if (i % kFramesOfStage == 0) engines.change_to(i / kFramesOfStage);
    if (i % kFramesOfUnit == 0) engines.go_on();
    const Bytes frame = mutator.next();
    engines.run(frame, mutator.is_valid());
    ASSERT_FALSE(testing::Test::HasFailure()) << "frame " << i << " of seed " << seed << ": " << hexadecimal(frame);
  }
  engines.expect_equal_tables();
  engines.expect_all_ways_taken();
  engines.expect_all_backends_served();
}

TEST(RandomRun, of_a_million_frames_ends_alike_in_the_native_engine_and_xdp) {
  run_alike(xdp_engine(sizes()), kSeed, kFrames);
}

TEST(RandomRun, of_many_frames_ends_alike_in_the_native_engine_and_tc) {
  run_alike(tc_engine(sizes()), kSeed + 1, fewer_frames());
}

/// A flood's quick way is one, and no other way: without it frames fare as with it.
TEST(RandomRun, of_many_frames_ends_alike_by_the_quick_way_of_a_flood_and_without) {
  constexpr std::size_t kFramesOfFlood = 100;
  std::size_t taken = 0;
  Mutator mutator(kSeed + 3);
  Pair engines(engine_without_flood(sizes()), engine_with_flood(sizes(), taken), mutator);
  for (std::size_t i = 0; i < kFewerFrames; ++i) {
    if (i % kFramesOfStage == 0) engines.change_to(i / kFramesOfStage);
    if (i % kFramesOfUnit == 0) engines.go_on();
    if (i % kFramesOfFlood == 0) engines.flood();
    const Bytes frame = mutator.next();
    engines.run(frame, false);
    ASSERT_FALSE(testing::Test::HasFailure()) << "frame " << i << ": " << hexadecimal(frame);
  }
  engines.expect_equal_tables();
  std::cout << taken << " of " << kFewerFrames << " frames took it\n";
  EXPECT_GT(taken, kFewerFrames / 100);
}

#ifdef ASTIL_DPDK
TEST(RandomRun, of_many_frames_ends_alike_in_the_native_engine_and_dpdk) {
  run_alike(dpdk_engine(sizes()), kSeed + 2, fewer_frames());
}
#endif

}  // namespace
}  // namespace astil::test
