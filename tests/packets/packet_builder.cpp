// The packets that tests build are those that others send: bytes of a Linux kernel, and what complaint() says of both.
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "tests/packets/complaint.hpp"
#include "tests/packets/packet.hpp"
#include "tests/packets/packet_samples.hpp"

namespace astil::test {
namespace {

constexpr std::string_view kHost = "192.0.2.1";
constexpr std::string_view kClient = "192.0.2.10";
constexpr std::string_view kHost6 = "2001:db8::1";
constexpr std::string_view kClient6 = "2001:db8::a";

Packet from_client() { return Packet().ethernet(mac(0x01), mac(0xc1)).ipv4(kClient, kHost); }
Packet from_host() { return Packet().ethernet(mac(0xc1), mac(0x01)).ipv4(kHost, kClient); }
Packet from_client6() { return Packet().ethernet(mac(0x01), mac(0xc1)).ipv6(kClient6, kHost6); }
Packet from_host6() { return Packet().ethernet(mac(0xc1), mac(0x01)).ipv6(kHost6, kClient6); }

std::string hex(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    if (!text.empty()) text += ' ';
    text += kDigits[static_cast<std::size_t>(byte >> 4U)];
    text += kDigits[static_cast<std::size_t>(byte & std::byte{0x0f})];
  }
  return text;
}

/// What a kernel sent, byte for byte.
void expect_frame(const Packet& packet, std::string_view captured) {
  const Bytes frame = packet.bytes();
  EXPECT_EQ(hex(frame), captured);
  EXPECT_EQ(complaint_of_frame(frame), "");
}

// Captured on a veth pair between two network namespaces, Linux 6.18; TCP's other options and the interfaces' offloads
// were switched off.

TEST(PacketBuilder, asks_for_and_sends_echoes_as_a_kernel_does) {
  expect_frame(from_client().identification(0x08c5).echo_request(0x4242, 7).payload(8),
               "02 00 00 00 00 01 02 00 00 00 00 c1 08 00 45 00 00 24 08 c5 40 00 40 01 ae 08 c0 00 02 0a c0 00 "
               "02 01 08 00 5d 42 42 42 00 07 01 08 0f 16 1d 24 2b 32");
  expect_frame(from_host().identification(0xc946).fragment(0).echo_reply(0x4242, 7).payload(8),
               "02 00 00 00 00 c1 02 00 00 00 00 01 08 00 45 00 00 24 c9 46 00 00 40 01 2d 87 c0 00 02 01 c0 00 "
               "02 0a 00 00 65 42 42 42 00 07 01 08 0f 16 1d 24 2b 32");
  expect_frame(from_client6().flow_label(0x665a7).echo_request(0x4242, 7).payload(8),
               "02 00 00 00 00 01 02 00 00 00 00 c1 86 dd 60 06 65 a7 00 10 3a 40 20 01 0d b8 00 00 00 00 00 00 "
               "00 00 00 00 00 0a 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 80 00 89 7a 42 42 00 07 01 08 "
               "0f 16 1d 24 2b 32");
  expect_frame(from_host6().flow_label(0x6a4a3).echo_reply(0x4242, 7).payload(8),
               "02 00 00 00 00 c1 02 00 00 00 00 01 86 dd 60 06 a4 a3 00 10 3a 40 20 01 0d b8 00 00 00 00 00 00 "
               "00 00 00 00 00 01 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 0a 81 00 88 7a 42 42 00 07 01 08 "
               "0f 16 1d 24 2b 32");
}

TEST(PacketBuilder, opens_and_resets_tcp_as_a_kernel_does) {
  expect_frame(from_client().identification(0xc26e).tcp(40000, 80, kSyn).sequence(0x5f530eec, 0).mss(1460),
               "02 00 00 00 00 01 02 00 00 00 00 c1 08 00 45 00 00 2c c2 6e 40 00 40 06 f4 51 c0 00 02 0a c0 00 "
               "02 01 9c 40 00 50 5f 53 0e ec 00 00 00 00 60 02 fa f0 0e 5a 00 00 02 04 05 b4");
  expect_frame(from_host().identification(0).tcp(80, 40000, kRst | kAck).sequence(0, 0x5f530eed).window(0),
               "02 00 00 00 00 c1 02 00 00 00 00 01 08 00 45 00 00 28 00 00 40 00 40 06 b6 c4 c0 00 02 01 c0 00 "
               "02 0a 00 50 9c 40 00 00 00 00 5f 53 0e ed 50 14 00 00 20 f4 00 00");
  expect_frame(from_client6().flow_label(0x883c7).tcp(40000, 80, kSyn).sequence(0xaf93fc43, 0).window(0xfd20).mss(1440),
               "02 00 00 00 00 01 02 00 00 00 00 c1 86 dd 60 08 83 c7 00 18 06 40 20 01 0d b8 00 00 00 00 00 00 "
               "00 00 00 00 00 0a 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 9c 40 00 50 af 93 fc 43 00 00 "
               "00 00 60 02 fd 20 f7 34 00 00 02 04 05 a0");
  expect_frame(from_host6().flow_label(0x1e5f9).tcp(80, 40000, kRst | kAck).sequence(0, 0xaf93fc44).window(0),
               "02 00 00 00 00 c1 02 00 00 00 00 01 86 dd 60 01 e5 f9 00 14 06 40 20 01 0d b8 00 00 00 00 00 00 "
               "00 00 00 00 00 01 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 0a 00 50 9c 40 00 00 00 00 af 93 "
               "fc 44 50 14 00 00 0b eb 00 00");
}

TEST(PacketBuilder, sends_udp_as_a_kernel_does) {
  expect_frame(from_client().identification(0x08aa).udp(40001, 53).payload(5),
               "02 00 00 00 00 01 02 00 00 00 00 c1 08 00 45 00 00 21 08 aa 40 00 40 11 ae 16 c0 00 02 0a c0 00 "
               "02 01 9c 41 00 35 00 0d b2 33 01 08 0f 16 1d");
  expect_frame(from_client6().flow_label(0xfe53f).udp(40001, 53).payload(5),
               "02 00 00 00 00 01 02 00 00 00 00 c1 86 dd 60 0f e5 3f 00 0d 11 40 20 01 0d b8 00 00 00 00 00 00 "
               "00 00 00 00 00 0a 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 9c 41 00 35 00 0d da c2 01 08 "
               "0f 16 1d");
}

TEST(PacketBuilder, tells_of_errors_as_a_kernel_does) {
  expect_frame(from_host().identification(0xc947).fragment(0).type_of_service(0xc0).icmp_error(
                   3, 3, 0, from_client().identification(0x08aa).udp(40001, 53).payload(5)),
               "02 00 00 00 00 c1 02 00 00 00 00 01 08 00 45 c0 00 3d c9 47 00 00 40 01 2c ad c0 00 02 01 c0 00 "
               "02 0a 03 03 81 27 00 00 00 00 45 00 00 21 08 aa 40 00 40 11 ae 16 c0 00 02 0a c0 00 02 01 9c 41 "
               "00 35 00 0d b2 33 01 08 0f 16 1d");
  expect_frame(from_host6().flow_label(0xa094e).icmp_error(
                   1, 4, 0, from_client6().flow_label(0xfe53f).udp(40001, 53).payload(5)),
               "02 00 00 00 00 c1 02 00 00 00 00 01 86 dd 60 0a 09 4e 00 3d 3a 40 20 01 0d b8 00 00 00 00 00 00 "
               "00 00 00 00 00 01 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 0a 01 04 4c 89 00 00 00 00 60 0f "
               "e5 3f 00 0d 11 40 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 0a 20 01 0d b8 00 00 00 00 00 00 "
               "00 00 00 00 00 01 9c 41 00 35 00 0d da c2 01 08 0f 16 1d");
  expect_frame(
      from_host6().flow_label(0xa094e).icmp_error(
          1, 4, 0, from_client6().flow_label(0x0e0bf).hop_by_hop().destination_options(1).udp(40002, 53).payload(5)),
      "02 00 00 00 00 c1 02 00 00 00 00 01 86 dd 60 0a 09 4e 00 55 3a 40 20 01 0d b8 00 00 00 00 00 00 "
      "00 00 00 00 00 01 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 0a 01 04 ef b5 00 00 00 00 60 00 "
      "e0 bf 00 25 00 40 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 0a 20 01 0d b8 00 00 00 00 00 00 "
      "00 00 00 00 00 01 3c 00 1e 04 01 08 0f 16 11 01 1e 0c 01 08 0f 16 1d 24 2b 32 39 40 47 4e 9c 42 "
      "00 35 00 0d da c1 01 08 0f 16 1d");
}

TEST(PacketBuilder, sends_fragments_as_a_kernel_does) {
  expect_frame(from_client().identification(0x08ab).later_fragment(17, 1480, 20),
               "02 00 00 00 00 01 02 00 00 00 00 c1 08 00 45 00 00 28 08 ab 00 b9 40 11 ed 55 c0 00 02 0a c0 00 "
               "02 01 01 08 0f 16 1d 24 2b 32 39 40 47 4e 55 5c 63 6a 71 78 7f 86");
  expect_frame(
      from_client6().flow_label(0xfe53f).fragment_header(1448, Following::nothing, 0x6bbd6cfd).protocol(17).payload(20),
      "02 00 00 00 00 01 02 00 00 00 00 c1 86 dd 60 0f e5 3f 00 1c 2c 40 20 01 0d b8 00 00 00 00 00 00 "
      "00 00 00 00 00 0a 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 11 00 05 a8 6b bd 6c fd 01 08 "
      "0f 16 1d 24 2b 32 39 40 47 4e 55 5c 63 6a 71 78 7f 86");
}

TEST(PacketBuilder, sends_extension_headers_as_a_kernel_does) {
  expect_frame(from_client6().flow_label(0x0e0bf).hop_by_hop().destination_options(1).udp(40002, 53).payload(5),
               "02 00 00 00 00 01 02 00 00 00 00 c1 86 dd 60 00 e0 bf 00 25 00 40 20 01 0d b8 00 00 00 00 00 00 "
               "00 00 00 00 00 0a 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 3c 00 1e 04 01 08 0f 16 11 01 "
               "1e 0c 01 08 0f 16 1d 24 2b 32 39 40 47 4e 9c 42 00 35 00 0d da c1 01 08 0f 16 1d");
}

/// A part of a frame.
std::string hex(const Packet& packet, std::size_t from, std::size_t bytes) {
  const Bytes frame = packet.bytes();
  return hex(std::span(frame).subspan(from, bytes));
}

TEST(PacketBuilder, writes_vlan_tags_outer_one_first) {
  EXPECT_EQ(hex(from_client().vlan(7).tcp(1, 2, kSyn), 12, 7), "81 00 00 07 08 00 45");
  EXPECT_EQ(hex(from_client6().vlan(7).vlan(0xfff).tcp(1, 2, kSyn), 12, 11), "88 a8 00 07 81 00 0f ff 86 dd 60");
}

TEST(PacketBuilder, says_in_a_tunnel_which_version_is_inside) {
  const auto protocol = [](const Packet& packet) { return hex(packet, 14 + 9, 1); };
  const auto next_header = [](const Packet& packet) { return hex(packet, 14 + 6, 1); };
  EXPECT_EQ(protocol(from_client().carrying(from_client().tcp(1, 2, kSyn))), "04");
  EXPECT_EQ(protocol(from_client().carrying(from_client6().tcp(1, 2, kSyn))), "29");
  EXPECT_EQ(next_header(from_client6().carrying(from_client().tcp(1, 2, kSyn))), "04");
  EXPECT_EQ(next_header(from_client6().carrying(from_client6().tcp(1, 2, kSyn))), "29");
}

TEST(PacketBuilder, carries_the_other_packet_as_it_is) {
  const Packet inner = from_client6().hop_by_hop().udp(1, 2).payload(9);
  const Bytes datagram = inner.datagram();
  EXPECT_EQ(hex(from_client().carrying(inner), 34, datagram.size()), hex(datagram));
  EXPECT_EQ(hex(from_client().gue(5, 6080).carrying(inner), 34, datagram.size() + 8),
            "00 05 17 c0 00 49 00 00 " + hex(datagram));
  EXPECT_EQ(hex(from_client().gue(5, 6080).gue_header().carrying(inner), 34, datagram.size() + 12),
            "00 05 17 c0 00 4d 00 00 00 29 00 00 " + hex(datagram));
}

TEST(PacketBuilder, chains_extension_headers_in_the_order_called) {
  const Packet packet = from_client6()
                            .hop_by_hop()
                            .routing()
                            .fragment_header(0x100, Following::more, 0x01020304)
                            .authentication()
                            .destination_options()
                            .tcp(1, 2, kSyn);
  EXPECT_EQ(hex(packet, 14 + 4, 3), "00 44 00");
  EXPECT_EQ(hex(packet, 54, 48),
            "2b 00 1e 04 01 08 0f 16 "                          // hop by hop, then routing
            "2c 00 fd 00 01 08 0f 16 "                          // then fragment
            "33 00 01 01 01 02 03 04 "                          // then authentication
            "3c 02 00 00 00 00 01 00 00 00 00 01 01 08 0f 16 "  // then destination options
            "06 00 1e 04 01 08 0f 16");                         // then TCP
}

TEST(PacketBuilder, knows_addresses_of_both_versions) {
  EXPECT_EQ(address("192.0.2.1"), core::mapped(ip("192.0.2.1")));
  EXPECT_TRUE(core::is_ipv4(address("192.0.2.1")));
  EXPECT_FALSE(core::is_ipv4(address("2001:db8::1")));
  EXPECT_EQ(host(address("2001:db8::1").words[0]), 0x20010db8U);
  EXPECT_EQ(host(address("2001:db8::1").words[3]), 1U);
  EXPECT_THROW(static_cast<void>(address("2001:db8:::1")), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(address("192.0.2")), std::invalid_argument);
}

TEST(PacketBuilder, never_sends_a_udp_checksum_of_none_where_it_has_one) {
  for (const Packet& start : {from_client(), from_client6()}) {
    bool seen = false;
    for (unsigned port = 0; port < 65536 && !seen; ++port) {
      const Bytes frame = Packet(start).udp(static_cast<std::uint16_t>(port), 53).bytes();
      const std::string sum = hex(std::span(frame).last(2));
      ASSERT_NE(sum, "00 00");
      seen = sum == "ff ff";
      ASSERT_EQ(complaint_of_frame(frame), "");
    }
    EXPECT_TRUE(seen);
  }
}

TEST(PacketBuilder, leaves_to_the_hardware_all_but_the_pseudo_header) {
  // 0xc000 + 0x020a + 0xc000 + 0x0201 + 6 + 20, and once around.
  EXPECT_EQ(hex(from_client().tcp(1, 2, kSyn).checksum_partial(), 34 + 16, 2), "84 26");
  for (const Sample& sample : partial_samples()) {
    EXPECT_EQ(complaint_of_frame(sample.frame), kPartialChecksum) << sample.name;
  }
}

TEST(PacketComplaint, finds_nothing_wrong_with_right_frames) {
  for (const Sample& sample : right_samples()) EXPECT_EQ(complaint_of_frame(sample.frame), "") << sample.name;
}

TEST(PacketComplaint, finds_every_fault) {
  for (const Sample& sample : broken_samples()) EXPECT_NE(complaint_of_frame(sample.frame), "") << sample.name;
}

TEST(PacketComplaint, finds_frames_that_are_cut_anywhere) {
  for (const Sample& sample : right_samples()) {
    if (sample.name.ends_with("padded")) continue;
    for (std::size_t bytes = 0; bytes < sample.frame.size(); ++bytes) {
      ASSERT_NE(complaint_of_frame(std::span(sample.frame).first(bytes)), "") << sample.name << " cut to " << bytes;
    }
  }
}

}  // namespace
}  // namespace astil::test
