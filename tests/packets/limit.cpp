// The limit of new flows: above it SYNs go by the ring and are not written down.
#include "dataplane/core/schedule.hpp"
#include "tests/packets/loads.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

constexpr std::string_view kVip = "198.51.100.1";
constexpr std::uint32_t kMost = 10;

class Limit : public PacketCase {
 protected:
  Outcome send(std::uint16_t port, std::uint8_t flags) {
    return world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).tcp(port, 80, flags));
  }
  void publish(const Service& service) {
    numbers_ = world()
                   .publish({Service(service).backend("10.0.0.1").backend("10.0.0.2").backend("10.0.0.3")})
                   .services[0]
                   .backends;
  }
  /// Every CPU may place so many flows more; its clock stands still.
  void allow(std::uint32_t more) {
    world().tables().settings().new_flows_per_unit = kMost;
    for (core::CpuRow& row : world().tables().cpu_rows())
      row.limits[static_cast<std::size_t>(core::LimitKind::new_flows)] = {.unit = 0, .count = kMost - more};
  }
  bool is_known(std::uint16_t port) { return world().flow(kClient, port, kVip, 80).has_value(); }
  /// Where the ring sends a client's port.
  [[nodiscard]] std::uint32_t ring_says(std::uint16_t port) {
    const dataplane::Tables& tables = world().tables();
    const core::FlowTuple flow{address(kClient), address(kVip), core::be16(port), core::be16(80), core::kProtocolTcp};
    const core::FlowHash hash = core::flow_hash(flow, tables.settings().hash_key, 0);
    const core::Service& service = tables.services_of(tables.active())[0];
    return tables.member(service, tables.ring_entry(service.ring, core::ring_slot(hash.ring, service.ring.length)));
  }
  [[nodiscard]] std::uint64_t limited() { return world().tables().sum_event(core::FlowEvent::limited); }
  std::vector<std::uint64_t> packets() {
    std::vector<std::uint64_t> counts;
    for (const std::uint32_t number : numbers_) counts.push_back(world().tables().sum_counter(number).packets);
    return counts;
  }
  /// Sends a packet, and tells the number of the backend that got it.
  std::uint32_t receiver(std::uint16_t port, std::uint8_t flags) {
    const auto before = packets();
    send(port, flags);
    const auto after = packets();
    for (std::size_t i = 0; i < after.size(); ++i) {
      if (after[i] != before[i]) return numbers_[i];
    }
    return ~0U;
  }

  std::vector<std::uint32_t> numbers_;
};
ASTIL_ON_EVERY_ENGINE(Limit);

TEST_P(Limit, of_nothing_limits_nothing) {
  publish(Service(kVip, 80).direct());
  for (std::uint16_t port = 1000; port < 1500; ++port) send(port, kSyn);
  EXPECT_EQ(limited(), 0U);
}

TEST_P(Limit, lets_so_many_in_and_writes_down_no_more) {
  publish(Service(kVip, 80).direct());
  allow(10);
  for (std::uint16_t port = 1000; port < 1010; ++port) send(port, kSyn);
  EXPECT_EQ(limited(), 0U);
  EXPECT_EQ(dataplane::take_census(world().tables(), 0).used, 10U);
  allow(0);
  for (std::uint16_t port = 2000; port < 2010; ++port) EXPECT_EQ(send(port, kSyn).exit, Exit::back_out);
  EXPECT_EQ(limited(), 10U);
  EXPECT_EQ(dataplane::take_census(world().tables(), 0).used, 10U);
}

TEST_P(Limit, begins_anew_with_each_unit_of_the_clock) {
  publish(Service(kVip, 80).direct());
  allow(0);
  for (core::CpuRow& row : world().tables().cpu_rows())
    row.limits[static_cast<std::size_t>(core::LimitKind::new_flows)].unit = ~0U;  // the one before
  for (std::uint16_t port = 1000; port < 1000 + kMost; ++port) send(port, kSyn);
  EXPECT_EQ(limited(), 0U);
  send(2000, kSyn);
  EXPECT_EQ(limited(), 1U);
}

TEST_P(Limit, sends_a_syn_and_its_ack_to_the_same_backend_under_every_scheduler) {
  for (const Service& service :
       {Service(kVip, 80).direct(), Service(kVip, 80).direct().round_robin(),
        Service(kVip, 80).direct().least_connections(), Service(kVip, 80).direct().two_choices(),
        Service(kVip, 80).direct().source_hash(32), Service(kVip, 80).direct().round_robin().affinity(100, 32)}) {
    SetUp();
    publish(service);
    for (std::uint16_t port = 1000; port < 1060; ++port) {
      allow(0);
      const std::uint32_t by_syn = receiver(port, kSyn);
      EXPECT_FALSE(is_known(port));
      EXPECT_EQ(receiver(port, kAck), by_syn);
      EXPECT_TRUE(is_known(port)) << "the first ACK is written down";
      EXPECT_EQ(world().flow(kClient, port, kVip, 80)->state, core::FlowState::half_open);
    }
    EXPECT_TRUE_LOADS(world().tables());
  }
}

TEST_P(Limit, sends_a_syn_that_comes_again_to_the_same_backend) {
  publish(Service(kVip, 80).direct().round_robin());
  for (std::uint16_t port = 1000; port < 1030; ++port) {
    allow(0);
    const std::uint32_t first = receiver(port, kSyn);
    allow(1);
    EXPECT_EQ(receiver(port, kSyn), first);
    EXPECT_TRUE(is_known(port));
  }
}

