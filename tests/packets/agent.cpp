// The agent's program: which packets it takes out of their tunnel, and what of the outer header stays with them.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iomanip>
#include <iterator>
#include <random>
#include <sstream>
#include <stdexcept>

#include "agent/decapsulator.hpp"
#include "tests/packets/agent_tunnels.hpp"

namespace astil::agent {
namespace {

using boost::asio::ip::make_address;

Bytes program_object() {
  std::ifstream file(ASTIL_AGENT_OBJECT, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

class AgentProgram : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "loading a program needs root";
    load({});
  }

  void load(std::optional<std::uint16_t> gue_port) {
    const Bytes object = program_object();
    agent_ = Decapsulator::load(object, gue_port).value();
    agent_->set_service_addresses({make_address(kIpv4.service), make_address(kIpv6.service)}).value();
    agent_->set_tunnel_ends({make_address(kIpv4.backend), make_address(kIpv6.backend)}).value();
  }

  /// The verdict; the frame becomes what came out.
  [[nodiscard]] std::uint32_t run(Bytes& frame) {
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(), .data_out = out_.data(),
                .data_size_in = static_cast<std::uint32_t>(frame.size()),
                .data_size_out = static_cast<std::uint32_t>(out_.size()));
    if (const int failed = ::bpf_prog_test_run_opts(agent_->program(), &options); failed != 0) {
      throw std::runtime_error("test run: " + std::string(std::strerror(-failed)));
    }
    frame.assign(out_.begin(), out_.begin() + options.data_size_out);
    return options.retval;
  }

  void expect_passed(const Bytes& sent, const Bytes& handed_on) {
    Bytes frame = sent;
    EXPECT_EQ(run(frame), XDP_PASS);
    EXPECT_EQ(frame, handed_on);
  }
  void expect_unwrapped(const Packet& sent, const Packet& handed_on) {
    const std::uint64_t before = counted(Outcome::unwrapped);
    expect_passed(sent.bytes(), handed_on.bytes());
    EXPECT_EQ(counted(Outcome::unwrapped), before + 1);
  }
  void expect_untouched(const Packet& sent) { expect_passed(sent.bytes(), sent.bytes()); }
  void expect_untouched(const Bytes& sent, Outcome outcome) {
    const std::uint64_t before = counted(outcome);
    expect_passed(sent, sent);
    EXPECT_EQ(counted(outcome), before + 1);
  }

  [[nodiscard]] Counts counts() const { return agent_->counts().value(); }
  [[nodiscard]] std::uint64_t counted(Outcome outcome) const { return counts()[static_cast<std::size_t>(outcome)]; }

  std::unique_ptr<Decapsulator> agent_;
  std::array<std::byte, 16384> out_{};
};

TEST_F(AgentProgram, takes_a_packet_for_a_service_address_out_of_its_tunnel) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape);
    expect_unwrapped(tunnelled(shape), request(shape.inner));
  }
}

TEST_F(AgentProgram, leaves_alone_what_is_no_tunnel_for_a_service_address) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape);
    expect_untouched(outer(shape).carrying(datagram(shape.inner, of(shape.inner).client, of(shape.inner).elsewhere)));
    expect_untouched(tunnelled(shape).vlan(5));
    expect_untouched(tunnelled(shape).ether_type(0x8847));
    expect_untouched(tunnelled(shape).version(5));
  }
  for (const Packet& packet :
       {request(Ip::v4), request(Ip::v6), tunnelled(kPlain).fragment(test::kMoreFragmentsBit),
        tunnelled(kPlain).fragment(10), tunnelled(kPlain).options(1), tunnelled(kGue).options(1),
        tunnelled(kPlainIpv6).hop_by_hop(), tunnelled(kPlainIpv6).destination_options(),
        tunnelled(kPlainIpv6).fragment_header(0, test::Following::nothing, 1), tunnelled(kPlain).ether_type(0x86dd),
        tunnelled(kPlainIpv6).ether_type(0x0800), tunnelled(kGue).gue(kGuePort, 6081),
        Packet().ethernet(kBackendMac, kBalancerMac).payload(20)}) {
    expect_untouched(packet);
  }
  EXPECT_EQ(counts(), Counts{});
}

TEST_F(AgentProgram, takes_no_ipv6_address_for_the_ipv4_address_that_it_stands_for) {
  expect_untouched(outer(kPlainIpv6).carrying(datagram(Ip::v6, kIpv6.client, "::ffff:192.0.2.20")));
  expect_untouched(tunnelled(kPlainIpv6).ipv6(kIpv6.balancer, "::ffff:198.51.100.21"));
  EXPECT_EQ(counts(), Counts{});
}

