// The agent's program: which packets it takes out of their tunnel, and what of the outer header stays with them.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "agent/decapsulator.hpp"
#include "tests/packets/packet.hpp"

namespace astil::agent {
namespace {

using boost::asio::ip::make_address_v4;
using test::Bytes;
using test::Packet;

constexpr std::uint64_t kBackendMac = test::mac(0x11);
constexpr std::uint64_t kBalancerMac = test::mac(0x01);
constexpr std::string_view kBackend = "198.51.100.21";
constexpr std::string_view kBalancer = "198.51.100.1";
constexpr std::string_view kClient = "203.0.113.7";
constexpr std::string_view kVip = "192.0.2.20";

Bytes program_object() {
  std::ifstream file(ASTIL_AGENT_OBJECT, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

Packet request() {
  return Packet().ethernet(kBackendMac, kBalancerMac).ipv4(kClient, kVip).tcp(40000, 443, test::kAck).payload(100);
}

/// As the balancer sends it: RFC 2003, type of service and DF are the inner ones.
Packet tunnelled(const Packet& inner) {
  return Packet().ethernet(kBackendMac, kBalancerMac).ipv4(kBalancer, kBackend).carrying(inner);
}

class AgentProgram : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "loading a program needs root";
    const Bytes object = program_object();
    agent_ = Decapsulator::load(object).value();
    agent_->set_service_addresses({make_address_v4(kVip)}).value();
    agent_->set_tunnel_ends({make_address_v4(kBackend)}).value();
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

  void expect_unwrapped(const Packet& sent, const Packet& handed_on) {
    Bytes frame = sent.bytes();
    EXPECT_EQ(run(frame), XDP_PASS);
    EXPECT_EQ(frame, handed_on.bytes());
  }
  void expect_untouched(const Packet& sent) { expect_unwrapped(sent, sent); }
  void expect_dropped(const Packet& sent) {
    Bytes frame = sent.bytes();
    EXPECT_EQ(run(frame), XDP_DROP);
  }

  [[nodiscard]] std::uint64_t counted(Outcome outcome) const {
    return agent_->counts().value()[static_cast<std::size_t>(outcome)];
  }

  std::unique_ptr<Decapsulator> agent_;
  std::array<std::byte, 4096> out_{};
};

TEST_F(AgentProgram, takes_a_packet_for_a_service_address_out_of_its_tunnel) {
  expect_unwrapped(tunnelled(request()), request());
  EXPECT_EQ(counted(Outcome::unwrapped), 1U);
}

TEST_F(AgentProgram, leaves_alone_what_is_no_tunnel_for_a_service_address) {
  const Packet elsewhere = request().ipv4(kClient, "192.0.2.99");
  for (const Packet& packet :
       {request(), tunnelled(elsewhere), tunnelled(request()).fragment(test::kMoreFragmentsBit),
        tunnelled(request()).fragment(10), tunnelled(request()).options(1), tunnelled(request().version(6)),
        tunnelled(request()).ether_type(0x86dd), Packet().ethernet(kBackendMac, kBalancerMac).payload(20)}) {
    expect_untouched(packet);
  }
  EXPECT_EQ(agent_->counts().value(), Counts{});
}

TEST_F(AgentProgram, leaves_a_tunnel_that_ends_at_another_host_to_the_kernel) {
  const Packet passing_by = tunnelled(request()).ipv4(kBalancer, "198.51.100.99");
  expect_untouched(passing_by);
  EXPECT_EQ(counted(Outcome::not_local), 1U);
  EXPECT_EQ(counted(Outcome::unwrapped), 0U);
}

TEST_F(AgentProgram, follows_the_addresses_where_tunnels_end) {
  agent_->set_tunnel_ends({make_address_v4("198.51.100.99")}).value();
  expect_untouched(tunnelled(request()));
  agent_->set_tunnel_ends({make_address_v4("198.51.100.99"), make_address_v4(kBackend)}).value();
  expect_unwrapped(tunnelled(request()), request());
}

/// RFC 6040, section 4.2, figure 4: the field of the packet handed on, by the inner (row) and the outer one (column),
/// each Not-ECT, ECT(1), ECT(0), CE as they are encoded.
constexpr std::uint8_t kDropped = 0xff;
constexpr std::array<std::array<std::uint8_t, 4>, 4> kHandedOn{
    {{0, 0, 0, kDropped}, {1, 1, 1, 3}, {2, 1, 2, 3}, {3, 3, 3, 3}}};
constexpr std::uint8_t kDscp = 0xb8;

TEST_F(AgentProgram, keeps_the_congestion_marks_that_were_made_in_the_tunnel) {
  for (std::uint8_t inner = 0; inner < 4; ++inner) {
    for (std::uint8_t outer = 0; outer < 4; ++outer) {
      SCOPED_TRACE(testing::Message() << "inner " << int{inner} << ", outer " << int{outer});
      const auto with = [](std::uint8_t ecn) { return static_cast<std::uint8_t>(kDscp | ecn); };
      const Packet sent = tunnelled(request().type_of_service(with(inner))).type_of_service(outer);
      if (kHandedOn[inner][outer] == kDropped) {
        expect_dropped(sent);
      } else {
        expect_unwrapped(sent, request().type_of_service(with(kHandedOn[inner][outer])));
      }
    }
  }
  EXPECT_EQ(counted(Outcome::not_ecn_capable), 1U);
  EXPECT_EQ(counted(Outcome::unwrapped), 15U);
}

}  // namespace
}  // namespace astil::agent
