// The quick way of a flood: what goes it fares as by the general way, and leaves the same counts behind.
#include "dataplane/core/schedule.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

constexpr std::string_view kVip = "198.51.100.1";
constexpr std::string_view kVip6 = "2001:db8:5::1";
constexpr std::string_view kClient6 = "2001:db8:c::77";

/// All that a packet leaves behind, but for its flow.
struct Trace {
  Outcome outcome;
  std::vector<std::uint64_t> counts;

  bool operator==(const Trace& other) const {
    return outcome.reason == other.outcome.reason && outcome.exit == other.outcome.exit &&
           outcome.bytes == other.outcome.bytes && counts == other.counts;
  }
};

std::ostream& operator<<(std::ostream& out, const Trace& trace) {
  out << static_cast<int>(trace.outcome.reason) << ", " << static_cast<int>(trace.outcome.exit) << ", "
      << trace.outcome.bytes.size() << " bytes; counts";
  for (const std::uint64_t count : trace.counts) out << " " << count;
  return out;
}

class Flood : public PacketCase {
 protected:
  /// Sends a packet where every CPU has met the limit of new flows. `marked`: the first did so a moment ago, so that
  /// the quick way is open; else this packet is the first.
  Trace send(const Packet& packet, bool marked) {
    core::Settings& settings = world().tables().settings();
    settings.new_flows_per_unit = 1;
    settings.shared.limited = marked ? 1 : 0;  // of tick 0
    for (core::CpuRow& row : world().tables().cpu_rows())
      row.limits[static_cast<std::size_t>(core::LimitKind::new_flows)] = {.unit = 0, .count = 1};
    const std::vector<std::uint64_t> before = counts();
    Trace trace{.outcome = world().send(packet)};
    trace.counts = counts();
    for (std::size_t i = 0; i < before.size(); ++i) trace.counts[i] -= before[i];
    trace.counts.push_back(dataplane::take_census(world().tables(), 0).used);
    trace.counts.push_back(settings.shared.limited);
    return trace;
  }
  /// The same by both ways; the general one gives the answer.
  Trace by_both_ways(const Packet& packet) {
    const Trace general = send(packet, false);
    Trace quick = send(packet, true);
    // What is above the limit sets the mark, which the second time was there before.
    quick.counts.back() = general.counts.back();
    EXPECT_EQ(general, quick);
    return general;
  }
  [[nodiscard]] std::uint64_t limited_by(const Packet& packet) {
    const std::uint64_t before = world().tables().sum_event(core::FlowEvent::limited);
    (void)by_both_ways(packet);
    return world().tables().sum_event(core::FlowEvent::limited) - before;
  }

 private:
  std::vector<std::uint64_t> counts() {
    const dataplane::Tables& tables = world().tables();
    std::vector<std::uint64_t> all;
    for (std::size_t slot = 0; slot < 8; ++slot) {
      const core::Counter counter = tables.sum_counter(slot);
      all.insert(all.end(), {counter.packets, counter.bytes, counter.connections, counter.refused});
    }
    for (std::uint32_t reason = 0; reason < static_cast<std::uint32_t>(core::Reason::count); ++reason)
      all.push_back(tables.sum_reason(static_cast<core::Reason>(reason)));
    for (std::uint32_t event = 0; event < static_cast<std::uint32_t>(core::FlowEvent::count); ++event)
      all.push_back(tables.sum_event(static_cast<core::FlowEvent>(event)));
    return all;
  }
};
ASTIL_ON_EVERY_ENGINE(Flood);

Packet syn(std::uint16_t port, std::string_view to = kVip) {
  return Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, to).tcp(port, 80, kSyn);
}
Packet syn6(std::uint16_t port) {
  return Packet().ethernet(kBalancerMac, kClientMac).ipv6(kClient6, kVip6).tcp(port, 80, kSyn);
}

std::vector<Service> of_every_forwarding() {
  const auto with_backends = [](Service service) { return service.backend("10.0.0.1").backend("10.0.0.2"); };
  return {with_backends(Service(kVip, 80).nat()), with_backends(Service(kVip, 80).direct()),
          with_backends(Service(kVip, 80).tunnel()), with_backends(Service(kVip, 80).gue())};
}

TEST_P(Flood, sends_a_syn_by_every_forwarding) {
  for (const Service& service : of_every_forwarding()) {
    SetUp();
    world().publish({service});
    for (std::uint16_t port = 1000; port < 1016; ++port) {
      const Trace trace = by_both_ways(syn(port));
      EXPECT_EQ(trace.outcome.reason, core::Reason::forwarded);
      EXPECT_EQ(trace.outcome.exit, Exit::back_out);
    }
    EXPECT_EQ(world().tables().sum_event(core::FlowEvent::limited), 32U);
  }
}

