#include "tests/packets/mutator.hpp"

#include <algorithm>

namespace astil::test {
namespace {

constexpr unsigned kTcp = 6;
constexpr unsigned kUdp = 17;

constexpr std::array<std::uint8_t, 8> kFlags{kSyn, kSyn, kAck, kAck, kAck | kFin, kRst, kSyn | kAck, 0xff};

/// Of ports, to which service: those whose backends' replies come back have more than their share.
constexpr std::array<std::uint16_t, 12> kServiceOffsets{0, 0, 0, 0, 1, 2, 3, 3, 4, 5, 6, kServicePorts - 1};

/// Few, so that packets meet flows, and later fragments their first ones.
constexpr std::uint32_t kClientPorts = 1500;
constexpr std::uint32_t kIdentifications = 64;

const Hosts& hosts_of(const Ends& ends) { return ends.is_ipv6 ? kHosts6 : kHosts4; }

Ends reversed(const Ends& ends) {
  return {.is_backends = ends.is_backends,
          .is_ipv6 = ends.is_ipv6,
          .from = ends.to,
          .to = ends.from,
          .from_port = ends.to_port,
          .to_port = ends.from_port};
}

Packet& set_addresses(Packet& packet, const Ends& ends) {
  return ends.is_ipv6 ? packet.ipv6(ends.from, ends.to) : packet.ipv4(ends.from, ends.to);
}

/// A client's packet to a service, or where there is none.
Ends draw_client(Lots& lots) {
  const bool is_ipv6 = lots.one_in(2);
  const Hosts& hosts = is_ipv6 ? kHosts6 : kHosts4;
  return {.is_ipv6 = is_ipv6,
          .from = lots.below(8) < 5 ? hosts.clients.front() : lots.one_of(hosts.clients),
          .to = lots.one_in(5) ? hosts.any_port_service : hosts.service,
          .from_port = static_cast<std::uint16_t>(1024 + lots.below(kClientPorts)),
          .to_port = lots.one_in(64) ? lots.below16(65536)
                                     : static_cast<std::uint16_t>(kFirstServicePort + lots.one_of(kServiceOffsets))};
}

/// The answer to a client's packet, from a backend that may have got it.
Ends draw_answer(Lots& lots, const Ends& client) {
  return {.is_backends = true,
          .is_ipv6 = client.is_ipv6,
          .from = hosts_of(client).backends[lots.one_in(2) ? lots.below(2) : lots.below(6)],
          .to = client.from,
          .from_port = lots.one_in(3) ? client.to_port : kBackendPort,
          .to_port = client.from_port};
}

// Kinds of packets. Each gets a packet with the addresses of its ends, and may put others there.

void add_tcp(Lots& lots, const Ends& ends, Packet& packet) {
  packet.tcp(ends.from_port, ends.to_port, lots.one_of(kFlags));
  if (lots.one_in(4)) packet.mss(lots.below16(1461));
}

void add_udp(Lots& lots, const Ends& ends, Packet& packet) {
  packet.udp(ends.from_port, ends.to_port);
  if (lots.one_in(4)) packet.without_checksum();
}

void add_tcp_or_udp(Lots& lots, const Ends& ends, Packet& packet) {
  lots.one_in(2) ? add_tcp(lots, ends, packet) : add_udp(lots, ends, packet);
}

void add_echo(Lots& lots, const Ends& /*ends*/, Packet& packet) {
  lots.one_in(4) ? packet.echo_reply(lots.below16(8), 1) : packet.echo_request(lots.below16(8), 1);
}

struct IcmpError {
  std::uint8_t type;
  std::uint8_t code;
};
/// RFC 792: no network, no port, fragmentation needed, source quench, redirect, time exceeded, a parameter.
constexpr std::array<IcmpError, 8> kErrors4{{{3, 0}, {3, 3}, {3, 4}, {3, 4}, {4, 0}, {5, 0}, {11, 0}, {12, 0}}};
/// RFC 4443: no route, no port, too big, time exceeded, a parameter.
constexpr std::array<IcmpError, 8> kErrors6{{{1, 0}, {1, 4}, {2, 0}, {2, 0}, {3, 0}, {3, 1}, {4, 0}, {4, 1}}};

/// What a router or a host says of a packet that it got: to the packet's sender.
void add_icmp_error(Lots& lots, const Ends& ends, Packet& packet) {
  const Ends back = reversed(ends);
  if (lots.one_in(2)) {
    Ends from_router = ends;
    from_router.from = hosts_of(ends).router;
    set_addresses(packet, from_router);
  }
  Packet quoted;
  set_addresses(quoted, back).hop_limit(static_cast<std::uint8_t>(1 + lots.below(64)));
  add_tcp_or_udp(lots, back, quoted);
  quoted.payload(lots.below(100));
  if (lots.one_in(4)) {  // about a tunnel's packet, to where the tunnel begins
    Packet outer;
    const Ends tunnel{.is_ipv6 = ends.is_ipv6, .from = hosts_of(ends).balancer, .to = hosts_of(ends).backends.front()};
    set_addresses(outer, tunnel);
    if (lots.one_in(2)) outer.gue(50000, 6080);
    quoted = outer.carrying(quoted);
    set_addresses(packet, reversed(tunnel));
  }
  const IcmpError error = ends.is_ipv6 ? lots.one_of(kErrors6) : lots.one_of(kErrors4);
  const std::uint32_t rest = lots.one_in(4) ? lots.below(256) << 24U : lots.below(1600);
  packet.icmp_error(error.type, error.code, rest, quoted, lots.one_in(2) ? 0 : 20 + lots.below(60));
}

void add_first_fragment(Lots& lots, const Ends& ends, Packet& packet) {
  const std::uint16_t identification = lots.below16(kIdentifications);
  if (ends.is_ipv6) {
    packet.fragment_header(0, Following::more, identification);
  } else {
    packet.identification(identification).fragment(kMoreFragmentsBit);
  }
  add_tcp_or_udp(lots, ends, packet);
}

void add_later_fragment(Lots& lots, const Ends& /*ends*/, Packet& packet) {
  packet.identification(lots.below16(kIdentifications))
      .later_fragment(lots.one_in(2) ? kTcp : kUdp, std::size_t{8} * (1 + lots.below(180)), lots.below(200),
                      lots.one_in(2) ? Following::more : Following::nothing);
}

void add_atomic_fragment(Lots& lots, const Ends& ends, Packet& packet) {
  if (ends.is_ipv6) packet.fragment_header(0, Following::nothing, lots.below16(kIdentifications));
  add_tcp_or_udp(lots, ends, packet);
}

/// As another balancer sends it: to a service, or to a backend that is not there.
void add_tunnel(Lots& lots, const Ends& ends, Packet& packet) {
  Packet inner;
  const bool inner_is_ipv6 = lots.one_in(2);
  const Hosts& hosts = inner_is_ipv6 ? kHosts6 : kHosts4;
  const Ends inside{.is_ipv6 = inner_is_ipv6,
                    .from = hosts.clients.front(),
                    .to = hosts.service,
                    .from_port = ends.from_port,
                    .to_port = kFirstServicePort};
  set_addresses(inner, inside);
  add_tcp_or_udp(lots, inside, inner);
  if (lots.one_in(2)) packet.gue(ends.from_port, lots.one_in(2) ? 6080 : ends.to_port);
  packet.carrying(inner);
}

void add_other_protocol(Lots& lots, const Ends& /*ends*/, Packet& packet) {
  packet.protocol(static_cast<std::uint8_t>(lots.below(256)));
}

struct Kind {
  unsigned weight;
  void (*add)(Lots& lots, const Ends& ends, Packet& packet);
};
constexpr std::array kKinds{Kind{40, add_tcp},
                            Kind{14, add_udp},
                            Kind{1, add_echo},
                            Kind{4, add_icmp_error},
                            Kind{2, add_first_fragment},
                            Kind{2, add_later_fragment},
                            Kind{1, add_atomic_fragment},
                            Kind{1, add_tunnel},
                            Kind{1, add_other_protocol}};
constexpr unsigned kAllWeights = [] {
  unsigned sum = 0;
  for (const Kind& kind : kKinds) sum += kind.weight;
  return sum;
}();

void add_kind(Lots& lots, const Ends& ends, Packet& packet) {
  unsigned left = lots.below(kAllWeights);
  for (const Kind& kind : kKinds) {
    if (left < kind.weight) return kind.add(lots, ends, packet);
    left -= kind.weight;
  }
}

// Twists: what a packet of any kind may have besides.

void add_options(Lots& lots, const Ends& /*ends*/, Packet& packet) { packet.options(lots.below(11)); }

/// Up to one more than anybody sends, and now and then a long one.
void add_extensions(Lots& lots, const Ends& ends, Packet& packet) {
  if (!ends.is_ipv6) return;
  for (unsigned left = lots.one_in(8) ? lots.below(11) : 1 + lots.below(2); left > 0; --left) {
    const unsigned units = lots.one_in(64) ? lots.below(140) : lots.below(3);
    switch (lots.below(4)) {
      case 0:
        packet.hop_by_hop(units);
        break;
      case 1:
        packet.routing(units);
        break;
      case 2:
        packet.authentication(units);
        break;
      default:
        packet.destination_options(units);
    }
  }
}

void add_tags(Lots& lots, const Ends& /*ends*/, Packet& packet) {
  for (unsigned left = 1 + lots.below(2) + (lots.one_in(8) ? 1U : 0U); left > 0; --left)
    packet.vlan(static_cast<std::uint16_t>(1 + lots.below(4095)));
}

void use_up_hops(Lots& lots, const Ends& /*ends*/, Packet& packet) {
  packet.hop_limit(static_cast<std::uint8_t>(lots.below(3)));
}

void add_class_and_label(Lots& lots, const Ends& /*ends*/, Packet& packet) {
  packet.traffic_class(static_cast<std::uint8_t>(lots.below(256))).flow_label(lots.below(1U << 20U));
}

void set_fragment_bits(Lots& lots, const Ends& /*ends*/, Packet& packet) { packet.fragment(lots.below16(65536)); }

void claim_length(Lots& lots, const Ends& /*ends*/, Packet& packet) {
  packet.claims_length(static_cast<std::uint16_t>(lots.one_in(2) ? lots.below(65536) : 65450 + lots.below(86)));
}

void mistake_version(Lots& /*lots*/, const Ends& ends, Packet& packet) {
  packet.ether_type(ends.is_ipv6 ? 0x0800 : 0x86dd);
}

void address_another_station(Lots& lots, const Ends& /*ends*/, Packet& packet) {
  packet.ethernet(lots.one_in(2) ? kOutsideMac : mac(0xff), kClientMac);
}

void leave_checksum_to_hardware(Lots& /*lots*/, const Ends& /*ends*/, Packet& packet) { packet.checksum_partial(); }

struct Twist {
  unsigned one_in;
  void (*add)(Lots& lots, const Ends& ends, Packet& packet);
};
constexpr std::array kTwists{Twist{8, add_options},
                             Twist{8, add_tags},
                             Twist{12, use_up_hops},
                             Twist{32, add_class_and_label},
                             Twist{32, set_fragment_bits},
                             Twist{32, claim_length},
                             Twist{64, mistake_version},
                             Twist{64, address_another_station},
                             Twist{64, leave_checksum_to_hardware}};

/// Where headers begin in a frame that was built.
struct Places {
  bool is_ipv6;
  std::size_t network;
  std::size_t transport;
};

Places places_in(const Bytes& frame) {
  const auto at = [&](std::size_t i) { return i < frame.size() ? static_cast<unsigned>(frame[i]) : 0U; };
  std::size_t network = 14;
  while (at(network - 2) == 0x81 || at(network - 2) == 0x88) network += 4;
  if (at(network) >> 4U != 6)
    return {.is_ipv6 = false, .network = network, .transport = network + (at(network) & 0x0fU) * std::size_t{4}};
  std::size_t transport = network + 40;
  unsigned next = at(network + 6);
  for (constexpr std::array kExtensions{0U, 43U, 44U, 51U, 60U};
       transport < frame.size() && std::ranges::find(kExtensions, next) != kExtensions.end();) {
    const unsigned length = at(transport + 1);
    next = at(transport);
    transport += next == 51 ? (length + 2) * std::size_t{4} : (length + 1) * std::size_t{8};
  }
  return {.is_ipv6 = true, .network = network, .transport = transport};
}

// Bytes that decide something, from where their header begins.
constexpr std::array<std::size_t, 12> kFields4{0, 1, 2, 3, 6, 7, 8, 9, 10, 16, 20, 21};
constexpr std::array<std::size_t, 12> kFields6{0, 1, 4, 5, 6, 7, 24, 39, 40, 41, 42, 43};
/// Ports, TCP's header length and flags, lengths and checksums of UDP, and where ICMP quotes.
constexpr std::array<std::size_t, 12> kTransportFields{0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 17};

constexpr std::array<std::uint8_t, 16> kValues{0x00, 0x01, 0x7f, 0x80, 0xff, 0x45, 0x4f, 0x60,
                                               0x06, 0x11, 0x01, 0x3a, 0x2c, 0x29, 0x81, 0x88};

}  // namespace

Mutator::Mutator(std::uint64_t seed) : lots_(seed) {
  for (Ends& ends : recent_) ends = draw_client(lots_);
}

void Mutator::saw_sent(const Bytes& frame) {
  constexpr std::size_t kNetwork = 14;
  if (frame.size() < kNetwork + 44) return;
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(frame[kNetwork + i]); };
  const bool is_ipv6 = at(0) == 0x60;
  if (!is_ipv6 && at(0) != 0x45) return;
  const std::size_t addresses = is_ipv6 ? 8 : 12;
  const std::size_t length = is_ipv6 ? 16 : 4;
  const auto is_at = [&](std::string_view text, std::size_t offset) {
    const core::Address known = address(text);
    const auto* bytes = reinterpret_cast<const std::byte*>(&known) + (sizeof(known) - length);
    return std::equal(bytes, bytes + length, frame.data() + kNetwork + offset);
  };
  if (!is_at(is_ipv6 ? kPortSource6 : kPortSource, addresses)) return;
  const Hosts& hosts = is_ipv6 ? kHosts6 : kHosts4;
  const std::size_t ports = addresses + 2 * length;
  for (const std::string_view backend : hosts.backends) {
    if (!is_at(backend, addresses + length)) continue;
    const auto port_at = [&](std::size_t i) { return static_cast<std::uint16_t>(at(i) << 8U | at(i + 1)); };
    answers_[lots_.below(kRecent)] = {.is_backends = true,
                                      .is_ipv6 = is_ipv6,
                                      .from = backend,
                                      .to = is_ipv6 ? kPortSource6 : kPortSource,
                                      .from_port = port_at(ports + 2),
                                      .to_port = port_at(ports)};
  }
}

