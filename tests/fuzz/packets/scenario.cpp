#include "tests/fuzz/packets/scenario.hpp"

#include <algorithm>
#include <set>

#include "tests/packets/mutator.hpp"

namespace astil::fuzz {
namespace {

using test::Hosts;
using test::Service;

constexpr std::size_t kStepHeader = 3;
/// Within a line of slots, and more.
constexpr std::array<std::uint32_t, 4> kRingLengths{4, 8, 16, 37};
/// 0: not known.
constexpr std::array<std::uint32_t, 4> kMtus{0, 0, 1280, 600};

/// Bytes that are read one after the other; behind the end they are 0.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  unsigned next() {
    if (rest_.empty()) return 0;
    const auto value = std::to_integer<unsigned>(rest_.front());
    rest_ = rest_.subspan(1);
    return value;
  }

 private:
  std::span<const std::byte> rest_;
};

constexpr unsigned bits(unsigned value, unsigned first, unsigned count) {
  return (value >> first) & ((1U << count) - 1);
}

template <class Values>
const auto& one_of(const Values& values, unsigned number) {
  return values[number % std::size(values)];
}

const Hosts& hosts_of(unsigned is_ipv6) { return is_ipv6 != 0 ? test::kHosts6 : test::kHosts4; }

/// Who a flow is between.
struct Place {
  unsigned is_ipv6;
  unsigned is_udp;
  unsigned is_second;
  unsigned port;
};

std::string_view address_of(const Place& place) {
  return place.is_second != 0 ? hosts_of(place.is_ipv6).any_port_service : hosts_of(place.is_ipv6).service;
}
std::uint16_t port_of(const Place& place) { return static_cast<std::uint16_t>(test::kFirstServicePort + place.port); }

class ServiceReader {
 public:
  explicit ServiceReader(Reader& reader)
      : reader_(reader), first_(reader.next()), second_(reader.next()), third_(reader.next()) {}

  Service read() {
    Service service(address_of(place()), has_any_port() ? std::uint16_t{0} : port_of(place()));
    if (place().is_udp != 0) service.udp();
    if (bits(first_, 7, 1) != 0) service.round_robin();
    service.ring_length(one_of(kRingLengths, bits(second_, 3, 2)));
    set_forwarding(service);
    std::set<std::string_view> taken;
    if (bits(third_, 4, 1) != 0) service.refusing();
    for (unsigned i = 0; i < bits(third_, 0, 2); ++i) add_backend(service, taken);
    return service;
  }

 private:
  [[nodiscard]] Place place() const {
    return {.is_ipv6 = bits(first_, 4, 1),
            .is_udp = bits(first_, 5, 1),
            .is_second = bits(first_, 6, 1),
            .port = bits(first_, 0, 3)};
  }
  [[nodiscard]] bool has_any_port() const { return bits(first_, 3, 1) != 0; }
  [[nodiscard]] bool is_tunnel() const { return bits(second_, 1, 1) != 0; }

  void set_forwarding(Service& service) const {
    if (is_tunnel()) {
      bits(second_, 0, 1) != 0 ? service.gue() : service.tunnel();
      // One source for backends of either version would be none for the other.
      if (varies()) service.varied_source(place().is_ipv6 != 0 ? "2001:db8:5::" : "10.200.0.0", 0xffff);
    } else {
      if (bits(second_, 0, 1) != 0) {
        service.direct();
      } else {
        bits(second_, 2, 1) != 0 ? service.full_nat() : service.nat();
      }
    }
  }
  [[nodiscard]] bool varies() const { return is_tunnel() && bits(second_, 2, 1) != 0; }

  void add_backend(Service& service, std::set<std::string_view>& taken) {
    const unsigned who = reader_.next();
    const unsigned how = reader_.next();
    const bool of_other_version = is_tunnel() && !varies() && bits(who, 7, 1) != 0;
    const Hosts& hosts = hosts_of(of_other_version ? 1 - place().is_ipv6 : place().is_ipv6);
    const std::string_view host = one_of(hosts.backends, bits(who, 0, 3));
    if (!taken.insert(host).second) return;
    constexpr std::array kRotations{dataplane::Rotation::in, dataplane::Rotation::in, dataplane::Rotation::out,
                                    dataplane::Rotation::down};
    const dataplane::Rotation rotation = one_of(kRotations, bits(who, 5, 2));
    constexpr std::array<std::uint16_t, 4> kPorts{test::kBackendPort, 0, test::kBackendPort + 1, test::kBackendPort};
    service.backend(
        host, {.port = has_any_port() ? std::uint16_t{0} : one_of(kPorts, bits(how, 6, 2)),
               .weight = 1 + bits(who, 3, 2),
               .mac = bits(how, 0, 2) == 3 ? 0 : test::mac(0xb1),
               .interface = bits(how, 2, 1) != 0 ? test::kOutside : test::kIngress,
               .mtu = one_of(kMtus, bits(third_, 2, 2)),
               .vlan = static_cast<std::uint16_t>(bits(how, 3, 2) == 3 ? 0x2064 : 0),
               .outer_vlan = static_cast<std::uint16_t>(bits(how, 3, 3) == 7 ? 9 : 0),
               .rotation = rotation == dataplane::Rotation::down && bits(third_, 5, 1) != 0 ? dataplane::Rotation::reset
                                                                                            : rotation});
  }

