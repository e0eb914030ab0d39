// Services, flows and counters move to tables of another size, and every connection keeps its backend.
#include <gtest/gtest.h>

#include <map>

#include "dataplane/carry.hpp"
#include "dataplane/publisher.hpp"
#include "tests/packets/world.hpp"

namespace astil::dataplane {
namespace {

using test::kAck;
using test::kClient;
using test::kFin;
using test::kSyn;
using test::Packet;
using test::Service;
using test::World;

constexpr std::string_view kVip = "198.51.100.1";

Packet from_client(std::uint16_t port, std::uint16_t service_port, std::uint8_t flags) {
  return Packet().ethernet(test::kBalancerMac, test::kClientMac).ipv4(kClient, kVip).tcp(port, service_port, flags);
}

core::Sizes other_sizes() {
  core::Sizes sizes = test::small_sizes();
  sizes.flow_lines = 512;
  sizes.services = 40;
  sizes.backends = 100;
  sizes.ring_lines = 128;
  sizes.index_lines = 256;
  return sizes;
}

class Carry : public testing::Test {
 protected:
  /// A world whose numbers are not those that a new one would give: something came and went before.
  void SetUp() override {
    old_.publish({Service(kVip, 9).direct().backend("10.0.0.99")});
    old_.publish(services());
    for (std::uint16_t port = 1000; port < 1200; ++port) old_.send(from_client(port, port % 2 == 0 ? 80 : 81, kSyn));
  }

  static std::vector<Service> services() {
    return {Service(kVip, 81).direct().backend("10.0.0.1").backend("10.0.0.2"), Service(kVip, 80)
                                                                                    .nat()
                                                                                    .round_robin()
                                                                                    .backend("10.0.0.1", {.weight = 2})
                                                                                    .backend("10.0.0.2")
                                                                                    .backend("10.0.0.3")};
  }

  static core::Address home(const World& world, std::uint16_t port) {
    const auto flow = world.flow(kClient, port, kVip, port % 2 == 0 ? 80 : 81);
    return flow ? world.backend_address(flow->backend) : core::Address{};
  }

  /// One more pass, and what came of all.
  Carried carry(std::uint32_t tick = 0) {
    if (!carrier_) carrier_.emplace(old_.tables(), new_.tables());
    carrier_->carry(tick);
    return carrier_->carried();
  }

