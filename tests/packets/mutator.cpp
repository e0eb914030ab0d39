#include "tests/packets/mutator.hpp"

#include <array>

#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

template <class Value, std::size_t kCount>
Value one_of(const std::array<Value, kCount>& values, std::uint32_t draw) {
  return values[draw % kCount];
}

constexpr std::array<std::string_view, 3> kClients{kClient, kSilentClient, kUnreachableClient};
constexpr std::array<std::string_view, 4> kBackends{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.9"};
constexpr std::array<std::uint8_t, 8> kFlags{kSyn, kSyn, kAck, kAck, kAck | kFin, kRst, kSyn | kAck, 0xff};

}  // namespace

/// The services are those of the random run: 198.51.100.1, ports 80 to 84, two of them of UDP too; replies come from
/// port 8080 under nat.
Packet Mutator::valid() {
  const std::string_view client = one_of(kClients, below(8) < 5 ? 0 : below(3));
  const auto client_port = static_cast<std::uint16_t>(1024 + below(2000));
  const auto service_port = static_cast<std::uint16_t>(80 + below(6));
  const std::uint8_t flags = one_of(kFlags, below(8));
  Packet packet = Packet().ethernet(kBalancerMac, kClientMac).payload(below(4) == 0 ? below(1400) : below(16));
  const auto transport = [&](std::uint16_t from, std::uint16_t to) {
    if (below(4) != 0) {
      packet.tcp(from, to, flags);
    } else {
      packet.udp(from, to);
      if (below(4) == 0) packet.without_checksum();
    }
  };
  if (below(3) == 0) {
    packet.ipv4(one_of(kBackends, below(4)), client);
    transport(below(4) == 0 ? service_port : std::uint16_t{8080}, client_port);
  } else {
    packet.ipv4(client, "198.51.100.1");
    transport(client_port, service_port);
  }
  if (below(8) == 0) packet.options(below(11));
  if (below(8) == 0) packet.time_to_live(static_cast<std::uint8_t>(below(3)));
  if (below(32) == 0) packet.fragment(static_cast<std::uint16_t>(below(65536)));
  if (below(32) == 0)
    packet.claims_length(static_cast<std::uint16_t>(below(2) == 0 ? below(65536) : 65500 + below(36)));
  if (below(32) == 0) packet.type_of_service(static_cast<std::uint8_t>(below(256)));
  return packet;
}

void Mutator::flip_bits(Bytes& frame) {
  for (std::uint32_t flips = 1 + below(8); flips > 0 && !frame.empty(); --flips) {
    // The headers are what the packet path reads.
    const std::size_t range = below(8) == 0 ? frame.size() : std::min<std::size_t>(frame.size(), 60);
    frame[below(static_cast<std::uint32_t>(range))] ^= std::byte{1} << below(8);
  }
}

void Mutator::replace_field(Bytes& frame) {
  constexpr std::array<std::uint8_t, 8> kValues{0x00, 0x01, 0x7f, 0x80, 0xff, 0x45, 0x4f, 0x06};
  constexpr std::array<std::uint8_t, 10> kOffsets{12, 14, 16, 17, 20, 21, 22, 23, 46, 47};
  const std::size_t at = one_of(kOffsets, below(10));
  if (at < frame.size()) frame[at] = static_cast<std::byte>(one_of(kValues, below(8)));
}

void Mutator::cut(Bytes& frame) {
  frame.resize(below(2) == 0 ? below(static_cast<std::uint32_t>(frame.size()) + 1)
                             : std::min<std::size_t>(frame.size(), 14 + below(61)));
}

Bytes Mutator::next() {
  Bytes frame = valid().bytes();
  if (below(2) == 0) return frame;
  if (below(2) == 0) flip_bits(frame);
  if (below(2) == 0) replace_field(frame);
  if (below(4) == 0) cut(frame);
  if (below(64) == 0) {
    frame.resize(below(200));
    for (std::byte& byte : frame) byte = static_cast<std::byte>(below(256));
  }
  return frame;
}

}  // namespace astil::test