TEST_P(Flood, sends_a_syn_of_ipv6_by_every_forwarding) {
  const auto with_backends = [](Service service) { return service.backend("2001:db8:b::1").backend("2001:db8:b::2"); };
  for (const Service& service : {with_backends(Service(kVip6, 80).nat()), with_backends(Service(kVip6, 80).direct()),
                                 with_backends(Service(kVip6, 80).tunnel()), with_backends(Service(kVip6, 80).gue())}) {
    SetUp();
    world().publish({service});
    for (std::uint16_t port = 1000; port < 1016; ++port)
      EXPECT_EQ(by_both_ways(syn6(port)).outcome.reason, core::Reason::forwarded);
    EXPECT_EQ(world().tables().sum_event(core::FlowEvent::limited), 32U);
  }
}

TEST_P(Flood, goes_by_every_scheduler_as_its_ring_says) {
  for (const Service& service :
       {Service(kVip, 80).direct().round_robin(), Service(kVip, 80).direct().least_connections(),
        Service(kVip, 80).direct().two_choices(), Service(kVip, 80).direct().source_hash(24),
        Service(kVip, 80).direct().affinity(100, 32)}) {
    SetUp();
    world().publish({Service(service).backend("10.0.0.1").backend("10.0.0.2").backend("10.0.0.3")});
    for (std::uint16_t port = 1000; port < 1016; ++port) (void)by_both_ways(syn(port));
    EXPECT_EQ(world().tables().sum_event(core::FlowEvent::limited), 32U);
  }
}

TEST_P(Flood, of_datagrams_goes_the_same_way) {
  world().publish({Service(kVip, 53).udp().direct().backend("10.0.0.1").backend("10.0.0.2")});
  const auto datagram = [](std::uint16_t port, std::size_t bytes) {
    return Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).udp(port, 53).payload(bytes);
  };
  EXPECT_EQ(limited_by(datagram(1000, 40)), 2U);
  EXPECT_EQ(limited_by(datagram(1001, 0)), 2U) << "too short for the quick way";
}

TEST_P(Flood, of_syns_that_are_not_as_most_are_fares_no_other_way) {
  world().publish({Service(kVip, 80).tunnel().backend("10.0.0.1").backend("10.0.0.2")});
  const auto ethernet = [] { return Packet().ethernet(kBalancerMac, kClientMac); };
  const Packet unusual[] = {
      ethernet().ipv4(kClient, kVip).options(2).tcp(1000, 80, kSyn),
      ethernet().ipv4(kClient, kVip).tcp(1001, 80, kSyn).mss(1460),
      ethernet().ipv4(kClient, kVip).tcp(1002, 80, kSyn).payload(10),
      ethernet().ipv4(kClient, kVip).tcp(1003, 80, kSyn | kFin),
      ethernet().ipv4(kClient, kVip).tcp(1004, 80, kSyn | kAck),
      ethernet().ipv4(kClient, kVip).tcp(1005, 80, kSyn | kRst),
      ethernet().vlan(7).ipv4(kClient, kVip).tcp(1006, 80, kSyn),
      ethernet().ipv4(kClient, kVip).time_to_live(1).tcp(1007, 80, kSyn),
      ethernet().ipv4(kClient, kVip).fragment(0x2000).tcp(1008, 80, kSyn).payload(8),
      ethernet().ipv4(kClient, kVip).claims_length(30).tcp(1009, 80, kSyn),
      Packet().ethernet(mac(0x77), kClientMac).ipv4(kClient, kVip).tcp(1010, 80, kSyn),
      ethernet().ipv4(kClient, kVip).tcp(1011, 81, kSyn),
      ethernet().ipv4(kClient, "198.51.100.9").tcp(1012, 80, kSyn),
  };
  for (const Packet& packet : unusual) (void)by_both_ways(packet);
}

TEST_P(Flood, asks_the_lists_of_a_service_all_the_same) {
  world().publish({Service(kVip, 80).direct().deny("192.0.2.0", 24).backend("10.0.0.1")});
  EXPECT_EQ(by_both_ways(syn(1000)).outcome.reason, core::Reason::source_denied);
}

TEST_P(Flood, finds_services_on_any_port_and_leaves_those_without_backends) {
  world().publish({Service(kVip, 0).direct().backend("10.0.0.1"), Service("198.51.100.2", 80).direct()});
  EXPECT_EQ(by_both_ways(syn(1000)).outcome.reason, core::Reason::forwarded);
  EXPECT_EQ(by_both_ways(syn(1000, "198.51.100.2")).outcome.reason, core::Reason::no_backend);
}

TEST_P(Flood, goes_to_backends_that_are_reached_otherwise) {
  for (const BackendOptions& options :
       {BackendOptions{.vlan = 5}, BackendOptions{.interface = kOutside}, BackendOptions{.mac = 0},
        BackendOptions{.mtu = 30}, BackendOptions{.port = 8080}}) {
    SetUp();
    world().publish({Service(kVip, 80).nat().backend("10.0.0.1", options)});
    (void)by_both_ways(syn(1000));
  }
}

