// The fuzzer of what may come in from the network to astil-vrrp: adverts, sealed ones, heartbeats, and frames with
// claims. The first byte picks the version of IP and the kind of checksum.
#include "control/ha/vrrp/announcement.hpp"
#include "control/ha/vrrp/authentication.hpp"
#include "control/ha/vrrp/heartbeat.hpp"
#include "control/ha/vrrp/wire.hpp"
#include "tests/fuzz/targets.hpp"

namespace astil::fuzz {
namespace {

void read_advert(Input payload, bool is_v4, ha::ChecksumKind kind) {
  const ha::address source =
      is_v4 ? boost::asio::ip::make_address("192.0.2.2") : boost::asio::ip::make_address("fe80::2");
  const ha::address group = ha::advert_multicast(is_v4);
  const auto parsed = ha::parse_advert({.payload = payload, .source = source, .destination = group, .ttl = 255}, kind);
  const auto* advert = std::get_if<ha::Advert>(&parsed);
  if (advert == nullptr) return;
  require(advert->max_interval >= 1 && advert->max_interval <= 4095, "an interval is of 12 bits, and not 0");
  const auto length = ha::advert_length(payload, is_v4);
  require(length && *length <= payload.size(), "what was read was there");
  require(*length == ha::kAdvertHeader + advert->addresses.size() * (is_v4 ? 4 : 16), "all addresses were read");
  require(ha::peek_router_id(payload) == advert->virtual_router_id, "the VRID is the same, however it is read");
  const auto built = ha::build_advert(*advert, source, group, kind);
  const auto again = ha::parse_advert({.payload = built, .source = source, .destination = group, .ttl = 255}, kind);
  require(std::holds_alternative<ha::Advert>(again), "what is built from an advert is one");
}

}  // namespace

void vrrp_packets(Input input) {
  if (input.empty()) return;
  const auto choice = std::to_integer<unsigned>(input[0]);
  const bool is_v4 = (choice & 1U) != 0;
  const auto kind = (choice & 2U) != 0 ? ha::ChecksumKind::plain : ha::ChecksumKind::with_pseudo_header;
  const Input payload = input.subspan(1);
  read_advert(payload, is_v4, kind);

  // With a checksum that fits, so that the fuzzer need not find it.
  std::vector<std::byte> right(payload.begin(), payload.end());
  const auto length = ha::advert_length(right, is_v4);
  if (length) {
    right[6] = right[7] = std::byte{0};
    const std::uint16_t sum = ha::plain_checksum(ha::Bytes(right).first(*length));
    right[6] = static_cast<std::byte>(sum >> 8U);
    right[7] = static_cast<std::byte>(sum & 0xffU);
    read_advert(right, true, ha::ChecksumKind::plain);
  }

  ha::KeyRecord key{.present = 1};
  const ha::KeyRing ring(key, {}, "fuzz");
  require(ring.open(payload, {}).has_error(), "nobody guesses a code");
  const auto sealed = ring.seal(payload, {}, choice);
  const auto opened = ring.open(sealed, {});
  require(opened.has_value() && opened->bytes.size() == payload.size() && opened->counter == choice, "a seal opens");

  if (const auto heartbeat = ha::parse_heartbeat(payload)) {
    require(ha::parse_heartbeat(ha::build_heartbeat(*heartbeat)) == heartbeat, "a heartbeat is built as it was read");
    require(!heartbeat->node.empty() && heartbeat->node.size() < 64, "a node has a name");
  }
  if (const auto claim = ha::parse_claim(payload)) {
    const auto again = ha::parse_claim(ha::announcement_of(claim->host, claim->mac));
    require(again && again->host == claim->host && again->mac == claim->mac, "a claim can be made again");
  }
}

}  // namespace astil::fuzz
