#include "control/ha/vrrp/wire.hpp"

#include <algorithm>
#include <array>

#include "control/base/internet_checksum.hpp"

namespace astil::ha {
namespace {

constexpr std::uint8_t kVersion = 3;        // section 5.2.1
constexpr std::uint8_t kAdvertisement = 1;  // section 5.2.2

std::size_t width_of(bool is_v4) { return is_v4 ? 4 : 16; }

std::uint8_t byte_at(Bytes bytes, std::size_t at) { return std::to_integer<std::uint8_t>(bytes[at]); }

std::uint64_t sum_of(const address& host) {
  const auto sum = [](const auto& bytes) { return base::sum_of_words(std::as_bytes(std::span(bytes))); };
  return host.is_v4() ? sum(host.to_v4().to_bytes()) : sum(host.to_v6().to_bytes());
}

address read_address(Bytes bytes, bool is_v4) {
  if (is_v4) {
    boost::asio::ip::address_v4::bytes_type raw{};
    std::transform(bytes.begin(), bytes.end(), raw.begin(), std::to_integer<std::uint8_t>);
    return boost::asio::ip::address_v4(raw);
  }
  boost::asio::ip::address_v6::bytes_type raw{};
  std::transform(bytes.begin(), bytes.end(), raw.begin(), std::to_integer<std::uint8_t>);
  return boost::asio::ip::address_v6(raw);
}

void write_address(std::vector<std::byte>& out, const address& host) {
  const auto append = [&](const auto& bytes) {
    for (const auto byte : bytes) out.push_back(static_cast<std::byte>(byte));
  };
  if (host.is_v4()) {
    append(host.to_v4().to_bytes());
  } else {
    append(host.to_v6().to_bytes());
  }
}

std::uint16_t checksum_of(Bytes message, const address& source, const address& destination, ChecksumKind kind) {
  if (source.is_v6() || kind == ChecksumKind::with_pseudo_header)
    return checksum_with_pseudo_header(message, source, destination, kVrrpProtocol);
  return plain_checksum(message);
}

}  // namespace

address advert_multicast(bool is_v4) {
  if (is_v4) return boost::asio::ip::address_v4(0xe0000012);
  return boost::asio::ip::address_v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12});
}

std::uint16_t checksum_with_pseudo_header(Bytes message, const address& source, const address& destination,
                                          std::uint8_t protocol) {
  return base::internet_checksum(sum_of(source) + sum_of(destination) + message.size() + protocol +
                                 base::sum_of_words(message));
}

std::uint16_t plain_checksum(Bytes message) { return base::internet_checksum(base::sum_of_words(message)); }

std::optional<std::size_t> advert_length(Bytes payload, bool is_v4) {
  if (payload.size() < kAdvertHeader) return std::nullopt;
  const std::size_t length = kAdvertHeader + byte_at(payload, 3) * width_of(is_v4);
  if (payload.size() < length) return std::nullopt;
  return length;
}

std::optional<std::uint8_t> peek_router_id(Bytes payload) {
  if (payload.size() < 2) return std::nullopt;
  return byte_at(payload, 1);
}

std::variant<Advert, AdvertDrop> parse_advert(const Received& packet, ChecksumKind checksum) {
  const bool is_v4 = packet.source.is_v4();
  if (packet.ttl != kVrrpTtl) return AdvertDrop::ttl;
  if (packet.payload.empty()) return AdvertDrop::truncated;
  if (byte_at(packet.payload, 0) >> 4U != kVersion) return AdvertDrop::version;
  // An unknown type MUST be discarded (section 5.2.2).
  if ((byte_at(packet.payload, 0) & 0xfU) != kAdvertisement) return AdvertDrop::type;
  const auto length = advert_length(packet.payload, is_v4);
  if (!length) return AdvertDrop::truncated;
  const Bytes message = packet.payload.first(*length);
  if (checksum_of(message, packet.source, packet.destination, checksum) != 0) {
    const ChecksumKind other = checksum == ChecksumKind::plain ? ChecksumKind::with_pseudo_header : ChecksumKind::plain;
    const bool other_is_right = checksum_of(message, packet.source, packet.destination, other) == 0;
    return other_is_right ? AdvertDrop::checksum_kind : AdvertDrop::checksum;
  }
  Advert advert;
  advert.virtual_router_id = byte_at(message, 1);
  advert.priority = byte_at(message, 2);
  // The reserved bits are ignored (section 5.2.6).
  advert.max_interval = static_cast<std::uint16_t>((byte_at(message, 4) & 0xfU) << 8U | byte_at(message, 5));
  if (advert.max_interval == 0) return AdvertDrop::interval;
  for (Bytes rest = message.subspan(kAdvertHeader); !rest.empty(); rest = rest.subspan(width_of(is_v4)))
    advert.addresses.push_back(read_address(rest.first(width_of(is_v4)), is_v4));
  return advert;
}

std::vector<std::byte> build_advert(const Advert& advert, const address& source, const address& destination,
                                    ChecksumKind checksum) {
  std::vector<std::byte> message;
  message.reserve(kAdvertHeader + advert.addresses.size() * width_of(source.is_v4()));
  const auto append = [&](unsigned value) { message.push_back(static_cast<std::byte>(value)); };
  append(kVersion << 4U | kAdvertisement);
  append(advert.virtual_router_id);
  append(advert.priority);
  append(static_cast<unsigned>(advert.addresses.size()));
  append(advert.max_interval >> 8U & 0xfU);  // Reserve MUST be zero (section 5.2.6)
  append(advert.max_interval & 0xffU);
  append(0);  // Checksum, filled in below
  append(0);
  for (const address& host : advert.addresses) write_address(message, host);
  const std::uint16_t sum = checksum_of(message, source, destination, checksum);
  message[6] = static_cast<std::byte>(sum >> 8U);
  message[7] = static_cast<std::byte>(sum & 0xffU);
  return message;
}

address to_address(const AddressRecord& record) {
  const std::size_t width = width_of(record.version == 4);
  return read_address(std::as_bytes(std::span(record.bytes)).first(width), record.version == 4);
}

AddressRecord to_record(const address& host) {
  AddressRecord record;
  record.version = host.is_v4() ? 4 : 6;
  std::vector<std::byte> bytes;
  write_address(bytes, host);
  std::transform(bytes.begin(), bytes.end(), record.bytes.begin(), std::to_integer<std::uint8_t>);
  return record;
}

}  // namespace astil::ha
