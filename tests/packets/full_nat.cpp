// Full NAT: both ends of a connection change, replies come back to a port of the balancer's own, and no port is ever of
// two connections.
#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "dataplane/native/native_engine.hpp"
#include "tests/packets/complaint.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

using core::Reason;

enum class Version { ipv4, ipv6 };
using Kind = std::tuple<EngineKind, Version>;

constexpr std::uint16_t kClientPort = 40000;
constexpr std::uint32_t kIdentification = 0x1234;

class FullNat : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    world_ = make_world(std::get<0>(GetParam()));
    if (!world_) GTEST_SKIP() << "no kernel engine here";
  }
  [[nodiscard]] bool ipv6() const { return std::get<1>(GetParam()) == Version::ipv6; }
  [[nodiscard]] std::string_view vip() const { return ipv6() ? "2001:db8::1" : "198.51.100.1"; }
  [[nodiscard]] std::string_view backend() const { return ipv6() ? "2001:db8:b::1" : "10.0.0.1"; }
  [[nodiscard]] std::string_view other_backend() const { return ipv6() ? "2001:db8:b::2" : "10.0.0.2"; }
  [[nodiscard]] std::string_view client() const { return ipv6() ? kClient6 : kClient; }
  [[nodiscard]] std::string_view source() const { return ipv6() ? kPortSource6 : kPortSource; }
  [[nodiscard]] std::string_view other_source() const { return ipv6() ? "2001:db8:b::201" : "10.0.0.201"; }
  [[nodiscard]] std::string_view router() const { return ipv6() ? "2001:db8:7::7" : "198.18.0.7"; }

  [[nodiscard]] Packet packet(std::string_view from, std::string_view to, std::uint8_t hops = 64) const {
    Packet packet;
    return ipv6() ? packet.ipv6(from, to).hop_limit(hops) : packet.ipv4(from, to).fragment(0).time_to_live(hops);
  }
  [[nodiscard]] static Packet from_client(Packet packet) { return packet.ethernet(kBalancerMac, kClientMac); }
  [[nodiscard]] static Packet to_backend(Packet packet) { return packet.ethernet(mac(0xb1), kBalancerMac); }
  [[nodiscard]] static Packet from_backend(Packet packet) { return packet.ethernet(kBalancerMac, mac(0xb1)); }
  [[nodiscard]] static Packet to_client(Packet packet) { return packet.ethernet(kClientMac, kOutsideMac); }
  [[nodiscard]] Packet error(Packet packet, const Packet& quoted, std::size_t quoted_bytes = 0) const {
    return ipv6() ? packet.icmp_error(2, 0, 1400, quoted, quoted_bytes)
                  : packet.icmp_error(3, 4, 1400, quoted, quoted_bytes);
  }
  /// The first 64 bytes of a datagram, and what follows.
  [[nodiscard]] Packet first(Packet packet, std::uint16_t from, std::uint16_t to) const {
    if (ipv6()) packet.fragment_header(0, Following::more, kIdentification);
    if (!ipv6()) packet.fragment(kMoreFragmentsBit).identification(kIdentification);
    return packet.udp(from, to).payload(56);
  }
  [[nodiscard]] static Packet later(Packet packet) {
    return packet.identification(kIdentification).later_fragment(core::kProtocolUdp, 64, 100);
  }

  [[nodiscard]] Service tcp_service() const { return Service(vip(), 80).full_nat(); }
  [[nodiscard]] Service one_backend() const { return tcp_service().backend(backend(), {.port = 8080}); }

  Outcome from_client(std::uint8_t flags, std::uint16_t port = kClientPort) {
    return world_->send(from_client(packet(client(), vip()).tcp(port, 80, flags)));
  }
  Outcome reply(std::uint8_t flags, std::uint16_t to) {
    return world_->send(from_backend(packet(backend(), source()).tcp(8080, to, flags)));
  }
  /// The only port that a client's port has.
  [[nodiscard]] Port port(std::uint16_t client_port = kClientPort) const {
    Port found;
    std::size_t count = 0;
    for (const Port& port : world_->ports()) {
      if (host(port.record.flow.client_port) != client_port) continue;
      found = port;
      ++count;
    }
    EXPECT_EQ(count, 1U) << "ports of the client's port " << client_port;
    return found;
  }
  std::uint16_t open(std::uint16_t client_port = kClientPort) {
    EXPECT_EQ(from_client(kSyn, client_port).reason, kSent);
    const std::uint16_t number = port(client_port).number;
    EXPECT_EQ(reply(kSyn | kAck, number).reason, kSent);
    EXPECT_EQ(from_client(kAck, client_port).reason, kSent);
    return number;
  }
  void expect(const Packet& in, Reason reason, const Packet& out) {
    const Outcome outcome = world_->send(in);
    EXPECT_EQ(outcome.reason, reason);
    EXPECT_EQ(outcome.bytes, out.bytes());
    EXPECT_EQ(complaint_of_frame(outcome.bytes), "");
  }
  void publish_sources(const std::vector<std::string_view>& sources, const Service& service) {
    dataplane::DesiredState state = desired({service});
    state.port_sources.clear();
    for (const std::string_view text : sources) state.port_sources.push_back(address(text));
    ASSERT_TRUE(world_->publisher().publish(state).has_value());
  }
  void settle() {
    const dataplane::Census census = dataplane::take_census(world_->tables(), 0);
    world_->publisher().release([&](std::uint32_t number) { return census.named[number] != 0; });
    world_->publisher().settle_sources(census.ports);
  }

  std::unique_ptr<World> world_;
};