  Reader& reader_;
  unsigned first_;
  unsigned second_;
  unsigned third_;
};

/// What stands in the places of a line that are free: flows with other tags, of no key that a packet has.
void crowd(core::FlowLine& line, const core::FlowEntry& like) {
  for (std::uint32_t i = 0; i < core::kEntriesPerLine; ++i) {
    if (line.entries[i] != 0) continue;
    core::FlowEntry entry = like;
    if (entry.state == core::FlowState::free) entry.state = core::FlowState::half_open;
    entry.tag = (like.tag ^ (i + 1)) | 0x40000000U;
    line.entries[i] = core::pack(entry);
    line.keys[i] = {};
  }
}

void plant(const dataplane::Tables& tables, std::uint32_t line, const core::FlowTuple& flow,
           const core::FlowEntry& entry) {
  core::FlowLine& place = tables.flows()[line];
  const auto found = std::find(std::begin(place.entries), std::end(place.entries), 0U);
  const auto at = static_cast<std::size_t>(found == std::end(place.entries) ? 0 : found - std::begin(place.entries));
  place.entries[at] = core::pack(entry);
  place.keys[at] = {.client = flow.client.words[3], .client_port = flow.client_port, .service_port = flow.port};
  if (line < tables.clients().size()) tables.clients()[line].clients[at] = flow.client;
}

}  // namespace

std::vector<Step> steps_of(std::span<const std::byte> input) {
  std::vector<Step> steps;
  while (input.size() >= kStepHeader && steps.size() < kMostSteps) {
    const auto at = [&](std::size_t i) { return std::to_integer<std::size_t>(input[i]); };
    const auto kind = static_cast<StepKind>(at(0) % kStepKinds);
    const std::size_t length = std::min((at(1) | (at(2) << 8U)) % (kLongestStep + 1), input.size() - kStepHeader);
    const auto bytes = input.subspan(kStepHeader, length);
    steps.push_back({.kind = kind, .bytes = {bytes.begin(), bytes.end()}});
    input = input.subspan(kStepHeader + length);
  }
  return steps;
}

Bytes bytes_of(const std::vector<Step>& steps) {
  Bytes bytes;
  for (const Step& step : steps) {
    const std::size_t length = std::min(step.bytes.size(), kLongestStep);
    test::put8(bytes, static_cast<unsigned>(step.kind));
    test::put8(bytes, static_cast<unsigned>(length));
    test::put8(bytes, static_cast<unsigned>(length >> 8U));
    test::append(bytes, std::span(step.bytes).first(length));
  }
  return bytes;
}

Wanted state_of(std::span<const std::byte> bytes) {
  constexpr std::size_t kMostServices = 12;
  Reader reader(bytes);
  const unsigned flags = reader.next();
  std::vector<Service> services;
  while (!reader.at_end() && services.size() < kMostServices) services.push_back(ServiceReader(reader).read());
  Wanted wanted{.state = test::desired(services), .ring_only = bits(flags, 1, 1) != 0};
  wanted.state.answers_echo = bits(flags, 2, 1) != 0;
  if (bits(flags, 3, 1) != 0) {
    for (const dataplane::ServiceState& service : wanted.state.services)
      wanted.state.closed_addresses.push_back(service.key.address);
  }
  if (bits(flags, 0, 1) != 0) {
    wanted.state.interfaces.push_back(
        {.ifindex = test::kOutside, .mac = core::tagged(test::kOutsideMac, core::be16(42)), .parent = test::kIngress});
  }
  return wanted;
}

void plant_flows(const dataplane::Tables& tables, std::span<const std::byte> bytes) {
  for (Reader reader(bytes); !reader.at_end();) {
    const unsigned who = reader.next();
    const unsigned client_port = reader.next();
    const unsigned how = reader.next();
    const unsigned idle = bits(reader.next(), 0, 6) * 16;
    const Place place{
        .is_ipv6 = bits(who, 2, 1), .is_udp = bits(who, 3, 1), .is_second = bits(who, 4, 1), .port = bits(who, 5, 3)};
    const core::FlowTuple flow{.client = test::address(one_of(hosts_of(place.is_ipv6).clients, bits(who, 0, 2))),
                               .address = test::address(address_of(place)),
                               .client_port = core::be16(static_cast<std::uint16_t>(1024 + client_port)),
                               .port = core::be16(port_of(place)),
                               .protocol = place.is_udp != 0 ? core::kProtocolUdp : core::kProtocolTcp};
    const core::FlowHash hash =
        core::flow_hash(flow, tables.settings().hash_key, tables.settings().header.sizes.flow_lines - 1);
    const core::FlowEntry entry{.tag = hash.tag,
                                .age = (0U - idle) & core::kAgeMask,
                                .state = static_cast<core::FlowState>(bits(how, 0, 3)),
                                .backend = reader.next() % tables.sizes.backends};
    if (entry.state != core::FlowState::free) plant(tables, hash.line, flow, entry);
    if (bits(how, 3, 1) != 0) crowd(tables.flows()[hash.line], entry);
    if (bits(how, 4, 1) != 0) crowd(tables.flows()[hash.other_line], entry);
  }
}

}  // namespace astil::fuzz
