// The ports of full NAT: none is ever of two connections, what is open keeps its own, and what gives way.
#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "dataplane/native/native_engine.hpp"
#include "tests/packets/full_nat.hpp"

namespace astil::test {
namespace {

using core::Reason;

class FullNatPorts : public FullNat {};

TEST_P(FullNatPorts, of_datagrams_has_ports_too_and_keeps_a_missing_checksum_missing) {
  world_->publish({Service(vip(), 53).udp().full_nat().backend(backend(), {.port = 5353})});
  EXPECT_EQ(world_->send(from_client(packet(client(), vip()).udp(kClientPort, 53).payload(30))).reason, kSent);
  const std::uint16_t number = port().number;
  expect(from_backend(packet(backend(), source()).udp(5353, number).payload(300)), kSent,
         to_client(packet(vip(), client(), 63).udp(53, kClientPort).payload(300)));
  if (ipv6()) return;
  expect(from_client(packet(client(), vip()).udp(kClientPort, 53).without_checksum().payload(7)), kSent,
         to_backend(packet(source(), backend(), 63).udp(number, 5353).without_checksum().payload(7)));
}

TEST_P(FullNatPorts, never_gives_one_port_to_two_connections) {
  world_->publish({one_backend()});
  std::set<std::uint16_t> numbers;
  for (std::uint16_t i = 0; i < 2000; ++i) {
    const auto from = static_cast<std::uint16_t>(20000 + i);
    ASSERT_EQ(from_client(kSyn, from).reason, kSent);
  }
  for (const Port& port : world_->ports()) numbers.insert(port.number);
  EXPECT_EQ(numbers.size(), 2000U);
  EXPECT_EQ(world_->ports().size(), 2000U);
}

TEST_P(FullNatPorts, gives_nearly_all_ports_before_one_is_refused) {
  if (std::get<0>(GetParam()) != EngineKind::native) return;  // one engine's arithmetic is every engine's
  world_->publish({one_backend()});
  constexpr std::uint32_t kPorts = 65536 - core::kFirstPort;
  std::uint32_t given = 0;
  std::uint32_t refused = 0;
  const auto open_as = [&](unsigned last, std::uint16_t port) {
    const std::string from = ipv6() ? "2001:db8:1::" + std::to_string(last) : "192.0.2." + std::to_string(last);
    const Reason reason = world_->send(from_client(packet(from, vip()).tcp(port, 80, kSyn))).reason;
    reason == kSent ? ++given : ++refused;
  };
  for (std::uint32_t i = 0; given < kPorts * 7 / 10; ++i)
    open_as(1 + i / 60000, static_cast<std::uint16_t>(1024 + i % 60000));
  // Half-open ones would give way: what is seen here is that there was a free one.
  EXPECT_EQ(refused, 0U);
  EXPECT_EQ(world_->ports().size(), given);
}

TEST_P(FullNatPorts, connections_with_the_same_tag_have_a_port_each) {
  world_->publish({one_backend()});
  // Of a hundred thousand connections some have one tag: the two are found, and neither is taken for the other.
  std::map<std::uint32_t, std::pair<unsigned, std::uint16_t>> seen;
  const auto client_of = [&](unsigned i) {
    return ipv6() ? "2001:db8:1::" + std::to_string(100 + i) : "192.0.2." + std::to_string(100 + i);
  };
  std::size_t pairs = 0;
  for (unsigned i = 0; i < 4 && pairs < 2; ++i) {
    for (std::uint32_t from = 1024; from < 60000 && pairs < 2; ++from) {
      const core::FlowTuple flow{.client = address(client_of(i)),
                                 .address = address(vip()),
                                 .client_port = core::be16(static_cast<std::uint16_t>(from)),
                                 .port = core::be16(80),
                                 .protocol = core::kProtocolTcp};
      const core::FlowHash hash = core::flow_hash(flow, world_->tables().settings().hash_key, core::kPortLines - 1);
      const auto [other, is_new] = seen.try_emplace(hash.tag, i, static_cast<std::uint16_t>(from));
      if (is_new) continue;
      ++pairs;
      const auto [of_other, its_port] = other->second;
      const auto before = world_->ports().size();
      EXPECT_EQ(world_->send(from_client(packet(client_of(of_other), vip()).tcp(its_port, 80, kSyn))).reason, kSent);
      EXPECT_EQ(
          world_->send(from_client(packet(client_of(i), vip()).tcp(static_cast<std::uint16_t>(from), 80, kSyn))).reason,
          kSent);
      EXPECT_EQ(world_->ports().size(), before + 2);
    }
  }
  EXPECT_GT(pairs, 0U);
}

TEST_P(FullNatPorts, has_no_port_for_a_segment_in_mid_connection_that_nobody_knows) {
  world_->publish({one_backend()});
  const Outcome outcome = from_client(kAck);
  EXPECT_EQ(outcome.exit, Exit::drop);
  EXPECT_EQ(outcome.reason, Reason::no_connection);
  EXPECT_TRUE(world_->ports().empty());
}

TEST_P(FullNatPorts, drops_by_name_where_there_is_no_source_address) {
  publish_sources({}, one_backend());
  const Outcome outcome = from_client(kSyn);
  EXPECT_EQ(outcome.exit, Exit::drop);
  EXPECT_EQ(outcome.reason, Reason::no_port);
}

TEST_P(FullNatPorts, drops_by_name_what_finds_no_port_and_leaves_the_others_theirs) {
  world_->publish({one_backend()});
  const std::uint16_t number = open();
  // As if every other port had an established connection.
  for (core::FlowLine& line : world_->tables().ports()) {
    for (std::uint64_t& entry : line.entries) {
      if (entry == 0)
        entry = core::pack({.tag = 0x3ffffff1, .age = 0, .state = core::FlowState::established, .backend = 0});
    }
  }
  // The clock of the engine, whatever it says, is that of the one connection.
  const std::uint32_t age = port().record.entry.age;
  for (core::FlowLine& line : world_->tables().ports()) {
    for (std::uint64_t& place : line.entries) {
      core::FlowEntry entry = core::unpack(place);
      entry.age = age;
      place = core::pack(entry);
    }
  }
  EXPECT_EQ(from_client(kSyn, 555).reason, Reason::no_port);
  EXPECT_EQ(from_client(kAck).reason, kSent);
  EXPECT_EQ(port().number, number);
}

TEST_P(FullNatPorts, ended_connections_give_way_once_they_have_rested) {
  world_->publish({one_backend()});
  from_client(kSyn);
  const std::uint32_t now = port().record.entry.age;
  const auto fill = [&](std::uint32_t idle) {
    for (core::FlowLine& line : world_->tables().ports()) {
      for (std::uint64_t& entry : line.entries)
        entry = core::pack(
            {.tag = 0x3ffffff1, .age = (now - idle) & core::kAgeMask, .state = core::FlowState::closing, .backend = 0});
    }
  };
  fill(core::kPortRest - 1);
  EXPECT_EQ(from_client(kSyn, 777).reason, Reason::no_port);
  fill(core::kPortRest);
  EXPECT_EQ(from_client(kSyn, 777).reason, kSent);
}

TEST_P(FullNatPorts, half_open_ports_give_way_and_established_ones_do_not) {
  world_->publish({one_backend()});
  std::vector<std::uint16_t> opened;
  for (std::uint16_t i = 0; i < 50; ++i) opened.push_back(open(static_cast<std::uint16_t>(1000 + i)));
  const std::uint32_t age = port(1000).record.entry.age;
  for (core::FlowLine& line : world_->tables().ports()) {
    for (std::uint64_t& entry : line.entries) {
      if (entry == 0)
        entry = core::pack({.tag = 0x3ffffff1, .age = age, .state = core::FlowState::half_open, .backend = 0});
    }
  }
  for (std::uint16_t i = 0; i < 500; ++i)
    EXPECT_EQ(from_client(kSyn, static_cast<std::uint16_t>(30000 + i)).reason, kSent);
  for (std::uint16_t i = 0; i < 50; ++i)
    EXPECT_EQ(port(static_cast<std::uint16_t>(1000 + i)).number, opened[i]) << "connection " << i;
}

TEST_P(FullNatPorts, port_rests_after_a_connection_and_is_free_then) {
  world_->publish({one_backend()});
  open();
  from_client(kFin | kAck);
  reply(kRst, port().number);
  world_->let_pass(core::kPortRest - 1);
  dataplane::take_census(world_->tables(), 0);
  EXPECT_EQ(world_->ports().size(), 1U) << "TIME_WAIT at the backend";
  world_->let_pass(2);
  world_->let_pass(8);  // closing
  dataplane::take_census(world_->tables(), 0);
  EXPECT_TRUE(world_->ports().empty());
}

TEST_P(FullNatPorts, connection_keeps_its_port_and_backend_whatever_becomes_of_the_flow_table) {
  const Service both = tcp_service().backend(backend(), {.port = 8080}).backend(other_backend(), {.port = 8080});
  const auto published = world_->publish({both});
  for (std::uint16_t i = 0; i < 40; ++i) from_client(kSyn, static_cast<std::uint16_t>(5000 + i));
  const auto before = world_->ports();
  for (core::FlowLine& line : world_->tables().flows()) line = {};
  // All new connections go to the one backend now.
  world_->publish({tcp_service()
                       .backend(backend(), {.port = 8080})
                       .backend(other_backend(), {.port = 8080, .rotation = dataplane::Rotation::out})});
  for (std::uint16_t i = 0; i < 40; ++i)
    EXPECT_EQ(from_client(kAck, static_cast<std::uint16_t>(5000 + i)).reason, kSent);
  const auto after = world_->ports();
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i].number, before[i].number);
    EXPECT_EQ(after[i].record.entry.backend, before[i].record.entry.backend);
  }
  EXPECT_TRUE(std::any_of(after.begin(), after.end(), [&](const Port& port) {
    return port.record.entry.backend == published.services[0].backends[1];
  }));
}