Ends Mutator::draw_ends() {
  if (const Ends& answer = lots_.one_of(answers_); answer.to_port != 0 && lots_.one_in(8)) return answer;
  Ends client = draw_client(lots_);
  if (lots_.one_in(2)) {
    client = lots_.one_of(recent_);
  } else {
    recent_[lots_.below(kRecent)] = client;
  }
  return lots_.one_in(3) ? draw_answer(lots_, client) : client;
}

Packet Mutator::valid() {
  const Ends ends = draw_ends();
  Packet packet = Packet()
                      .ethernet(kBalancerMac, ends.is_backends ? mac(0xb1) : kClientMac)
                      .payload(lots_.one_in(8) ? lots_.below(1400) : lots_.below(16));
  set_addresses(packet, ends);
  if (lots_.one_in(8)) add_extensions(lots_, ends, packet);  // in front of a fragment's header
  add_kind(lots_, ends, packet);
  for (const Twist& twist : kTwists) {
    if (lots_.one_in(twist.one_in)) twist.add(lots_, ends, packet);
  }
  return packet;
}

void Mutator::flip_bits(Bytes& frame) {
  const std::size_t headers = std::min(frame.size(), places_in(frame).transport + 20);
  for (std::uint32_t flips = 1 + lots_.below(8); flips > 0 && !frame.empty(); --flips) {
    // The headers are what the packet path reads.
    const std::size_t range = lots_.one_in(8) ? frame.size() : headers;
    frame[lots_.below(static_cast<std::uint32_t>(range))] ^= std::byte{1} << lots_.below(8);
  }
}

