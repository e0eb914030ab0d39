// Echo requests to the byte, which packets answer them, and probes by them on the loopback interface.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "control/health/echo_message.hpp"
#include "tests/unit/health_probing.hpp"

namespace astil::health::test {
namespace {

using boost::asio::ip::make_address;
using Bytes = std::vector<std::byte>;

/// The reply as a raw socket gives it.
Bytes reply_to(IpVersion version, Bytes request) {
  request[0] = version == IpVersion::ipv4 ? std::byte{0} : std::byte{129};
  if (version == IpVersion::ipv6) return request;
  Bytes packet(24);
  packet[0] = std::byte{0x46};  // with an option
  packet.insert(packet.end(), request.begin(), request.end());
  return packet;
}

TEST(health_echo, a_request_sums_up_to_nothing) {
  const Bytes request = echo_request(IpVersion::ipv4, 0x1234, 0xfff0);
  EXPECT_EQ(request[0], std::byte{8});
  EXPECT_EQ(request[5], std::byte{0x34});
  unsigned sum = 0;
  for (std::size_t i = 0; i < request.size(); ++i) sum += std::to_integer<unsigned>(request[i]) << (i % 2 == 0 ? 8 : 0);
  EXPECT_EQ((sum & 0xffffU) + (sum >> 16U), 0xffffU);
}

TEST(health_echo, a_reply_repeats_the_request) {
  for (const IpVersion version : {IpVersion::ipv4, IpVersion::ipv6}) {
    const Bytes request = echo_request(version, 7, 9);
    const Bytes reply = reply_to(version, request);
    EXPECT_TRUE(is_echo_reply(version, request, reply));
    EXPECT_FALSE(is_echo_reply(version, echo_request(version, 7, 10), reply));
    EXPECT_FALSE(is_echo_reply(version, echo_request(version, 8, 9), reply));
    EXPECT_FALSE(is_echo_reply(version, request, request)) << "its own request";
  }
}

TEST(health_echo, what_is_cut_off_or_longer_is_no_reply) {
  for (const IpVersion version : {IpVersion::ipv4, IpVersion::ipv6}) {
    const Bytes request = echo_request(version, 7, 9);
    Bytes reply = reply_to(version, request);
    for (std::size_t size = 0; size < reply.size(); ++size)
      EXPECT_FALSE(is_echo_reply(version, request, std::span(reply).first(size))) << size;
    reply.push_back({});
    EXPECT_FALSE(is_echo_reply(version, request, reply));
  }
}

class health_prober_icmp : public Probing {
 protected:
  void SetUp() override {
    const int raw = ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    if (raw < 0 && errno == EPERM) GTEST_SKIP() << "needs CAP_NET_RAW";
    ::close(raw);
  }
};

TEST_F(health_prober_icmp, a_host_that_is_there_passes_in_both_versions_of_ip) {
  for (const char* host : {"127.0.0.1", "::1"}) {
    outcome_.reset();
    const Outcome outcome = probe({make_address(host), {}, config::IcmpCheck{}});
    EXPECT_EQ(outcome.kind, Outcome::Kind::passed) << host << ": " << outcome.error;
  }
}

TEST_F(health_prober_icmp, a_probe_that_is_given_up_tells_nothing) {
  start({make_address("127.0.0.1"), {}, config::IcmpCheck{}});
  EXPECT_EQ(running_->phase(), Phase::answer);
  running_.reset();
  while (loop_.poll() > 0) {
  }
  EXPECT_FALSE(outcome_);
}

TEST_F(health_prober_icmp, a_lack_of_descriptors_is_no_fault_of_the_backend) {
  const ProbeRequest request{make_address("127.0.0.1"), {}, config::IcmpCheck{}};
  ASSERT_EQ(probe(request).kind, Outcome::Kind::passed);  // as in health_prober.cpp
  outcome_.reset();
  without_descriptors([&] { start(request); });
  run_until([&] { return outcome_.has_value(); });
  EXPECT_EQ(outcome_->kind, Outcome::Kind::not_made);
  EXPECT_EQ(outcome_->error, "connect: Too many open files");
}

}  // namespace
}  // namespace astil::health::test