TEST_P(FullNatPorts, syn_of_a_port_that_is_used_again_leaves_a_backend_that_is_out) {
  const Service both = tcp_service().backend(backend(), {.port = 8080}).backend(other_backend(), {.port = 8080});
  const auto published = world_->publish({both});
  for (std::uint16_t i = 0; i < 20; ++i) from_client(kSyn, static_cast<std::uint16_t>(5000 + i));
  world_->publish({tcp_service()
                       .backend(backend(), {.port = 8080})
                       .backend(other_backend(), {.port = 8080, .rotation = dataplane::Rotation::out})});
  for (std::uint16_t i = 0; i < 20; ++i) from_client(kSyn, static_cast<std::uint16_t>(5000 + i));
  ASSERT_EQ(world_->ports().size(), 20U);
  for (const Port& port : world_->ports()) EXPECT_EQ(port.record.entry.backend, published.services[0].backends[0]);
}

TEST_P(FullNatPorts, source_address_that_comes_changes_no_connection) {
  publish_sources({source()}, one_backend());
  std::vector<std::uint16_t> numbers;
  // One client has one source address: of many clients, some change theirs.
  const auto client_of = [&](unsigned i) {
    return ipv6() ? "2001:db8:1::" + std::to_string(100 + i) : "192.0.2." + std::to_string(100 + i);
  };
  for (unsigned i = 0; i < 40; ++i)
    EXPECT_EQ(world_->send(from_client(packet(client_of(i), vip()).tcp(kClientPort, 80, kSyn))).reason, kSent);
  const auto before = world_->ports();
  publish_sources({source(), other_source()}, one_backend());
  for (unsigned i = 0; i < 40; ++i)
    EXPECT_EQ(world_->send(from_client(packet(client_of(i), vip()).tcp(kClientPort, 80, kAck))).reason, kSent);
  const auto after = world_->ports();
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i].number, before[i].number);
  settle();
  EXPECT_NE(world_->tables().settings().strays, 0U);
  for (unsigned i = 0; i < 40; ++i)
    world_->send(from_client(packet(client_of(i), vip()).tcp(kClientPort + 1, 80, kSyn)));
  const auto more = world_->ports();
  EXPECT_TRUE(
      std::any_of(more.begin(), more.end(), [&](const Port& port) { return port.source == address(other_source()); }));
}