TEST_F(AgentProgram, leaves_a_tunnel_that_ends_at_another_host_to_the_kernel) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape);
    const Ends& ends = of(shape.outer);
    Packet passing_by = tunnelled(shape);
    shape.outer == Ip::v4 ? passing_by.ipv4(ends.balancer, ends.elsewhere)
                          : passing_by.ipv6(ends.balancer, ends.elsewhere);
    expect_untouched(passing_by.bytes(), Outcome::not_local);
    expect_untouched(passing_by.claims_length(60));
  }
  EXPECT_EQ(counted(Outcome::malformed), 0U);
}

TEST_F(AgentProgram, follows_the_addresses_where_tunnels_end) {
  agent_->set_tunnel_ends({make_address(kIpv4.elsewhere), make_address(kIpv6.backend)}).value();
  expect_untouched(tunnelled(kPlain));
  expect_unwrapped(tunnelled(kPlainIpv6), request(Ip::v6));
  agent_->set_tunnel_ends({make_address(kIpv4.elsewhere), make_address(kIpv4.backend)}).value();
  expect_unwrapped(tunnelled(kPlain), request(Ip::v4));
  expect_untouched(tunnelled(kPlainIpv6));
}

TEST_F(AgentProgram, takes_gue_from_the_port_that_it_is_told) {
  load(7777);
  expect_untouched(tunnelled(kGue));
  expect_unwrapped(tunnelled(kGue).gue(55555, 7777), request(Ip::v4));
}

TEST_F(AgentProgram, takes_gue_whatever_its_checksum_is) {
  for (const Shape& shape : shapes()) {
    if (shape.wrapping == Wrapping::ip_in_ip) continue;
    SCOPED_TRACE(shape);
    Bytes sent = tunnelled(shape).bytes();
    set16(sent, kEthernet + (shape.outer == Ip::v4 ? 20 : 40) + 6, 0x1234);
    expect_passed(sent, request(shape.inner).bytes());
  }
}

TEST_F(AgentProgram, skips_the_private_data_in_a_header_of_gue) {
  constexpr std::size_t kGueHeader = kEthernet + 20 + 8;
  for (unsigned words = 0; words < 32; ++words) {
    Bytes sent = tunnelled(kGueWithHeader).bytes();
    set8(sent, kGueHeader, words);
    sent.insert(sent.begin() + kGueHeader + 4, std::size_t{words} * 4, std::byte{0x45});
    correct_lengths(sent, kGueWithHeader);
    expect_passed(sent, request(Ip::v4).bytes());
  }
  EXPECT_EQ(counted(Outcome::unwrapped), 32U);
}

TEST_F(AgentProgram, leaves_gue_that_it_does_not_know_to_the_kernel) {
  constexpr std::size_t kGueHeader = kEthernet + 20 + 8;
  const auto with = [](std::size_t offset, unsigned value) {
    Bytes frame = tunnelled(kGueWithHeader).bytes();
    set8(frame, kGueHeader + offset, value);
    return frame;
  };
  for (const unsigned start : {0x20U, 0x50U, 0x5fU, 0x70U, 0x80U, 0xc0U, 0xffU}) {  // control messages, variants
    expect_untouched(with(0, start), Outcome::unknown_gue);
  }
  for (const unsigned protocol : {0U, 6U, 17U, 47U, 59U}) expect_untouched(with(1, protocol), Outcome::unknown_gue);
  for (unsigned flag = 1; flag <= 0x80; flag <<= 1U) {
    expect_untouched(with(2, flag), Outcome::unknown_gue);
    expect_untouched(with(3, flag), Outcome::unknown_gue);
  }
}

/// RFC 6040, section 4.2, figure 4: the field of the packet handed on, by the inner (row) and the outer one (column),
/// each Not-ECT, ECT(1), ECT(0), CE as they are encoded.
constexpr std::uint8_t kDropped = 0xff;
constexpr std::array<std::array<std::uint8_t, 4>, 4> kHandedOn{
    {{0, 0, 0, kDropped}, {1, 1, 1, 3}, {2, 1, 2, 3}, {3, 3, 3, 3}}};