TEST_P(Flood, leaves_flows_that_are_known_where_they_are) {
  world().publish({Service(kVip, 80).direct().round_robin().backend("10.0.0.1").backend("10.0.0.2")});
  std::vector<std::uint32_t> chosen;
  for (std::uint16_t port = 1000; port < 1016; ++port) {
    world().send(syn(port));
    chosen.push_back(world().flow(kClient, port, kVip, 80)->backend);
  }
  for (std::uint16_t port = 1000; port < 1016; ++port) {
    EXPECT_EQ(limited_by(syn(port)), 0U);
    EXPECT_EQ(world().flow(kClient, port, kVip, 80)->backend, chosen[port - 1000]);
  }
}

/// Of the native engine, which counts: that the packets of these cases go the quick way at all.
TEST(FloodWay, is_what_openings_above_the_limit_go) {
  std::size_t taken = 0;
  World world(engine_with_flood(small_sizes(), taken));
  const auto sent = [&](const Packet& packet) {
    const std::size_t before = taken;
    world.send(packet);
    return taken - before;
  };
  world.publish({Service(kVip, 80).tunnel().backend("10.0.0.1"), Service(kVip, 443).full_nat().backend("10.0.0.2"),
                 Service(kVip, 53).udp().direct().source_hash(24).backend("10.0.0.1"),
                 Service(kVip6, 80).nat().backend("2001:db8:b::1"),
                 Service("198.51.100.2", 80).direct().deny("192.0.2.0", 24).backend("10.0.0.1")});
  EXPECT_EQ(sent(syn(999)), 0U) << "there is no limit";
  core::Settings& settings = world.tables().settings();
  settings.new_flows_per_unit = 1;
  for (core::CpuRow& row : world.tables().cpu_rows())
    row.limits[static_cast<std::size_t>(core::LimitKind::new_flows)] = {.unit = 0, .count = 1};
  EXPECT_EQ(sent(syn(1000)), 0U) << "the first says that there is a flood";
  EXPECT_EQ(sent(syn(1001)), 1U);
  EXPECT_EQ(sent(syn6(1001)), 1U);
  EXPECT_EQ(sent(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).udp(1001, 53).payload(40)), 1U);
  EXPECT_EQ(sent(syn(999)), 0U) << "a flow that is known";
  EXPECT_EQ(sent(syn(1001, "198.51.100.2")), 0U) << "lists are to be asked";
  EXPECT_EQ(sent(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).tcp(1001, 443, kSyn)), 0U);
  EXPECT_EQ(sent(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).tcp(1002, 80, kAck)), 0U);
  settings.shared.limited = 0U - core::kLimitedTicks;  // long ago, as the clock stands still
  EXPECT_EQ(sent(syn(1003)), 0U) << "the first of another flood";
}

TEST_P(Flood, of_a_source_hash_service_has_errors_go_where_its_packets_go) {
  for (int i = 1; i < 30; ++i) {
    SetUp();
    world().publish(
        {Service(kVip, 80).direct().source_hash(32).backend("10.0.0.1").backend("10.0.0.2", {.mac = mac(0xb2)})});
    const std::string client = "203.0.113." + std::to_string(i);
    const Trace trace =
        by_both_ways(Packet().ethernet(kBalancerMac, kClientMac).ipv4(client, kVip).tcp(1000, 80, kSyn));
    const Packet answer = Packet().ipv4(kVip, client).tcp(80, 1000, kSyn | kAck);
    const Outcome error = world().send(
        Packet().ethernet(kBalancerMac, kClientMac).ipv4("203.0.113.254", kVip).icmp_error(3, 4, 1300, answer, 28));
    ASSERT_EQ(error.exit, Exit::back_out);
    EXPECT_TRUE(std::equal(error.bytes.begin(), error.bytes.begin() + 6, trace.outcome.bytes.begin())) << client;
  }
}

TEST_P(Flood, is_over_on_a_cpu_whose_unit_of_the_clock_is) {
  world().publish({Service(kVip, 80).direct().backend("10.0.0.1")});
  world().tables().settings().new_flows_per_unit = 1;
  world().tables().settings().shared.limited = 1;
  for (core::CpuRow& row : world().tables().cpu_rows())
    row.limits[static_cast<std::size_t>(core::LimitKind::new_flows)] = {.unit = ~0U, .count = 1};  // the one before
  world().send(syn(1000));
  EXPECT_TRUE(world().flow(kClient, 1000, kVip, 80).has_value());
  world().send(syn(1001));
  EXPECT_FALSE(world().flow(kClient, 1001, kVip, 80).has_value());
}

TEST_P(Flood, without_a_limit_is_none) {
  world().publish({Service(kVip, 80).direct().backend("10.0.0.1")});
  world().tables().settings().shared.limited = 1;  // there was a limit a moment ago
  for (std::uint16_t port = 1000; port < 1016; ++port) world().send(syn(port));
  EXPECT_EQ(dataplane::take_census(world().tables(), 0).used, 16U);
}

}  // namespace
}  // namespace astil::test