TEST_P(FullNatPorts, source_address_that_goes_keeps_its_connections_until_they_end) {
  publish_sources({source(), other_source()}, one_backend());
  const auto client_of = [&](unsigned i) {
    return ipv6() ? "2001:db8:1::" + std::to_string(100 + i) : "192.0.2." + std::to_string(100 + i);
  };
  for (unsigned i = 0; i < 40; ++i) world_->send(from_client(packet(client_of(i), vip()).tcp(kClientPort, 80, kSyn)));
  publish_sources({source()}, one_backend());
  settle();
  for (const Port& port : world_->ports()) {
    const bool first = port.source == address(source());
    expect(from_backend(packet(backend(), first ? source() : other_source()).tcp(8080, port.number, kSyn | kAck)),
           port.record.flow.client == address(client()) ? kSent : Reason::no_neighbour,
           from_backend(packet(backend(), first ? source() : other_source()).tcp(8080, port.number, kSyn | kAck)));
    if (HasFailure()) break;
  }
  for (unsigned i = 0; i < 40; ++i)
    world_->send(from_client(packet(client_of(i), vip()).tcp(kClientPort + 1, 80, kSyn)));
  for (const Port& port : world_->ports()) {
    if (host(port.record.flow.client_port) == kClientPort + 1) {
      EXPECT_TRUE(port.source == address(source()));
    }
  }
  world_->let_pass(200);
  settle();
  const auto& sources = world_->tables().settings().port_sources;
  EXPECT_EQ(std::count(std::begin(sources), std::end(sources), address(other_source())), 0) << "given back";
  EXPECT_EQ(world_->tables().settings().strays, 0U);
}