TEST_F(AgentProgram, keeps_the_congestion_marks_that_were_made_in_the_tunnel) {
  constexpr std::uint8_t kDscp = 0xb8;
  const auto with = [](unsigned ecn) { return static_cast<std::uint8_t>(kDscp | ecn); };
  for (const Shape& shape : shapes()) {
    for (std::uint8_t i = 0; i < 16; ++i) {
      const std::uint8_t inner = i / 4;
      const std::uint8_t met = i % 4;
      SCOPED_TRACE(testing::Message() << shape << ", inner " << int{inner} << ", outer " << int{met});
      const Packet sent = outer(shape).carrying(request(shape.inner).type_of_service(with(inner))).type_of_service(met);
      Bytes frame = sent.bytes();
      if (kHandedOn[inner][met] == kDropped) {
        EXPECT_EQ(run(frame), XDP_DROP);
      } else {
        expect_unwrapped(sent, request(shape.inner).type_of_service(with(kHandedOn[inner][met])));
      }
    }
  }
  EXPECT_EQ(counted(Outcome::not_ecn_capable), shapes().size());
}

TEST_F(AgentProgram, leaves_a_packet_whose_headers_contradict_each_other_to_the_kernel) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape);
    const Packet whole = tunnelled(shape);
    const auto length = static_cast<std::uint16_t>(whole.datagram().size() - (shape.outer == Ip::v4 ? 0 : 40));
    const Packet inner = request(shape.inner);
    const auto inner_length = static_cast<std::uint16_t>(inner.datagram().size() - (shape.inner == Ip::v4 ? 0 : 40));
    std::vector<Packet> wrong{
        Packet(whole).claims_length(0),
        Packet(whole).claims_length(static_cast<std::uint16_t>(length - 1)),
        Packet(whole).claims_length(0xffff),
        Packet(whole).claims_length(static_cast<std::uint16_t>(length + 1)),
        outer(shape).carrying(Packet(inner).claims_length(static_cast<std::uint16_t>(inner_length + 1))),
        outer(shape).carrying(Packet(inner).claims_length(0xffff))};
    if (shape.inner == Ip::v4) {
      wrong.push_back(outer(shape).carrying(Packet(inner).claims_header_words(4)));
      wrong.push_back(outer(shape).carrying(Packet(inner).claims_header_words(6).claims_length(23)));
    }
    if (shape.wrapping != Wrapping::gue) wrong.push_back(outer(shape).carrying(Packet(inner).version(5)));
    for (std::size_t i = 0; i < wrong.size(); ++i) {
      SCOPED_TRACE(i);
      expect_untouched(wrong[i].bytes(), Outcome::malformed);
    }
  }
}

TEST_F(AgentProgram, leaves_a_packet_with_a_wrong_outer_checksum_to_the_kernel) {
  Bytes frame = tunnelled(kPlain).bytes();
  set8(frame, kEthernet + 8, 63);
  expect_untouched(frame, Outcome::malformed);
}

TEST_F(AgentProgram, leaves_udp_whose_length_is_not_its_packets_to_the_kernel) {
  const Bytes whole = tunnelled(kGue).bytes();
  for (const std::size_t length : {std::size_t{0}, std::size_t{7}, whole.size() - kEthernet - 21, whole.size()}) {
    Bytes frame = whole;
    set16(frame, kEthernet + 24, length);
    expect_untouched(frame, Outcome::malformed);
  }
}

TEST_F(AgentProgram, leaves_every_packet_that_was_cut_short_to_the_kernel) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape);
    const Bytes whole = tunnelled(shape).bytes();
    for (std::size_t length = kEthernet; length < whole.size(); ++length) {
      SCOPED_TRACE(length);
      Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      expect_passed(cut, cut);
      if (length < kEthernet + shape.headers()) continue;
      correct_lengths(cut, shape);
      expect_untouched(cut, Outcome::malformed);
    }
  }
  EXPECT_EQ(counted(Outcome::unwrapped), 0U);
}

TEST_F(AgentProgram, keeps_what_follows_the_packet_in_its_frame) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape);
    Bytes sent = tunnelled(shape).bytes();
    Bytes handed_on = request(shape.inner).bytes();
    for (Bytes* const frame : {&sent, &handed_on}) frame->insert(frame->end(), 7, std::byte{0x5a});
    expect_passed(sent, handed_on);
  }
}

TEST_F(AgentProgram, unwraps_a_packet_that_lies_in_several_buffers) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape);
    const Packet large = request(shape.inner).payload(8000);
    expect_unwrapped(outer(shape).carrying(large), large);
  }
}

std::string hex(const Bytes& bytes) {
  std::ostringstream text;
  for (const std::byte byte : bytes)
    text << std::hex << std::setw(2) << std::setfill('0') << std::to_integer<int>(byte);
  return text.str();
}

