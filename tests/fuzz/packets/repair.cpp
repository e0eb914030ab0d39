// A frame's lengths and checksums made right, from the RFCs: the fuzzer changes bytes anywhere, and most packets would
// be wrong in the same dull way.
#include <algorithm>
#include <array>

#include "tests/fuzz/packets/scenario.hpp"
#include "tests/packets/wire.hpp"

namespace astil::fuzz {
namespace {

constexpr unsigned kIcmp = 1;
constexpr unsigned kTcp = 6;
constexpr unsigned kUdp = 17;
constexpr unsigned kIcmpv6 = 58;
constexpr std::array kExtensions{0U, 43U, 44U, 51U, 60U};

unsigned at(const Bytes& frame, std::size_t i) { return std::to_integer<unsigned>(frame[i]); }
unsigned word(const Bytes& frame, std::size_t i) { return (at(frame, i) << 8U) | at(frame, i + 1); }

/// Where the transport stands, and what the sum over its pseudo header is but for its length.
struct Transport {
  std::size_t begin = 0;  ///< 0: there is none
  unsigned protocol = 0;
  std::uint32_t pseudo_header = 0;
};

std::uint32_t sum_of(const Bytes& frame, std::size_t begin, std::size_t bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = begin; i < begin + bytes; i += 2) sum += word(frame, i);
  return sum;
}

/// RFC 791, section 3.1.
Transport repair_ipv4(Bytes& frame, std::size_t begin) {
  if (frame.size() < begin + 20) return {};
  std::size_t header = (at(frame, begin) & 0x0fU) * std::size_t{4};
  if (header < 20 || begin + header > frame.size()) {
    frame[begin] = std::byte{0x45};
    header = 20;
  }
  test::set16(frame, begin + 2, static_cast<unsigned>(frame.size() - begin));
  test::set16(frame, begin + 10, 0);
  test::set16(frame, begin + 10, test::internet_checksum(std::span(frame).subspan(begin, header)));
  if ((word(frame, begin + 6) & 0x3fffU) != 0) return {};
  const unsigned protocol = at(frame, begin + 9);
  return {.begin = begin + header, .protocol = protocol, .pseudo_header = sum_of(frame, begin + 12, 8) + protocol};
}

/// RFC 8200, sections 3 and 4.
Transport repair_ipv6(Bytes& frame, std::size_t begin) {
  if (frame.size() < begin + 40) return {};
  test::set16(frame, begin + 4, static_cast<unsigned>(frame.size() - begin - 40));
  Transport transport{.begin = begin + 40, .protocol = at(frame, begin + 6)};
  while (std::find(kExtensions.begin(), kExtensions.end(), transport.protocol) != kExtensions.end()) {
    if (transport.begin + 8 > frame.size()) return {};
    if (transport.protocol == 44 && (word(frame, transport.begin + 2) & 0xfff9U) != 0) return {};
    const unsigned next = at(frame, transport.begin);
    const std::size_t length = transport.protocol == 44 ? 0 : at(frame, transport.begin + 1);
    transport.begin += transport.protocol == 51 ? (length + 2) * 4 : (length + 1) * 8;
    transport.protocol = next;
  }
  transport.pseudo_header = sum_of(frame, begin + 8, 32) + transport.protocol;
  return transport;
}

void set_checksum(Bytes& frame, const Transport& transport, std::size_t field, std::uint32_t pseudo_header) {
  test::set16(frame, transport.begin + field, 0);
  const unsigned sum = test::internet_checksum(std::span(frame).subspan(transport.begin), pseudo_header);
  test::set16(frame, transport.begin + field, transport.protocol == kUdp && sum == 0 ? 0xffffU : sum);
}

void repair_transport(Bytes& frame, const Transport& transport) {
  const std::size_t bytes = frame.size() - transport.begin;
  const auto pseudo_header = static_cast<std::uint32_t>(transport.pseudo_header + bytes);
  if (transport.protocol == kTcp && bytes >= 20) {
    const std::size_t header = (at(frame, transport.begin + 12) >> 4U) * std::size_t{4};
    if (header < 20 || header > bytes) frame[transport.begin + 12] = std::byte{0x50};
    set_checksum(frame, transport, 16, pseudo_header);
  } else if (transport.protocol == kUdp && bytes >= 8) {
    test::set16(frame, transport.begin + 4, static_cast<unsigned>(bytes));
    if (word(frame, transport.begin + 6) != 0) set_checksum(frame, transport, 6, pseudo_header);
  } else if (transport.protocol == kIcmp && bytes >= 8) {
    set_checksum(frame, transport, 2, 0);
  } else if (transport.protocol == kIcmpv6 && bytes >= 8) {
    set_checksum(frame, transport, 2, pseudo_header);
  }
}

}  // namespace

void repair(Bytes& frame) {
  std::size_t network = 14;
  const auto is_tag = [&] { return word(frame, network - 2) == 0x8100 || word(frame, network - 2) == 0x88a8; };
  while (frame.size() > network && is_tag()) network += 4;
  if (frame.size() <= network) return;
  const unsigned version = at(frame, network) >> 4U;
  if (version != 4 && version != 6) return;
  test::set16(frame, network - 2, version == 4 ? 0x0800 : 0x86dd);
  const Transport transport = version == 4 ? repair_ipv4(frame, network) : repair_ipv6(frame, network);
  if (transport.begin != 0 && transport.begin < frame.size()) repair_transport(frame, transport);
}

}  // namespace astil::fuzz