TEST_P(FullNatPorts, connections_of_a_service_that_was_away_have_their_ports_of_an_earlier_source_address) {
  publish_sources({source()}, one_backend());
  const std::uint16_t number = open();
  publish_sources({other_source()}, one_backend());
  publish_sources({other_source()}, Service(vip(), 81).full_nat().backend(backend(), {.port = 8081}));
  settle();
  publish_sources({other_source()}, one_backend());
  EXPECT_EQ(from_client(kAck).reason, kSent);
  EXPECT_EQ(port().number, number);
}

/// While an engine reads a record, it looks for the backend: then another CPU has its turn.
class Interrupted : public native::NativeEngine<> {
 public:
  Interrupted(const dataplane::Tables& tables, native::Frame& frame, const native::Surroundings& around,
              std::function<void()> meanwhile)
      : NativeEngine(tables, frame, around), meanwhile_(std::move(meanwhile)) {}
  const core::Backend* backend(std::uint32_t number) {
    meanwhile_();
    return NativeEngine::backend(number);
  }

 private:
  std::function<void()> meanwhile_;
};

TEST_P(FullNatPorts, record_is_the_connections_while_packets_on_other_cpus_change_its_age_and_state) {
  world_->publish({one_backend()});
  open();
  const dataplane::FlowRecord record = port().record;
  const auto index = static_cast<core::PortIndex>(record.slot);
  const std::uint32_t source = core::source_of_port(index);
  std::uint64_t& place = world_->tables().ports()[index / core::kEntriesPerLine].entries[index % core::kEntriesPerLine];
  native::Frame no_frame({});
  const native::Surroundings around;
  core::FlowEntry changed = record.entry;
  Interrupted engine(world_->tables(), no_frame, around, [&] { place = core::pack(changed); });
  const core::Connection connection{.flow = record.flow, .hash = core::connection_hash(engine, record.flow)};
  const auto reads_while_it_becomes = [&](const core::FlowEntry& entry) {
    place = core::pack(record.entry);
    changed = entry;
    core::FlowTuple flow{};
    const bool read = core::read_port(engine, index, flow) == record.entry.backend;
    place = core::pack(record.entry);
    const bool found = core::find_port(engine, connection, source) == index;
    EXPECT_EQ(read, found);
    return read && found;
  };
  const auto [tag, age, state, number] = record.entry;
  EXPECT_TRUE(reads_while_it_becomes({.tag = tag, .age = age + 1, .state = state, .backend = number}));
  EXPECT_TRUE(reads_while_it_becomes({.tag = tag, .age = age, .state = core::FlowState::closing, .backend = number}));
  EXPECT_FALSE(reads_while_it_becomes({.tag = tag, .age = age, .state = core::FlowState::claimed, .backend = number}));
  EXPECT_FALSE(reads_while_it_becomes({.tag = tag ^ 1U, .age = age, .state = state, .backend = number}));
}