/// Whether the frame that came out is the inner packet of the one sent, of whose header only the mark of congestion is
/// another: from a tunnel that ends here, for a service, and all there.
bool is_inner_packet(const Bytes& sent, const Bytes& out) {
  if (out.size() < kEthernet + 20 || out.size() + 20 > sent.size()) return false;
  const bool ipv6 = out[12] == std::byte{0x86};
  const auto holds = [](const Bytes& frame, std::size_t at, const char* address, bool is_ipv6) {
    const core::Address wanted = test::address(address);
    return std::memcmp(&frame[at], is_ipv6 ? &wanted.words[0] : &wanted.words[3], is_ipv6 ? 16 : 4) == 0;
  };
  const bool from_ipv6 = sent[12] == std::byte{0x86};
  if (!holds(sent, from_ipv6 ? 38 : 30, of(from_ipv6 ? Ip::v6 : Ip::v4).backend, from_ipv6)) return false;
  if (!holds(out, ipv6 ? 38 : 30, of(ipv6 ? Ip::v6 : Ip::v4).service, ipv6)) return false;

  Bytes before(sent.begin(), sent.begin() + kEthernet);
  set16(before, 12, ipv6 ? 0x86dd : 0x0800);
  before.insert(before.end(), sent.end() - static_cast<std::ptrdiff_t>(out.size() - kEthernet), sent.end());
  const auto length =
      std::to_integer<std::size_t>(out[ipv6 ? 18 : 16]) * 256 + std::to_integer<std::size_t>(out[ipv6 ? 19 : 17]);
  if (length + kEthernet + (ipv6 ? 40 : 0) > out.size()) return false;
  Bytes after = out;
  if (before[15] != after[15] && !ipv6) {
    const std::size_t header = std::to_integer<std::size_t>(before[14] & std::byte{0x0f}) * 4;
    const auto is_valid = [&](const Bytes& frame) {
      return test::internet_checksum(std::span(frame).subspan(kEthernet, header)) == 0;
    };
    if (is_valid(before) != is_valid(after)) return false;
    std::copy_n(after.begin() + 24, 2, before.begin() + 24);
  }
  for (Bytes* const frame : {&before, &after}) (*frame)[15] &= ipv6 ? std::byte{0xcf} : std::byte{0xfc};
  return before == after;
}

/// A tunnelled packet, spoilt here and there.
Bytes spoilt(std::mt19937& random) {
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random()) % limit; };
  const Shape shape = shapes()[below(12)];
  const auto mark = [&] { return static_cast<std::uint8_t>(below(4)); };
  Bytes frame = outer(shape).carrying(request(shape.inner).type_of_service(mark())).type_of_service(mark()).bytes();
  for (std::size_t i = below(4); i > 0; --i) {
    const std::size_t at = below(std::min<std::size_t>(frame.size(), 110));
    const auto place = frame.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(6)) {
      case 0:
        frame[at] = static_cast<std::byte>(random());
        break;
      case 1:
        frame[at] ^= static_cast<std::byte>(1U << below(8));
        break;
      case 2:
        set16(frame, at, std::array<std::size_t, 6>{0, 1, 4, 20, 40, 0xffff}[below(6)]);
        break;
      case 3:
        frame.insert(place, 1 + below(50), static_cast<std::byte>(random()));
        break;
      case 4:
        frame.erase(place, place + static_cast<std::ptrdiff_t>(below(std::min<std::size_t>(50, frame.size() - at))));
        break;
      default:
        frame.resize(std::max<std::size_t>(64, below(frame.size())));
        break;
    }
    if (frame.size() < 64) frame.resize(64);
  }
  const bool is_of_shape = (frame[12] == std::byte{0x08}) == (shape.outer == Ip::v4);
  if (is_of_shape && below(2) == 0) correct_lengths(frame, shape);
  if (is_of_shape && shape.outer == Ip::v4 && below(4) != 0) correct_checksum(frame);
  return frame;
}

TEST_F(AgentProgram, hands_on_the_inner_packet_or_what_was_sent_whatever_that_is) {
  constexpr std::uint32_t kSeed = 20250601;
  constexpr std::size_t kFrames = 200'000;
  std::mt19937 random(kSeed);
  for (std::size_t i = 0; i < kFrames; ++i) {
    const Bytes sent = spoilt(random);
    Bytes out = sent;
    const std::uint32_t verdict = run(out);
    ASSERT_TRUE((verdict == XDP_DROP) || (verdict == XDP_PASS && (out == sent || is_inner_packet(sent, out))))
        << "frame " << i << " of seed " << kSeed << ", verdict " << verdict << ": " << hex(sent) << "\nbecame "
        << hex(out);
  }
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    EXPECT_EQ(counts()[i] == 0, i == static_cast<std::size_t>(Outcome::stuck)) << "outcome " << i;
  }
}

}  // namespace
}  // namespace astil::agent
