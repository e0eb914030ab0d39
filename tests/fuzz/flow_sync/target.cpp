// The fuzzer of what the other node of a pair may send: any datagram, and bodies that are authentic and mean anything.
// The input is a chain of bodies, each behind its length (16 bits, network byte order); all of it together is a
// datagram too. Whatever comes, every entry in the tables names a backend that there is, and stands where its key is
// looked for.
#include "control/ha/sync/incoming.hpp"
#include "control/ha/sync/outgoing.hpp"
#include "control/ha/sync/session.hpp"
#include "dataplane/census.hpp"
#include "dataplane/native/native_dataplane.hpp"
#include "dataplane/publisher.hpp"
#include "tests/fuzz/targets.hpp"

namespace astil::fuzz {
namespace {

using namespace ha::sync;  // NOLINT(google-build-using-namespace): what is tested

constexpr std::uint32_t kTick = 700;

core::Address ipv4(std::uint32_t host) { return core::mapped(core::be32(host)); }
core::Address ipv6(std::uint32_t last) { return {{core::be32(0x20010db8), {}, {}, core::be32(last)}}; }

/// Tables with a service of each kind.
class Node {
 public:
  Node()
      : engine_({.cpus = 1,
                 .flow_lines = 32,
                 .services = 4,
                 .backends = 8,
                 .ring_lines = 8,
                 .member_lines = 8,
                 .index_lines = 16,
                 .client_lines = 32,
                 .source_ranges = 4,
                 .source_buckets = 4,
                 .port_sources = 1,
                 .reserved = 0}) {
    std::array<std::uint64_t, core::kHashKeys> key{};
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = core::mixed(i + 1);
    dataplane::initialise(engine_.tables(), key, 1);
    dataplane::DesiredState state;
    state.port_sources.push_back(ipv4(0x0a0000c8));
    const auto service = [&](const core::Address& address, std::uint8_t protocol, core::Forwarding forwarding,
                             const core::Address& backend) {
      dataplane::ServiceState made{.key = {.address = address, .port = 80, .protocol = protocol},
                                   .forwarding = forwarding};
      made.backends.push_back({.address = backend, .port = 0});
      made.ring.push_back(0);
      state.services.push_back(std::move(made));
    };
    service(ipv4(0xc6336401), core::kProtocolTcp, core::Forwarding::direct, ipv4(0x0a000001));
    service(ipv6(1), core::kProtocolUdp, core::Forwarding::direct, ipv6(2));
    service(ipv4(0xc6336402), core::kProtocolTcp, core::Forwarding::full_nat, ipv4(0x0a000001));
    dataplane::Publisher publisher(engine_);
    require(publisher.publish(state).has_value(), "the tables have room");
  }

  [[nodiscard]] const dataplane::Tables& tables() const { return engine_.tables(); }

 private:
  native::NativeDataplane engine_;
};

void check_tables(const dataplane::Tables& tables) {
  const LocalNames names = [&] {
    LocalNames read;
    read.read(tables);
    return read;
  }();
  const auto check = [&](std::span<core::FlowLine> lines) {
    for (const core::FlowLine& line : lines) {
      for (const std::uint64_t entry : line.entries) {
        if (entry == 0) continue;
        require(!core::is_claimed(core::state_of(entry)), "nothing is left claimed");
        require(core::backend_of(entry) < names.uses() && names.use(core::backend_of(entry)).has_value(),
                "an entry names a backend that there is");
      }
    }
  };
  check(tables.flows());
  check(tables.ports());
  std::size_t entries = 0;
  for (const core::FlowLine& line : tables.flows()) {
    for (const std::uint64_t entry : line.entries) entries += entry != 0 ? 1 : 0;
  }
  std::size_t found = 0;
  dataplane::visit_flows(tables, kTick, [&](const dataplane::FlowRecord& record) {
    const core::FlowHash hash = dataplane::hash_of(record, tables.settings(), tables.sizes.flow_lines);
    const std::size_t line = record.slot / core::kEntriesPerLine;
    require(line == hash.line || line == hash.other_line, "an entry stands where its key is looked for");
    ++found;
    return true;
  });
  require(found == entries, "every entry has the tag of its key");
}

/// Bodies of a peer that has the secret.
void read_bodies(Input input) {
  const Node node;
  LocalNames names;
  names.read(node.tables());
  Known known(node.tables());
  Incoming incoming(node.tables(), known, names);
  Outgoing outgoing(node.tables(), known, names);
  Input rest = input;
  while (rest.size() >= 2) {
    const auto length = std::min<std::size_t>(
        std::to_integer<std::size_t>(rest[0]) << 8U | std::to_integer<std::size_t>(rest[1]), rest.size() - 2);
    const Input plain = rest.subspan(2, length);
    rest = rest.subspan(2 + length);
    const auto body = parse_body(plain);
    if (!body) continue;
    require(body->records.size() == body->count * record_bytes(body->kind), "the records fill the body");
    switch (body->kind) {
      case Kind::names:
        incoming.take_names(*body);
        break;
      case Kind::flows4:
      case Kind::flows6:
      case Kind::ports4:
      case Kind::ports6:
        incoming.take_records(*body, kTick, 1);
        break;
      case Kind::wants: {
        std::vector<std::uint32_t> ids;
        for (std::size_t i = 0; i < body->count; ++i) ids.push_back(core::host(record_at<Be32>(*body, i)));
        outgoing.wanted(ids);
        break;
      }
      default:
        break;
    }
    (void)incoming.take_wanted();
  }
  check_tables(node.tables());
}

/// Of somebody who has no secret.
void read_datagram(Input input) {
  const Time now{std::chrono::hours(1)};
  bool began = false;
  Session session(Keyring(Secret{1}), {},
                  {.send = [](std::size_t, Bytes) { return true; },
                   .random = [](std::span<std::uint8_t> out) { std::fill(out.begin(), out.end(), std::uint8_t{7}); },
                   .hello = [] { return Hello{}; },
                   .began = [&](const Hello&, const Hello&) { began = true; },
                   .take = [](const Body&, Time) {},
                   .acknowledged = [](std::uint64_t) {},
                   .lost = [](std::uint64_t) {}},
                  now);
  session.receive(0, input, now);
  std::uint64_t dropped = 0;
  for (const std::uint64_t count : session.counts().dropped) dropped += count;
  require(!began && dropped == 1, "what is not authentic is dropped, and counted once");
}

}  // namespace

void flow_sync(Input input) {
  read_datagram(input);
  read_bodies(input);
}

}  // namespace astil::fuzz
