// Where nobody serves a client: a service without a backend in rotation refuses, and the connections of a backend that
// went down are reset. Where that is set; what is answered is counted by name, with its service.
#include "dataplane/core/refuse.hpp"
#include "tests/packets/both_versions.hpp"
#include "tests/packets/complaint.hpp"
#include "tests/packets/sense.hpp"

namespace astil::test {
namespace {

using core::Reason;
using dataplane::Rotation;

constexpr std::uint16_t kClientPort = 40000;
constexpr std::uint32_t kSequence = 0xfffffff0;
constexpr std::uint32_t kAcknowledgment = 0x80000001;

class Refusals : public BothVersions {
 protected:
  void SetUp() override {
    BothVersions::SetUp();
    stay_on_this_cpu();
  }

  /// A service that has nobody.
  [[nodiscard]] Service empty(std::uint16_t port) const { return Service(vip(), port).refusing(); }

  /// As clients send; what the answer is about.
  [[nodiscard]] Packet incoming() const { return from_client(packet(client(), vip())); }
  /// What goes back: not to be fragmented and not numbered, of our own time to live.
  [[nodiscard]] Packet answer() const {
    Packet answer = packet(vip(), client()).ethernet(kClientMac, kBalancerMac);
    if (!ipv6()) answer.identification(0).fragment(0);
    return answer;
  }
  [[nodiscard]] Packet reset(std::uint16_t from, std::uint8_t flags, std::uint32_t sequence,
                             std::uint32_t acknowledgment) const {
    return answer().tcp(from, kClientPort, flags).sequence(sequence, acknowledgment).window(0);
  }
  [[nodiscard]] Packet port_unreachable(const Packet& about, std::size_t quoted) const {
    return ipv6() ? answer().icmp_error(1, 4, 0, about, quoted) : answer().icmp_error(3, 3, 0, about, quoted);
  }