TEST_P(FullNat, gives_a_connection_a_port_of_the_source_address) {
  world_->publish({one_backend()});
  const Outcome outcome = world_->send(from_client(packet(client(), vip()).tcp(kClientPort, 80, kSyn).payload(9)));
  const Port given = port();
  EXPECT_EQ(outcome.reason, kSent);
  EXPECT_EQ(outcome.exit, Exit::back_out);
  EXPECT_TRUE(given.source == address(source()));
  EXPECT_GE(given.number, core::kFirstPort);
  EXPECT_EQ(outcome.bytes,
            to_backend(packet(source(), backend(), 63).tcp(given.number, 8080, kSyn).payload(9)).bytes());
}

TEST_P(FullNat, keeps_the_port_as_long_as_the_connection_lasts) {
  world_->publish({one_backend()});
  const std::uint16_t number = open();
  for (std::uint32_t i = 0; i < 6; ++i) {
    expect(from_client(packet(client(), vip()).tcp(kClientPort, 80, kAck).payload(100)), kSent,
           to_backend(packet(source(), backend(), 63).tcp(number, 8080, kAck).payload(100)));
    world_->let_pass(2);
  }
}

TEST_P(FullNat, gives_a_reply_both_ends_of_the_service) {
  world_->publish({one_backend()});
  from_client(kSyn);
  const std::uint16_t number = port().number;
  expect(from_backend(packet(backend(), source()).tcp(8080, number, kSyn | kAck).payload(3)), kSent,
         to_client(packet(vip(), client(), 63).tcp(80, kClientPort, kSyn | kAck).payload(3)));
}

TEST_P(FullNat, leaves_what_comes_to_a_port_of_nobody_to_the_kernel) {
  world_->publish({one_backend()});
  const std::uint16_t number = open();
  const auto expect_pass = [&](const Packet& packet) {
    const Outcome outcome = world_->send(packet);
    EXPECT_EQ(outcome.reason, Reason::unknown_reply);
    EXPECT_TRUE(passed_untouched(outcome, packet));
  };
  const auto other = static_cast<std::uint16_t>(number ^ 1U);
  expect_pass(from_backend(packet(backend(), source()).tcp(8080, other, kAck)));
  expect_pass(from_backend(packet(backend(), source()).tcp(8081, number, kAck)));
  expect_pass(from_backend(packet(other_backend(), source()).tcp(8080, number, kAck)));
  expect_pass(from_backend(packet(backend(), source()).udp(8080, number)));
  expect_pass(from_backend(packet(backend(), source()).tcp(8080, 22, kSyn)));
}

TEST_P(FullNat, of_datagrams_has_ports_too_and_keeps_a_missing_checksum_missing) {
  world_->publish({Service(vip(), 53).udp().full_nat().backend(backend(), {.port = 5353})});
  EXPECT_EQ(world_->send(from_client(packet(client(), vip()).udp(kClientPort, 53).payload(30))).reason, kSent);
  const std::uint16_t number = port().number;
  expect(from_backend(packet(backend(), source()).udp(5353, number).payload(300)), kSent,
         to_client(packet(vip(), client(), 63).udp(53, kClientPort).payload(300)));
  if (ipv6()) return;
  expect(from_client(packet(client(), vip()).udp(kClientPort, 53).without_checksum().payload(7)), kSent,
         to_backend(packet(source(), backend(), 63).udp(number, 5353).without_checksum().payload(7)));
}