  World old_{test::native_engine(test::small_sizes())};
  World new_{test::native_engine(other_sizes())};
  std::optional<FlowCarrier> carrier_;
};

TEST_F(Carry, of_services_keeps_ring_wheel_and_backends) {
  const DesiredState before = read_state(old_.tables());
  ASSERT_TRUE(new_.publisher().publish(before).has_value());
  const DesiredState after = read_state(new_.tables());
  ASSERT_EQ(after.services.size(), 2U);
  EXPECT_EQ(after.interfaces, before.interfaces);
  const auto ring_addresses = [](const ServiceState& state) {
    std::vector<core::Be32> addresses;
    for (const std::uint16_t slot : state.ring) addresses.push_back(state.backends[slot].address.words[3]);
    for (const std::uint16_t slot : state.wheel) addresses.push_back(state.backends[slot].address.words[3]);
    return addresses;
  };
  for (const ServiceState& service : before.services) {
    const auto same = std::find_if(after.services.begin(), after.services.end(),
                                   [&](const ServiceState& other) { return other.key == service.key; });
    ASSERT_NE(same, after.services.end());
    EXPECT_EQ(same->backends.size(), service.backends.size());
    EXPECT_EQ(ring_addresses(*same), ring_addresses(service));
    EXPECT_EQ(same->forwarding, service.forwarding);
    EXPECT_EQ(same->scheduler, service.scheduler);
  }
}

TEST_F(Carry, of_more_backends_than_a_slot_can_name_keeps_the_ring) {
  core::Sizes large = test::small_sizes();
  large.backends = 70'000;
  large.member_lines = 10'000;
  large.index_lines = 1U << 17U;
  World world(test::native_engine(large));
  const auto with_backends = [](std::uint32_t first, std::uint32_t count) {
    Service service = Service(kVip, 80).nat().ring_length(4096);
    for (std::uint32_t i = first; i < first + count; ++i)
      service.backend("10." + std::to_string(i >> 16U) + "." + std::to_string(i >> 8U & 255U) + "." +
                      std::to_string(i & 255U));
    return service;
  };
  world.publish({with_backends(0, 1000)});
  const Service wanted = with_backends(1000, 64'600);
  world.publish({wanted});  // while flows of the first thousand may be left
  const dataplane::ServiceState read = read_state(world.tables()).services.at(0);
  const dataplane::ServiceState written = wanted.state();
  EXPECT_EQ(read.backends.size(), 65'600U);
  ASSERT_EQ(read.ring.size(), written.ring.size());
  for (std::size_t slot = 0; slot < read.ring.size(); ++slot) {
    ASSERT_EQ(read.backends[read.ring[slot]].address, written.backends[written.ring[slot]].address) << slot;
  }
}

TEST_F(Carry, of_flows_keeps_every_one_with_its_backend) {
  ASSERT_TRUE(new_.publisher().publish(read_state(old_.tables())).has_value());
  const Carried carried = carry();
  EXPECT_EQ(carried.flows, 200U);
  EXPECT_EQ(carried.without, 0U);
  for (std::uint16_t port = 1000; port < 1200; ++port) {
    ASSERT_FALSE(home(old_, port) == core::Address{});
    EXPECT_EQ(home(new_, port), home(old_, port));
    new_.send(from_client(port, port % 2 == 0 ? 80 : 81, kAck));
    EXPECT_EQ(home(new_, port), home(old_, port));
  }
}

TEST_F(Carry, a_second_time_brings_only_what_is_new) {
  ASSERT_TRUE(new_.publisher().publish(read_state(old_.tables())).has_value());
  carry();
  old_.send(from_client(5000, 80, kSyn));
  const Carried again = carry();
  EXPECT_EQ(again.flows, 201U);
  EXPECT_EQ(again.known, 200U);
  EXPECT_EQ(home(new_, 5000), home(old_, 5000));
}

TEST_F(Carry, a_second_time_brings_what_the_old_tables_have_learnt_since) {
  ASSERT_TRUE(new_.publisher().publish(read_state(old_.tables())).has_value());
  carry();
  old_.send(from_client(1000, 80, kFin));
  carry();
  EXPECT_EQ(new_.flow(kClient, 1000, kVip, 80)->state, core::FlowState::closing);
}

TEST_F(Carry, a_second_time_leaves_what_packets_have_changed_in_the_new_tables) {
  ASSERT_TRUE(new_.publisher().publish(read_state(old_.tables())).has_value());
  carry();
  new_.send(from_client(1000, 80, kFin));
  carry();
  EXPECT_EQ(new_.flow(kClient, 1000, kVip, 80)->state, core::FlowState::closing);
}

TEST_F(Carry, to_a_table_that_is_too_small_gives_up_the_least_worth) {
  core::Sizes tiny = other_sizes();
  tiny.flow_lines = 2;  // 16 places
  World small(test::native_engine(tiny));
  for (std::uint16_t port = 1010; port < 1150; ++port) old_.send(from_client(port, port % 2 == 0 ? 80 : 81, kFin));
  for (int tick = 0; tick < 2; ++tick) {
    for (std::uint16_t port = 1000; port < 1010; ++port) old_.send(from_client(port, port % 2 == 0 ? 80 : 81, kAck));
    if (tick == 0) old_.let_pass(1);
  }
  ASSERT_TRUE(small.publisher().publish(read_state(old_.tables())).has_value());
  FlowCarrier carrier(old_.tables(), small.tables());
  carrier.carry(0);
  EXPECT_NE(carrier.carried().crowded, 0U);
  for (std::uint16_t port = 1000; port < 1010; ++port) {
    EXPECT_TRUE(small.flow(kClient, port, kVip, port % 2 == 0 ? 80 : 81)) << "established: " << port;
  }
}

TEST_F(Carry, of_a_retired_backends_flows_keeps_them_too) {
  old_.publish({Service(kVip, 80).nat().backend("10.0.0.7")});
  ASSERT_TRUE(new_.publisher().publish(read_state(old_.tables())).has_value());
  const Carried carried = carry();
  EXPECT_EQ(carried.flows, 100U) << "of the service that is left";
  for (std::uint16_t port = 1000; port < 1200; port = static_cast<std::uint16_t>(port + 2)) {
    EXPECT_EQ(home(new_, port), home(old_, port));
  }
  new_.publish({Service(kVip, 80).nat().backend("10.0.0.7")});
  EXPECT_EQ(new_.publisher().retired().size(), 3U);
}

TEST_F(Carry, of_counters_loses_none) {
  old_.send(from_client(1, 12345, kSyn));
  old_.send(
      Packet().ethernet(test::kBalancerMac, test::kClientMac).ipv4(kClient, kVip).time_to_live(1).tcp(1, 81, kSyn));
  ASSERT_TRUE(new_.publisher().publish(read_state(old_.tables())).has_value());
  carry_counters(old_.tables(), new_.tables());
  const auto packets = [](const World& world) {
    std::map<std::pair<std::uint32_t, std::uint16_t>, std::uint64_t> by_use;
    const Tables& tables = world.tables();
    for (std::uint32_t number = 0; number < tables.sizes.backends; ++number) {
      const core::Backend& backend = tables.backends()[number];
      if (backend.service >= tables.sizes.services) continue;
      const core::Service& service = tables.services_of(tables.active())[backend.service];
      if (service.in_use == 0) continue;
      by_use[{raw(backend.address.words[3]), host(service.port)}] = tables.sum_counter(number).packets;
    }
    return by_use;
  };
  EXPECT_EQ(packets(new_), packets(old_));
  const auto drops = [](const World& world, std::uint16_t port) {
    const Tables& tables = world.tables();
    for (const core::Service& service : tables.services_of(tables.active())) {
      if (service.in_use == 0 || host(service.port) != port) continue;
      return tables.sum_drops(service.id).counts[core::drop_place(core::Reason::ttl_expired)];
    }
    return ~0UL;
  };
  EXPECT_EQ(drops(new_, 81), 1U);
  EXPECT_EQ(drops(new_, 80), 0U);
  EXPECT_EQ(new_.counted(core::Reason::no_service), old_.counted(core::Reason::no_service));
  EXPECT_NE(new_.counted(core::Reason::no_service), 0U);
}

/// Connections under full NAT, in tables where the source addresses have other places.
class CarryPorts : public testing::Test {
 protected:
  void SetUp() override {
    publish(old_, {test::kPortSource, "10.0.0.201"});
    for (std::uint16_t port = 1000; port < 1200; ++port) old_.send(from_client(port, 80, kSyn));
    publish(new_, {"10.0.0.201", test::kPortSource});
    old_.tables().settings().header.ring_only = core::kOld;
    new_.tables().settings().header.ring_only = core::kNew;
    std::copy_n(old_.tables().settings().hash_key, core::kHashKeys, new_.tables().settings().hash_key);
    carrier_.emplace(old_.tables(), new_.tables());
  }

  static void publish(World& world, const std::vector<std::string_view>& sources) {
    DesiredState state = test::desired({Service(kVip, 80).full_nat().backend("10.0.0.1").backend("10.0.0.2")});
    state.port_sources.clear();
    for (const std::string_view source : sources) state.port_sources.push_back(test::address(source));
    ASSERT_TRUE(world.publisher().publish(state).has_value());
  }

  using Ends = std::map<std::uint16_t, std::pair<std::uint16_t, std::uint32_t>>;
  /// By client's port: the port, and what identifies source and backend.
  static Ends ends(const World& world) {
    Ends ends;
    for (const test::Port& port : world.ports()) {
      const core::Address backend = world.backend_address(port.record.entry.backend);
      ends[host(port.record.flow.client_port)] = {port.number, raw(port.source.words[3]) ^ raw(backend.words[3])};
    }
    return ends;
  }

  World old_{test::native_engine(test::small_sizes())};
  World new_{test::native_engine(other_sizes())};
  std::optional<PortCarrier> carrier_;
};

TEST_F(CarryPorts, keeps_port_source_and_backend_of_every_connection) {
  carrier_->carry();
  EXPECT_EQ(ends(new_).size(), 200U);
  EXPECT_EQ(ends(new_), ends(old_));
}

TEST_F(CarryPorts, brings_what_was_opened_since_and_leaves_what_was_opened_there) {
  carrier_->carry();
  for (std::uint16_t port = 2000; port < 2200; ++port) old_.send(from_client(port, 80, kSyn));
  for (std::uint16_t port = 3000; port < 3200; ++port) new_.send(from_client(port, 80, kSyn));
  const Ends opened_there = ends(new_);
  carrier_->carry();
  Ends expected = ends(old_);
  for (const auto& [port, end] : opened_there) expected.try_emplace(port, end);
  EXPECT_EQ(expected.size(), 600U);
  EXPECT_EQ(ends(new_), expected);
}

TEST_F(CarryPorts, record_that_packets_have_met_there_stays) {
  carrier_->carry();
  const auto port_of = [](const World& world) {
    const auto ports = world.ports();
    return *std::find_if(ports.begin(), ports.end(),
                         [](const auto& p) { return host(p.record.flow.client_port) == 1000; });
  };
  const test::Port port = port_of(new_);
  const bool first = port.source == test::address(test::kPortSource);
  const bool backend1 = new_.backend_address(port.record.entry.backend) == test::address("10.0.0.1");
  new_.send(Packet()
                .ethernet(test::kBalancerMac, test::mac(0xb1))
                .ipv4(backend1 ? "10.0.0.1" : "10.0.0.2", first ? test::kPortSource : "10.0.0.201")
                .tcp(80, port.number, kSyn | kAck));
  ASSERT_EQ(port_of(new_).record.entry.state, core::FlowState::answered);
  old_.let_pass(1);  // the old one has changed, too
  carrier_->carry();
  EXPECT_EQ(port_of(new_).record.entry.state, core::FlowState::answered);
}

TEST_F(CarryPorts, of_a_source_address_that_is_not_there_is_left_out) {
  World other(test::native_engine(other_sizes()));
  publish(other, {test::kPortSource});
  std::copy_n(old_.tables().settings().hash_key, core::kHashKeys, other.tables().settings().hash_key);
  PortCarrier(old_.tables(), other.tables()).carry();
  for (const test::Port& port : other.ports()) EXPECT_TRUE(port.source == test::address(test::kPortSource));
  EXPECT_GT(other.ports().size(), 0U);
}

}  // namespace
}  // namespace astil::dataplane