  void expect_answer(const Packet& in, Reason reason, const Packet& out) {
    const Outcome outcome = world_->send(in);
    EXPECT_EQ(outcome.reason, reason);
    EXPECT_EQ(outcome.exit, Exit::back_out);
    EXPECT_EQ(outcome.bytes, out.bytes());
    EXPECT_EQ(complaint_of_frame(outcome.bytes), "");
  }
  [[nodiscard]] std::uint64_t of_service(std::uint32_t id, Reason reason) const {
    return world_->tables().sum_drops(id).counts[core::drop_place(reason)];
  }
  /// As if a CPU had sent as many as it may.
  void exhaust(core::LimitKind kind) {
    for (core::CpuRow& row : world_->tables().cpu_rows())
      row.limits[static_cast<std::size_t>(kind)] = {.unit = 0, .count = 1U << 30U};
  }
  /// A connection to a backend that goes down then.
  void open_and_lose(const Service& before, const Service& after) {
    world_->publish({before});
    ASSERT_EQ(world_->send(incoming().tcp(kClientPort, 80, kSyn)).reason, kSent);
    ASSERT_EQ(world_->send(incoming().tcp(kClientPort, 80, kAck)).reason, kSent);
    world_->publish({after});
  }
};

TEST_P(Refusals, of_a_syn_are_resets_that_acknowledge_it) {
  world_->publish({empty(80)});
  expect_answer(incoming().tcp(kClientPort, 80, kSyn).sequence(kSequence, 0), Reason::refused,
                reset(80, kRst | kAck, 0, kSequence + 1));
  EXPECT_FALSE(world_->flow(client(), kClientPort, vip(), 80)) << "nothing is remembered";
}

TEST_P(Refusals, acknowledge_data_syn_and_fin_by_their_length) {
  world_->publish({empty(80)});
  expect_answer(incoming().tcp(kClientPort, 80, kSyn | kFin).mss(1460).sequence(kSequence, 0).payload(37),
                Reason::refused, reset(80, kRst | kAck, 0, kSequence + 39));
}

TEST_P(Refusals, of_a_segment_that_acknowledges_have_the_sequence_that_is_expected) {
  world_->publish({empty(80)});
  expect_answer(incoming().tcp(kClientPort, 80, kAck).sequence(kSequence, kAcknowledgment).payload(900),
                Reason::refused, reset(80, kRst, kAcknowledgment, 0));
}

TEST_P(Refusals, of_a_datagram_say_that_the_port_is_unreachable_and_quote_it) {
  world_->publish({empty(53).udp()});
  const std::size_t headers = (ipv6() ? 40 : 20) + 8;
  const std::size_t most = (ipv6() ? 1280 - 40 : 576 - 20) - 8;
  for (const std::size_t payload : {0, 1, 2, 3, 4, 700, 1400}) {
    const Packet about = incoming().udp(kClientPort, 53).payload(payload);
    expect_answer(about, Reason::refused, port_unreachable(about, std::min((headers + payload) & ~3U, most)));
  }
}

TEST_P(Refusals, leave_options_and_extension_headers_out_of_a_reset) {
  world_->publish({empty(80)});
  Packet with_more = incoming();
  if (ipv6()) with_more.hop_by_hop(2).destination_options();
  if (!ipv6()) with_more.options(5);
  expect_answer(with_more.tcp(kClientPort, 80, kSyn).sequence(kSequence, 0).payload(11), Reason::refused,
                reset(80, kRst | kAck, 0, kSequence + 12));
}

TEST_P(Refusals, go_back_with_the_tags_that_the_packet_had) {
  world_->publish({empty(80), empty(53).udp()});
  const Packet about = incoming().vlan(300).vlan(20).udp(kClientPort, 53).payload(96);
  expect_answer(about, Reason::refused, port_unreachable(about, (ipv6() ? 40U : 20U) + 104).vlan(300).vlan(20));
  expect_answer(incoming().vlan(20).tcp(kClientPort, 80, kSyn).sequence(5, 0), Reason::refused,
                reset(80, kRst | kAck, 0, 6).vlan(20));
}

TEST_P(Refusals, are_by_a_service_whose_backends_are_all_out_of_rotation) {
  world_->publish({empty(80).nat().backend(backend(), {.rotation = Rotation::down}),
                   empty(81).tunnel().affinity(300, ipv6() ? 128 : 32).backend(backend(), {.rotation = Rotation::out}),
                   empty(82).full_nat().backend(backend(), {.rotation = Rotation::down}),
                   empty(83).least_connections().direct().backend(backend(), {.rotation = Rotation::lost})});
  for (std::uint16_t port = 80; port < 84; ++port) {
    expect_answer(incoming().tcp(kClientPort, port, kSyn).sequence(kSequence, 0), Reason::refused,
                  reset(port, kRst | kAck, 0, kSequence + 1));
  }
}

TEST_P(Refusals, are_not_for_connections_that_go_on) {
  const auto service = [&](Rotation rotation) { return empty(80).nat().backend(backend(), {.rotation = rotation}); };
  open_and_lose(service(Rotation::in), service(Rotation::down));
  EXPECT_EQ(world_->send(incoming().tcp(kClientPort, 80, kAck)).reason, kSent);
}

TEST_P(Refusals, are_not_where_nobody_asked_for_them) {
  world_->publish({Service(vip(), 80).nat().backend(backend(), {.rotation = Rotation::out})});
  EXPECT_EQ(world_->send(incoming().tcp(kClientPort, 80, kSyn)).reason, Reason::no_backend);
}

TEST_P(Refusals, never_answer_a_reset_or_who_is_no_single_host) {
  world_->publish({empty(80), empty(53).udp()});
  for (const std::uint8_t flags : {std::uint8_t{kRst}, std::uint8_t{kRst | kAck}, std::uint8_t{kRst | kSyn}})
    EXPECT_EQ(world_->send(incoming().tcp(kClientPort, 80, flags)).reason, Reason::no_backend);
  for (const std::string_view from :
       ipv6() ? std::vector<std::string_view>{"ff02::1", "::", "::1"}
              : std::vector<std::string_view>{"224.0.0.1", "0.0.0.1", "127.0.0.1", "255.255.255.255"}) {
    EXPECT_EQ(world_->send(from_client(packet(from, vip())).tcp(kClientPort, 80, kSyn)).reason, Reason::not_answered);
    EXPECT_EQ(world_->send(from_client(packet(from, vip())).udp(kClientPort, 53)).reason, Reason::not_answered);
  }
}

TEST_P(Refusals, of_a_fragmented_datagram_are_one) {
  world_->publish({empty(53).udp()});
  EXPECT_EQ(world_->send(from_client(first(packet(client(), vip()), kClientPort, 53))).reason, Reason::refused);
  EXPECT_EQ(world_->send(from_client(later(packet(client(), vip())))).reason, Reason::fragment_held);
}

TEST_P(Refusals, are_not_for_who_is_not_let_in) {
  world_->publish({empty(80).deny(client(), ipv6() ? 128 : 32)});
  EXPECT_EQ(world_->send(incoming().tcp(kClientPort, 80, kSyn)).reason, Reason::source_denied);
}

/// Nobody knows what the rest of it would have been.
TEST_P(Refusals, are_not_for_datagrams_that_are_cut_short) {
  const auto placed = world_->publish({empty(53).udp()}).services;
  Bytes cut = incoming().udp(kClientPort, 53).payload(100).bytes();
  cut.resize(cut.size() - 50);
  EXPECT_EQ(world_->send(cut).reason, Reason::not_answered);
  EXPECT_EQ(of_service(placed[0].id, Reason::refused), 0U);
}

TEST_P(Refusals, are_not_for_frames_of_other_stations) {
  world_->publish({empty(80)});
  const Packet other = packet(client(), vip()).ethernet(mac(0x77), kClientMac).tcp(kClientPort, 80, kSyn);
  EXPECT_TRUE(passed_untouched(world_->send(other), other));
}

TEST_P(Refusals, are_limited_and_what_is_above_it_dropped_by_name) {
  const auto placed = world_->publish({empty(80), empty(53).udp()}).services;
  std::uint32_t refused = 0;
  constexpr std::uint32_t kSent = 2 * core::per_unit(core::kResetsPerSecond);
  for (std::uint32_t i = 0; i < kSent; ++i)
    refused += world_->send(incoming().tcp(kClientPort, 80, kSyn)).reason == Reason::refused ? 1U : 0U;
  EXPECT_EQ(of_service(placed[0].id, Reason::refused), refused);
  EXPECT_EQ(of_service(placed[0].id, Reason::not_answered), kSent - refused);
  exhaust(core::LimitKind::icmp);
  if (std::get<0>(GetParam()) != EngineKind::native) return;  // the clock of the others goes on
  EXPECT_LT(refused, kSent);
  EXPECT_EQ(world_->send(incoming().udp(kClientPort, 53)).reason, Reason::not_answered);
}

TEST_P(Refusals, are_counted_once_with_their_service_and_told_to_who_follows) {
  const auto placed = world_->publish({Service(vip(), 81).nat().backend(backend()), empty(80)}).services;
  world_->tables().settings().shared.drop_followers = 1;
  EXPECT_EQ(world_->send(incoming().tcp(kClientPort, 80, kSyn).payload(9)).reason, Reason::refused);
  EXPECT_EQ(world_->counted(Reason::refused), 1U);
  EXPECT_EQ(of_service(placed[1].id, Reason::refused), 1U);
  EXPECT_EQ(of_service(placed[1].id, Reason::no_backend), 0U);
  EXPECT_EQ(of_service(placed[0].id, Reason::refused), 0U);
  const auto drops = world_->engine().take_drops();
  ASSERT_EQ(drops.size(), 1U);
  EXPECT_EQ(drops[0].reason, static_cast<std::uint8_t>(Reason::refused));
  EXPECT_EQ(drops[0].service, placed[1].id);
  EXPECT_EQ(drops[0].source, address(client())) << "the packet is told of, and not its answer";
  EXPECT_EQ(host(drops[0].destination_port), 80);
  EXPECT_EQ(drops[0].length, (ipv6() ? 40U : 20U) + 20U + 9U);
}

TEST_P(Refusals, are_not_for_errors_about_connections) {
  world_->publish({empty(80)});
  const Packet about = packet(vip(), client()).tcp(80, kClientPort, kAck);
  EXPECT_EQ(world_->send(from_client(error(packet(router(), vip()), about))).reason, Reason::no_backend);
}

TEST_P(Refusals, of_a_connection_whose_backend_is_down_are_the_reset_that_is_expected_next) {
  for (const auto forwarding : {&Service::nat, &Service::tunnel, &Service::direct}) {
    const auto service = [&](Rotation rotation) {
      return (Service(vip(), 80).*forwarding)().backend(backend(), {.rotation = rotation});
    };
    open_and_lose(service(Rotation::in), service(Rotation::reset));
    for (int times = 0; times < 2; ++times) {  // the first may be lost on its way
      expect_answer(incoming().tcp(kClientPort, 80, kAck).sequence(kSequence, kAcknowledgment).payload(10),
                    Reason::reset, reset(80, kRst, kAcknowledgment, 0));
      ASSERT_TRUE(world_->flow(client(), kClientPort, vip(), 80));
      EXPECT_EQ(world_->flow(client(), kClientPort, vip(), 80)->state, core::FlowState::closed);
    }
    EXPECT_EQ(of_service(0, Reason::no_backend), 0U);
    world_->publish({});
  }
}

TEST_P(Refusals, by_reset_are_whether_or_not_another_backend_is_well) {
  const std::string_view other = ipv6() ? "2001:db8:b::2" : "10.0.0.2";
  open_and_lose(Service(vip(), 80).nat().backend(backend()),
                Service(vip(), 80).nat().backend(backend(), {.rotation = Rotation::reset}).backend(other));
  EXPECT_EQ(world_->send(incoming().tcp(kClientPort, 80, kAck)).reason, Reason::reset);
  EXPECT_EQ(world_->send(incoming().tcp(kClientPort, 80, kSyn)).reason, kSent) << "a new connection goes elsewhere";
  EXPECT_EQ(world_->backend_address(world_->flow(client(), kClientPort, vip(), 80)->backend), address(other));
}

TEST_P(Refusals, by_reset_end_when_the_backend_is_back) {
  const auto service = [&](Rotation rotation) {
    return Service(vip(), 80).nat().backend(backend(), {.rotation = rotation});
  };
  open_and_lose(service(Rotation::in), service(Rotation::reset));
  EXPECT_EQ(world_->send(incoming().tcp(kClientPort, 80, kAck)).reason, Reason::reset);
  world_->publish({service(Rotation::in)});
  EXPECT_EQ(world_->send(incoming().tcp(kClientPort, 80, kAck).payload(3)).reason, kSent);
}

TEST_P(Refusals, by_reset_count_the_connection_as_ended) {
  const auto service = [&](Rotation rotation) {
    return Service(vip(), 80).nat().backend(backend(), {.rotation = rotation});
  };
  open_and_lose(service(Rotation::in), service(Rotation::reset));
  const std::uint32_t number = world_->flow(client(), kClientPort, vip(), 80)->backend;
  EXPECT_EQ(core::active_flows(world_->tables().loads()[number]), 1U);
  world_->send(incoming().tcp(kClientPort, 80, kAck));
  EXPECT_EQ(core::active_flows(world_->tables().loads()[number]), 0U);
}

TEST_P(Refusals, by_reset_are_of_tcp_alone_and_datagrams_go_to_another_backend) {
  const std::string_view other = ipv6() ? "2001:db8:b::2" : "10.0.0.2";
  world_->publish({Service(vip(), 53).udp().nat().backend(backend())});
  ASSERT_EQ(world_->send(incoming().udp(kClientPort, 53)).reason, kSent);
  world_->publish({Service(vip(), 53).udp().nat().backend(backend(), {.rotation = Rotation::reset}).backend(other)});
  EXPECT_EQ(world_->send(incoming().udp(kClientPort, 53)).reason, kSent);
  const auto flow = world_->flow(client(), kClientPort, vip(), 53, core::kProtocolUdp);
  EXPECT_EQ(world_->backend_address(flow->backend), address(other));
}

TEST_P(Refusals, by_reset_under_full_nat_end_what_its_port_is_kept_for) {
  const auto service = [&](Rotation rotation) {
    return Service(vip(), 80).full_nat().backend(backend(), {.rotation = rotation});
  };
  world_->publish({service(Rotation::in)});
  ASSERT_EQ(world_->send(incoming().tcp(kClientPort, 80, kSyn)).reason, kSent);
  const auto ports = world_->ports();
  ASSERT_EQ(ports.size(), 1U);
  const std::string_view source = ipv6() ? kPortSource6 : kPortSource;
  ASSERT_EQ(world_->send(from_backend(packet(backend(), source)).tcp(80, ports[0].number, kSyn | kAck)).reason, kSent);
  ASSERT_EQ(world_->send(incoming().tcp(kClientPort, 80, kAck)).reason, kSent);
  world_->publish({service(Rotation::reset)});
  expect_answer(incoming().tcp(kClientPort, 80, kAck).sequence(kSequence, kAcknowledgment), Reason::reset,
                reset(80, kRst, kAcknowledgment, 0));
  ASSERT_EQ(world_->ports().size(), 1U);
  EXPECT_EQ(world_->ports()[0].record.entry.state, core::FlowState::closed);
}

TEST_P(Refusals, by_reset_under_full_nat_are_not_for_what_has_no_port_any_more) {
  const auto service = [&](Rotation rotation) {
    return Service(vip(), 80).full_nat().backend(backend(), {.rotation = rotation});
  };
  open_and_lose(service(Rotation::in), service(Rotation::reset));
  for (core::FlowLine& line : world_->tables().ports()) line = {};
  EXPECT_EQ(world_->send(incoming().tcp(kClientPort, 80, kAck)).reason, Reason::no_connection);
}

TEST_P(Refusals, by_reset_leave_a_clients_own_reset_alone) {
  const auto service = [&](Rotation rotation) {
    return Service(vip(), 80).nat().backend(backend(), {.rotation = rotation});
  };
  open_and_lose(service(Rotation::in), service(Rotation::reset));
  EXPECT_EQ(world_->send(incoming().tcp(kClientPort, 80, kRst)).exit, Exit::drop);
}

ASTIL_ON_EVERY_ENGINE_AND_VERSION(Refusals);

}  // namespace
}  // namespace astil::test
