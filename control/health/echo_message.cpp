#include "control/health/echo_message.hpp"

#include <algorithm>
#include <string_view>

#include "control/base/internet_checksum.hpp"

namespace astil::health {
namespace {

constexpr std::size_t kChecksum = 2;
constexpr std::size_t kIdentity = 4;  // id, sequence and bytes: what a reply repeats
constexpr std::string_view kBytes = "astil health check.";
constexpr std::size_t kSmallestIpHeader = 20;

struct Types {
  std::byte request, reply;
};
constexpr Types types_of(IpVersion version) {
  return version == IpVersion::ipv4 ? Types{std::byte{8}, std::byte{0}} : Types{std::byte{128}, std::byte{129}};
}

void put(std::span<std::byte> out, std::size_t at, unsigned word) {
  out[at] = static_cast<std::byte>((word >> 8U) & 0xffU);
  out[at + 1] = static_cast<std::byte>(word & 0xffU);
}

}  // namespace

std::vector<std::byte> echo_request(IpVersion version, std::uint16_t id, std::uint16_t sequence) {
  std::vector<std::byte> out(8);
  out[0] = types_of(version).request;
  put(out, kIdentity, id);
  put(out, kIdentity + 2, sequence);
  for (const char c : kBytes) out.push_back(static_cast<std::byte>(c));
  if (version == IpVersion::ipv4) put(out, kChecksum, base::internet_checksum(base::sum_of_words(out)));
  return out;
}

bool is_echo_reply(IpVersion version, std::span<const std::byte> request, std::span<const std::byte> packet) {
  if (version == IpVersion::ipv4) {
    if (packet.empty()) return false;
    const std::size_t header = 4 * std::to_integer<std::size_t>(packet[0] & std::byte{0x0f});
    if (header < kSmallestIpHeader || packet.size() < header) return false;
    packet = packet.subspan(header);
  }
  if (packet.size() != request.size()) return false;
  return packet[0] == types_of(version).reply && packet[1] == std::byte{0} &&
         std::ranges::equal(packet.subspan(kIdentity), request.subspan(kIdentity));
}

}  // namespace astil::health
