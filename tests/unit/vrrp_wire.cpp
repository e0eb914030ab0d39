// Adverts on the wire, RFC 9568 sections 5 and 7.1.
#include "control/ha/vrrp/wire.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace astil::ha::test {
namespace {

using boost::asio::ip::make_address;

const address kSource = make_address("192.0.2.2");
const address kSource6 = make_address("fe80::1");

Advert advert(bool is_v4 = true) {
  return {.virtual_router_id = 51,
          .priority = 100,
          .max_interval = 4095,
          .addresses = {make_address(is_v4 ? "192.0.2.10" : "2001:db8::10")}};
}

std::vector<std::byte> packet(ChecksumKind kind = ChecksumKind::with_pseudo_header) {
  return build_advert(advert(), kSource, advert_multicast(true), kind);
}

std::variant<Advert, AdvertDrop> parse(Bytes payload, ChecksumKind kind = ChecksumKind::with_pseudo_header,
                                       std::uint8_t ttl = 255) {
  return parse_advert({.payload = payload, .source = kSource, .destination = advert_multicast(true), .ttl = ttl}, kind);
}

/// A packet with one byte changed, and the checksum made right again.
std::vector<std::byte> changed(std::size_t at, std::uint8_t value) {
  auto bytes = packet();
  bytes[at] = static_cast<std::byte>(value);
  bytes[6] = bytes[7] = std::byte{0};
  const std::uint16_t sum = checksum_with_pseudo_header(bytes, kSource, advert_multicast(true), kVrrpProtocol);
  bytes[6] = static_cast<std::byte>(sum >> 8U);
  bytes[7] = static_cast<std::byte>(sum & 0xffU);
  return bytes;
}

AdvertDrop drop_of(const std::variant<Advert, AdvertDrop>& parsed) { return std::get<AdvertDrop>(parsed); }

TEST(vrrp_wire, the_fields_stand_where_the_rfc_has_them) {
  const auto bytes = packet();
  ASSERT_EQ(bytes.size(), 12U);
  const auto at = [&](std::size_t i) { return std::to_integer<int>(bytes[i]); };
  EXPECT_EQ(at(0), 0x31);  // version 3, type 1
  EXPECT_EQ(at(1), 51);
  EXPECT_EQ(at(2), 100);
  EXPECT_EQ(at(3), 1);
  EXPECT_EQ(at(4), 0x0f);  // reserved bits are 0
  EXPECT_EQ(at(5), 0xff);
  EXPECT_EQ(at(8), 192);
}

TEST(vrrp_wire, what_is_built_is_read) {
  for (const ChecksumKind kind : {ChecksumKind::with_pseudo_header, ChecksumKind::plain}) {
    const auto parsed = parse(packet(kind), kind);
    ASSERT_TRUE(std::holds_alternative<Advert>(parsed));
    EXPECT_EQ(std::get<Advert>(parsed).addresses, advert().addresses);
    EXPECT_EQ(std::get<Advert>(parsed).max_interval, 4095);
  }
}

TEST(vrrp_wire, ipv6_has_the_pseudo_header_whatever_the_setting) {
  const auto bytes = build_advert(advert(false), kSource6, advert_multicast(false), ChecksumKind::plain);
  const Received received{.payload = bytes, .source = kSource6, .destination = advert_multicast(false), .ttl = 255};
  EXPECT_TRUE(std::holds_alternative<Advert>(parse_advert(received, ChecksumKind::with_pseudo_header)));
}

TEST(vrrp_wire, each_check_of_section_7_1_has_its_reason) {
  EXPECT_EQ(drop_of(parse(packet(), ChecksumKind::with_pseudo_header, 254)), AdvertDrop::ttl);
  EXPECT_EQ(drop_of(parse(changed(0, 0x21))), AdvertDrop::version);
  EXPECT_EQ(drop_of(parse(changed(0, 0x32))), AdvertDrop::type);
  EXPECT_EQ(drop_of(parse(changed(3, 2))), AdvertDrop::truncated);
  auto wrong = packet();
  wrong[2] ^= std::byte{1};
  EXPECT_EQ(drop_of(parse(wrong)), AdvertDrop::checksum);
  EXPECT_EQ(drop_of(parse(packet(ChecksumKind::plain))), AdvertDrop::checksum_kind);
  EXPECT_EQ(drop_of(parse(packet(), ChecksumKind::plain)), AdvertDrop::checksum_kind);
  auto no_interval = changed(4, 0);
  EXPECT_TRUE(std::holds_alternative<Advert>(parse(no_interval)));
}

TEST(vrrp_wire, reserved_bits_are_ignored) {
  const auto parsed = parse(changed(4, 0xf1));
  ASSERT_TRUE(std::holds_alternative<Advert>(parsed));
  EXPECT_EQ(std::get<Advert>(parsed).max_interval, 0x1ff);
}

TEST(vrrp_wire, an_interval_of_0_is_no_advert) {
  const Advert none{.virtual_router_id = 51, .priority = 100, .max_interval = 0, .addresses = advert().addresses};
  const auto bytes = build_advert(none, kSource, advert_multicast(true), ChecksumKind::plain);
  EXPECT_EQ(drop_of(parse(bytes, ChecksumKind::plain)), AdvertDrop::interval);
}

TEST(vrrp_wire, every_shorter_packet_is_truncated) {
  const auto bytes = packet();
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_EQ(drop_of(parse(Bytes(bytes).first(length))), AdvertDrop::truncated) << length;
}

TEST(vrrp_wire, what_follows_the_advert_is_not_part_of_it) {
  auto bytes = packet();
  bytes.resize(bytes.size() + 44, std::byte{0xaa});
  EXPECT_TRUE(std::holds_alternative<Advert>(parse(bytes)));
  EXPECT_EQ(advert_length(bytes, true), 12U);
}

}  // namespace
}  // namespace astil::ha::test
