// The read-only engine, by which a trace asks the packet path: it sees what a packet would, and changes nothing.
#include <cstring>

#include "dataplane/native/native_engine.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

constexpr std::string_view kVip = "198.51.100.1";

std::vector<Bytes> contents(const dataplane::Tables& tables) {
  std::vector<Bytes> copies;
  for (std::size_t i = 0; i < dataplane::kTableCount; ++i) {
    const dataplane::TableSpec& spec = dataplane::kTableSpecs[i];
    copies.emplace_back(tables.memory[i], tables.memory[i] + spec.record_bytes * spec.records(tables.sizes));
  }
  return copies;
}

core::Verdict ask(const dataplane::Tables& tables, const Packet& packet) {
  const Bytes bytes = packet.bytes();
  native::Frame frame(bytes);
  const native::Surroundings around{.ingress = kIngress};
  native::NativeEngine<native::Access::read_only> engine(tables, frame, around);
  return core::run(engine);
}

class Reading : public PacketCase {};
ASTIL_ON_EVERY_ENGINE(Reading);

TEST_P(Reading, changes_no_byte_of_any_table) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1"),
                   Service(kVip, 81).tunnel().round_robin().backend("10.0.0.1"),
                   Service(kVip, 82).direct().backend("10.0.0.1", {.mac = 0}),
                   Service(kVip, 83).direct().least_connections().backend("10.0.0.1").backend("10.0.0.2"),
                   Service(kVip, 84).direct().round_robin().affinity(60, 32).backend("10.0.0.1").backend("10.0.0.2"),
                   Service(kVip, 85).direct().deny("10.9.0.0", 16).limit(10, 10, 24).backend("10.0.0.1")});
  world().tables().settings().new_flows_per_unit = 1;
  const Packet base = Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip);
  world().send(Packet(base).tcp(1000, 80, kSyn));
  world().send(Packet(base).tcp(999, 84, kSyn));
  world().let_pass(2);
  const auto before = contents(world().tables());
  for (std::uint16_t port = 80; port <= 85; ++port) {
    for (const std::uint8_t flags : {kSyn, kAck, kFin, kRst}) {
      ask(world().tables(), Packet(base).tcp(1000, port, flags));
      ask(world().tables(), Packet(base).tcp(1001, port, flags));
    }
  }
  ask(world().tables(), Packet().ethernet(kBalancerMac, mac(1)).ipv4("10.0.0.1", kClient).tcp(80, 1000, kSyn | kAck));
  EXPECT_EQ(contents(world().tables()), before);
}

TEST_P(Reading, tells_what_a_packet_will_meet) {
  world().publish({Service(kVip, 80).nat().backend("10.0.0.1", {.interface = kOutside})});
  const Packet packet = Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).tcp(1000, 80, kSyn);
  for (int times = 0; times < 2; ++times) {
    const core::Verdict asked = ask(world().tables(), packet);
    EXPECT_EQ(asked.interface, kOutside);
    EXPECT_EQ(world().send(packet).reason, asked.reason);
  }
}

}  // namespace
}  // namespace astil::test