TEST_P(Limit, sends_a_syn_that_comes_again_there_too_where_affinity_does_not_know_the_client) {
  publish(Service(kVip, 80).direct().round_robin().affinity(100, 32));
  const auto receiver_of = [&](const std::string& client) {
    const auto before = packets();
    world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(client, kVip).tcp(1000, 80, kSyn));
    const auto after = packets();
    return std::mismatch(after.begin(), after.end(), before.begin()).first - after.begin();
  };
  for (int i = 1; i < 30; ++i) {
    const std::string client = "203.0.113." + std::to_string(i);
    allow(0);
    const auto first = receiver_of(client);
    allow(1);
    EXPECT_EQ(receiver_of(client), first);
  }
}

TEST_P(Limit, leaves_the_schedulers_alone_again_a_while_after) {
  publish(Service(kVip, 80).direct().round_robin());
  allow(0);
  send(1000, kSyn);
  EXPECT_EQ(world().tables().settings().shared.limited, 1U) << "of tick 0";
  // The clock stands still here, so the mark is one of long ago.
  world().tables().settings().shared.limited = 0U - core::kLimitedTicks;
  allow(10);
  std::vector<std::uint32_t> turns;
  for (std::uint16_t port = 2000; port < 2003; ++port) turns.push_back(receiver(port, kSyn));
  std::sort(turns.begin(), turns.end());
  EXPECT_EQ(turns, numbers_) << "one turn each";
}

TEST_P(Limit, does_not_concern_known_flows_nor_ports_that_are_used_again) {
  publish(Service(kVip, 80).direct().round_robin());
  send(1000, kSyn);
  send(1001, kSyn);
  send(1001, kRst);
  allow(0);
  EXPECT_EQ(receiver(1000, kAck), world().flow(kClient, 1000, kVip, 80)->backend);
  const std::uint32_t again = receiver(1001, kSyn);
  EXPECT_EQ(world().flow(kClient, 1001, kVip, 80)->backend, again);
  EXPECT_EQ(receiver(1001, kAck), again);
  EXPECT_EQ(limited(), 0U);
}

/// One whose clock can be set.
TEST(LimitMark, lasts_through_the_tick_after_the_one_that_it_was_set_in) {
  core::Settings settings{};
  EXPECT_FALSE(core::is_limited(settings, 0)) << "no CPU has met the limit";
  EXPECT_FALSE(core::is_limited(settings, 1));
  for (const std::uint32_t tick : {0U, 1U, 77U, ~0U - 1U}) {
    settings.shared.limited = tick + 1;
    EXPECT_TRUE(core::is_limited(settings, tick));
    EXPECT_TRUE(core::is_limited(settings, tick + 1)) << "a SYN may be sent again";
    EXPECT_FALSE(core::is_limited(settings, tick + 2));
    EXPECT_FALSE(core::is_limited(settings, tick + 1000));
  }
}

TEST_P(Limit, of_udp_keeps_a_flow_where_the_ring_says) {
  numbers_ = world()
                 .publish({Service(kVip, 53).udp().direct().round_robin().backend("10.0.0.1").backend("10.0.0.2")})
                 .services[0]
                 .backends;
  const auto datagram = [&](std::uint16_t port) {
    const auto before = packets();
    world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).udp(port, 53));
    return before[0] != packets()[0] ? numbers_[0] : numbers_[1];
  };
  for (std::uint16_t port = 1000; port < 1020; ++port) {
    allow(0);
    const std::uint32_t first = datagram(port);
    EXPECT_EQ(datagram(port), first);
    allow(1);
    EXPECT_EQ(datagram(port), first) << "written down now";
    EXPECT_TRUE(world().flow(kClient, port, kVip, 53, core::kProtocolUdp));
    EXPECT_EQ(datagram(port), first);
  }
}

TEST_P(Limit, lets_the_answer_to_a_syn_through_that_was_not_written_down) {
  publish(Service(kVip, 80).nat().round_robin());
  for (std::uint16_t port = 1000; port < 1030; ++port) {
    allow(0);
    const std::uint32_t number = receiver(port, kSyn);
    const auto answer = [&](std::uint32_t from, std::uint8_t flags) {
      return world()
          .send(Packet()
                    .ethernet(kBalancerMac, mac(0xb1))
                    .ipv4("10.0.0." + std::to_string(1 + from - numbers_[0]), kClient)
                    .tcp(80, port, flags))
          .exit;
    };
    EXPECT_EQ(world().backend_address(number), address("10.0.0." + std::to_string(1 + number - numbers_[0])));
    EXPECT_EQ(answer(number, kSyn | kAck), Exit::other_interface);
    EXPECT_EQ(answer(number, kRst | kAck), Exit::other_interface);
    EXPECT_EQ(answer(number == numbers_[0] ? numbers_[1] : numbers_[0], kSyn | kAck), Exit::pass);
    EXPECT_EQ(answer(number, kAck), Exit::pass) << "of a connection that does not go through the balancer";
  }
}

TEST_P(Limit, counts_what_it_does_not_write_down_as_connections_all_the_same) {
  publish(Service(kVip, 80).direct());
  allow(0);
  for (std::uint16_t port = 1000; port < 1020; ++port) send(port, kSyn);
  std::uint64_t connections = 0;
  for (const std::uint32_t number : numbers_) connections += world().tables().sum_counter(number).connections;
  EXPECT_EQ(connections, 20U);
}

TEST_P(Limit, goes_by_the_ring) {
  publish(Service(kVip, 80).direct().least_connections());
  for (std::uint16_t port = 1000; port < 1030; ++port) {
    allow(0);
    EXPECT_EQ(receiver(port, kSyn), ring_says(port));
  }
}

}  // namespace
}  // namespace astil::test