void Mutator::replace_field(Bytes& frame) {
  const Places places = places_in(frame);
  std::size_t at = 12 + lots_.below(6);  // the EtherType, or a tag and what it announces
  switch (lots_.below(4)) {
    case 0:
      break;
    case 1:
      at = places.transport + lots_.one_of(kTransportFields);
      break;
    default:
      at = places.network + (places.is_ipv6 ? lots_.one_of(kFields6) : lots_.one_of(kFields4));
  }
  if (at < frame.size()) frame[at] = static_cast<std::byte>(lots_.one_of(kValues));
}

void Mutator::cut(Bytes& frame) {
  const auto headers = static_cast<std::uint32_t>(places_in(frame).transport + 21);
  frame.resize(lots_.one_in(2) ? lots_.below(static_cast<std::uint32_t>(frame.size()) + 1)
                               : std::min<std::size_t>(frame.size(), 14 + lots_.below(headers - 14)));
}

Bytes Mutator::next() {
  Bytes frame = valid().bytes();
  is_valid_ = lots_.one_in(2);
  if (is_valid_) return frame;
  if (lots_.one_in(2)) flip_bits(frame);
  if (lots_.one_in(2)) replace_field(frame);
  if (lots_.one_in(4)) cut(frame);
  if (lots_.one_in(64)) {
    frame.resize(lots_.below(200));
    for (std::byte& byte : frame) byte = static_cast<std::byte>(lots_.below(256));
  }
  return frame;
}

}  // namespace astil::test