TEST_P(FullNatPorts, ring_only_tables_give_out_ports_that_the_others_do_not) {
  world_->publish({one_backend()});
  for (const auto& [which, odd] : {std::pair(core::kOld, 0U), std::pair(core::kNew, 1U)}) {
    world_->tables().settings().header.ring_only = which;
    for (std::uint16_t i = 0; i < 200; ++i)
      EXPECT_EQ(from_client(kSyn, static_cast<std::uint16_t>(1000 * (2 + odd) + i)).reason, kSent);
    for (const Port& port : world_->ports()) {
      if (host(port.record.flow.client_port) / 1000 == 2 + odd) {
        EXPECT_EQ(port.number % 2, odd);
      }
    }
  }
  world_->tables().settings().header.ring_only = core::kAlone;
}

TEST_P(FullNatPorts, fragments_to_the_source_address_that_come_first_are_held) {
  world_->publish({Service(vip(), 53).udp().full_nat().backend(backend(), {.port = 5353})});
  EXPECT_EQ(world_->send(from_backend(later(packet(backend(), source())))).reason, Reason::fragment_held);
}

TEST_P(FullNatPorts, errors_about_replies_reach_the_backend_as_from_the_source_address) {
  world_->publish({one_backend()});
  const std::uint16_t number = open();
  const Packet sent_to_client = packet(vip(), client(), 60).tcp(80, kClientPort, kAck).payload(200);
  const Packet sent_by_backend = packet(backend(), source(), 60).tcp(8080, number, kAck).payload(200);
  expect(from_client(error(packet(router(), vip()), sent_to_client)), Reason::relayed,
         to_backend(error(packet(source(), backend(), 63), sent_by_backend)));
}

TEST_P(FullNatPorts, numbers_of_backends_are_not_used_again_while_a_port_names_them) {
  world_->publish({one_backend()});
  open();
  for (core::FlowLine& line : world_->tables().flows()) line = {};
  world_->publish({tcp_service().backend(other_backend(), {.port = 8080})});
  settle();
  EXPECT_EQ(world_->publisher().retired().size(), 1U);
  EXPECT_EQ(from_client(kAck).reason, kSent) << "the connection goes on";
  world_->let_pass(500);
  settle();
  EXPECT_TRUE(world_->publisher().retired().empty());
}

ASTIL_ON_EVERY_ENGINE_AND_VERSION(FullNatPorts);

}  // namespace
}  // namespace astil::test