TEST_P(FullNat, of_a_service_on_any_port_keeps_the_services_port) {
  world_->publish({Service(vip(), 0).full_nat().backend(backend())});
  EXPECT_EQ(world_->send(from_client(packet(client(), vip()).tcp(kClientPort, 8443, kSyn))).reason, kSent);
  const std::uint16_t number = port().number;
  expect(from_backend(packet(backend(), source()).tcp(8443, number, kSyn | kAck)), kSent,
         to_client(packet(vip(), client(), 63).tcp(8443, kClientPort, kSyn | kAck)));
  expect(from_client(packet(client(), vip()).tcp(kClientPort, 8443, kAck)), kSent,
         to_backend(packet(source(), backend(), 63).tcp(number, 8443, kAck)));
}

TEST_P(FullNat, never_gives_one_port_to_two_connections) {
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

TEST_P(FullNat, gives_nearly_all_ports_before_one_is_refused) {
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

TEST_P(FullNat, connections_with_the_same_tag_have_a_port_each) {
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

TEST_P(FullNat, has_no_port_for_a_segment_in_mid_connection_that_nobody_knows) {
  world_->publish({one_backend()});
  const Outcome outcome = from_client(kAck);
  EXPECT_EQ(outcome.exit, Exit::drop);
  EXPECT_EQ(outcome.reason, Reason::no_connection);
  EXPECT_TRUE(world_->ports().empty());
}

TEST_P(FullNat, drops_by_name_where_there_is_no_source_address) {
  publish_sources({}, one_backend());
  const Outcome outcome = from_client(kSyn);
  EXPECT_EQ(outcome.exit, Exit::drop);
  EXPECT_EQ(outcome.reason, Reason::no_port);
}

TEST_P(FullNat, drops_by_name_what_finds_no_port_and_leaves_the_others_theirs) {
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

TEST_P(FullNat, half_open_ports_give_way_and_established_ones_do_not) {
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

TEST_P(FullNat, port_rests_after_a_connection_and_is_free_then) {
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

TEST_P(FullNat, resets_that_anyone_can_send_do_not_end_an_established_connection) {
  world_->publish({one_backend()});
  const std::uint16_t number = open();
  from_client(kRst);
  EXPECT_EQ(world_->send(from_backend(packet(backend(), source()).tcp(8080, number, kAck).payload(10))).reason, kSent);
  EXPECT_EQ(port().record.entry.state, core::FlowState::established);
}

TEST_P(FullNat, connection_keeps_its_port_and_backend_whatever_becomes_of_the_flow_table) {
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

TEST_P(FullNat, syn_of_a_port_that_is_used_again_leaves_a_backend_that_is_out) {
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

TEST_P(FullNat, source_address_that_comes_changes_no_connection) {
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

TEST_P(FullNat, source_address_that_goes_keeps_its_connections_until_they_end) {
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

TEST_P(FullNat, connections_of_a_service_that_was_away_have_their_ports_of_an_earlier_source_address) {
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

TEST_P(FullNat, record_is_the_connections_while_packets_on_other_cpus_change_its_age_and_state) {
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

TEST_P(FullNat, ring_only_tables_give_out_ports_that_the_others_do_not) {
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

TEST_P(FullNat, fragments_follow_the_first_both_ways) {
  world_->publish({Service(vip(), 53).udp().full_nat().backend(backend(), {.port = 5353})});
  EXPECT_EQ(world_->send(from_client(first(packet(client(), vip()), kClientPort, 53))).reason, kSent);
  const std::uint16_t number = port().number;
  expect(from_client(later(packet(client(), vip()))), kSent, to_backend(later(packet(source(), backend(), 63))));
  EXPECT_EQ(world_->send(from_backend(first(packet(backend(), source()), 5353, number))).reason, kSent);
  expect(from_backend(later(packet(backend(), source()))), kSent, to_client(later(packet(vip(), client(), 63))));
}

TEST_P(FullNat, fragments_to_the_source_address_that_come_first_are_held) {
  world_->publish({Service(vip(), 53).udp().full_nat().backend(backend(), {.port = 5353})});
  EXPECT_EQ(world_->send(from_backend(later(packet(backend(), source())))).reason, Reason::fragment_held);
}

TEST_P(FullNat, errors_about_replies_reach_the_backend_as_from_the_source_address) {
  world_->publish({one_backend()});
  const std::uint16_t number = open();
  const Packet sent_to_client = packet(vip(), client(), 60).tcp(80, kClientPort, kAck).payload(200);
  const Packet sent_by_backend = packet(backend(), source(), 60).tcp(8080, number, kAck).payload(200);
  expect(from_client(error(packet(router(), vip()), sent_to_client)), Reason::relayed,
         to_backend(error(packet(source(), backend(), 63), sent_by_backend)));
}

TEST_P(FullNat, errors_about_requests_reach_the_client_and_hide_the_backend) {
  world_->publish({one_backend()});
  const std::uint16_t number = open();
  const Packet forwarded = packet(source(), backend(), 63).tcp(number, 8080, kAck).payload(40);
  const Packet original = packet(client(), vip(), 63).tcp(kClientPort, 80, kAck).payload(40);
  expect(from_backend(error(packet(backend(), source()), forwarded)), Reason::relayed,
         to_client(error(packet(vip(), client(), 63), original)));
  expect(from_backend(error(packet(router(), source()), forwarded)), Reason::relayed,
         to_client(error(packet(router(), client(), 63), original)));
}

TEST_P(FullNat, errors_about_connections_that_nobody_has_pass) {
  world_->publish({one_backend()});
  const std::uint16_t number = open();
  const auto expect_pass = [&](const Packet& packet) { EXPECT_TRUE(passed_untouched(world_->send(packet), packet)); };
  expect_pass(from_client(error(packet(router(), vip()), packet(vip(), client()).tcp(80, 777, kAck))));
  const auto other = static_cast<std::uint16_t>(number ^ 1U);
  expect_pass(from_backend(error(packet(router(), source()), packet(source(), backend()).tcp(other, 8080, kAck))));
  expect_pass(
      from_backend(error(packet(router(), source()), packet(source(), other_backend()).tcp(number, 8080, kAck))));
}

TEST_P(FullNat, tells_the_sender_of_what_the_way_to_the_backend_does_not_carry) {
  world_->publish({tcp_service().backend(backend(), {.port = 8080, .mtu = 1300})});
  open();
  const Outcome outcome = world_->send(from_client(packet(client(), vip()).tcp(kClientPort, 80, kAck).payload(1400)));
  EXPECT_EQ(outcome.reason, Reason::told_too_big);
  EXPECT_EQ(complaint_of_frame(outcome.bytes), "");
}

TEST_P(FullNat, flow_table_learns_from_replies_as_under_nat) {
  world_->publish({one_backend()});
  from_client(kSyn);
  reply(kSyn | kAck, port().number);
  EXPECT_EQ(world_->flow(client(), kClientPort, vip(), 80)->state, core::FlowState::answered);
  from_client(kAck);
  EXPECT_EQ(world_->flow(client(), kClientPort, vip(), 80)->state, core::FlowState::established);
  EXPECT_EQ(port().record.entry.state, core::FlowState::established);
}

TEST_P(FullNat, counts_packets_both_ways) {
  const auto published = world_->publish({one_backend()});
  const std::uint16_t number = open();
  world_->send(from_client(packet(client(), vip()).tcp(kClientPort, 80, kAck).payload(1000)));
  reply(kAck, number);
  const core::Counter counter = world_->tables().sum_counter(published.services[0].backends[0]);
  EXPECT_EQ(counter.packets, 5U);
  EXPECT_EQ(counter.connections, 1U);
}

TEST_P(FullNat, numbers_of_backends_are_not_used_again_while_a_port_names_them) {
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

INSTANTIATE_TEST_SUITE_P(on, FullNat, testing::Combine(kEveryEngine, testing::Values(Version::ipv4, Version::ipv6)),
                         [](const testing::TestParamInfo<Kind>& kind) {
                           return std::string(name_of(std::get<0>(kind.param))) +
                                  (std::get<1>(kind.param) == Version::ipv6 ? "_ipv6" : "_ipv4");
                         });

}  // namespace
}  // namespace astil::test
