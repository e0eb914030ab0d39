#include "control/ha/vrrp/announcement.hpp"

#include <algorithm>
#include <array>

#include "control/ha/vrrp/authentication.hpp"

namespace astil::ha {
namespace {

constexpr std::uint16_t kEtherArp = 0x0806;
constexpr std::uint16_t kEtherIpv6 = 0x86dd;
constexpr std::size_t kEthernet = 14;
constexpr std::size_t kArp = 28;
constexpr std::size_t kIpv6 = 40;
constexpr std::size_t kAdvertisementLength = 32;  // with its option
constexpr std::uint8_t kIcmpv6 = 58;
constexpr std::uint8_t kNeighbourAdvertisement = 136;

class Writer {
 public:
  Writer& bytes(Bytes bytes) {
    frame_.insert(frame_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Writer& bytes(std::initializer_list<unsigned> bytes) {
    for (const unsigned byte : bytes) frame_.push_back(static_cast<std::byte>(byte));
    return *this;
  }
  Writer& word(std::uint16_t word) { return bytes({word >> 8U & 0xffU, word & 0xffU}); }
  Writer& mac(const net::MacAddress& mac) { return bytes(std::as_bytes(std::span(mac.bytes))); }
  Writer& host(const address& host) { return bytes(bytes_of(host)); }
  [[nodiscard]] Frame& frame() { return frame_; }

 private:
  Frame frame_;
};

std::uint16_t word_at(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[at]) << 8U |
                                    std::to_integer<unsigned>(bytes[at + 1]));
}

net::MacAddress mac_at(Bytes bytes, std::size_t at) {
  net::MacAddress mac;
  for (std::size_t i = 0; i < mac.bytes.size(); ++i) mac.bytes[i] = std::to_integer<std::uint8_t>(bytes[at + i]);
  return mac;
}

address address_at(Bytes bytes, std::size_t at, std::uint8_t version) {
  AddressRecord record{.version = version};
  for (std::size_t i = 0; i < (version == 4 ? 4U : 16U); ++i)
    record.bytes[i] = std::to_integer<std::uint8_t>(bytes[at + i]);
  return to_address(record);
}

}  // namespace

Frame gratuitous_arp(const address& host, const net::MacAddress& mac) {
  constexpr net::MacAddress kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  Writer writer;
  writer.mac(kBroadcast).mac(mac).word(kEtherArp);
  writer.word(1).word(0x0800).bytes({6, 4}).word(
      1);  // a request: older stations take no reply that they did not ask for
  writer.mac(mac).host(host).bytes({0, 0, 0, 0, 0, 0}).host(host);
  return std::move(writer.frame());
}

Frame unsolicited_advertisement(const address& host, const net::MacAddress& mac) {
  const address all_nodes = boost::asio::ip::address_v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  Writer message;
  // The flags Router and Override are set, Solicited is not (RFC 9568 section 6.4.1).
  message.bytes({kNeighbourAdvertisement, 0, 0, 0, 0xa0, 0, 0, 0}).host(host);
  message.bytes({2, 1}).mac(mac);  // Target Link-Layer Address
  const std::uint16_t sum = checksum_with_pseudo_header(message.frame(), host, all_nodes, kIcmpv6);
  message.frame()[2] = static_cast<std::byte>(sum >> 8U);
  message.frame()[3] = static_cast<std::byte>(sum & 0xffU);
  Writer writer;
  writer.bytes({0x33, 0x33, 0, 0, 0, 1}).mac(mac).word(kEtherIpv6);
  writer.bytes({0x60, 0, 0, 0}).word(kAdvertisementLength).bytes({kIcmpv6, 255}).host(host).host(all_nodes);
  writer.bytes(message.frame());
  return std::move(writer.frame());
}

Frame announcement_of(const address& host, const net::MacAddress& mac) {
  return host.is_v4() ? gratuitous_arp(host, mac) : unsolicited_advertisement(host, mac);
}

std::optional<Claim> parse_claim(Bytes frame) {
  if (frame.size() < kEthernet) return std::nullopt;
  const Bytes packet = frame.subspan(kEthernet);
  if (word_at(frame, 12) == kEtherArp) {
    if (packet.size() < kArp || word_at(packet, 0) != 1 || word_at(packet, 2) != 0x0800 || word_at(packet, 4) != 0x0604)
      return std::nullopt;
    return Claim{.host = address_at(packet, 14, 4), .mac = mac_at(packet, 8)};
  }
  if (word_at(frame, 12) != kEtherIpv6 || packet.size() < kIpv6 + kAdvertisementLength) return std::nullopt;
  const Bytes message = packet.subspan(kIpv6);
  const bool advertises = packet[6] == std::byte{kIcmpv6} && packet[7] == std::byte{255} &&
                          message[0] == std::byte{kNeighbourAdvertisement} && message[24] == std::byte{2} &&
                          message[25] == std::byte{1};
  if (!advertises) return std::nullopt;
  return Claim{.host = address_at(message, 8, 6), .mac = mac_at(message, 26)};
}

void AnnouncementPlan::add(const Round& round) {
  const auto after =
      std::find_if(rounds_.begin(), rounds_.end(), [&](const Round& other) { return other.at > round.at; });
  rounds_.insert(after, round);
}

void AnnouncementPlan::start(Time now, std::size_t addresses, milliseconds refresh) {
  rounds_.clear();
  addresses_ = addresses;
  refresh_ = refresh;
  for (const milliseconds after : {milliseconds(0), milliseconds(1000), milliseconds(5000)}) add({.at = now + after});
  if (refresh_ != Time{0}) add({.at = now + refresh_, .repeats = true});
}

void AnnouncementPlan::again(Time now) {
  if (addresses_ == 0) return;
  const Time at = std::max(now, next_again_);
  const bool busy =
      std::any_of(rounds_.begin(), rounds_.end(), [&](const Round& round) { return round.at <= at + kPause; });
  if (busy) return;
  add({.at = at});
  next_again_ = at + kAgain;
}

std::optional<Time> AnnouncementPlan::deadline() const {
  if (rounds_.empty()) return std::nullopt;
  return rounds_.front().at;
}

std::vector<std::size_t> AnnouncementPlan::due(Time now) {
  std::vector<std::size_t> indices;
  if (rounds_.empty() || rounds_.front().at > now) return indices;
  Round round = rounds_.front();
  rounds_.pop_front();
  const std::size_t end = std::min(addresses_, round.next + kBurst);
  for (; round.next < end; ++round.next) indices.push_back(round.next);
  if (round.next < addresses_) {
    add({.at = now + kPause, .next = round.next, .repeats = round.repeats});
  } else if (round.repeats) {
    add({.at = now + refresh_, .repeats = true});
  }
  return indices;
}

}  // namespace astil::ha
