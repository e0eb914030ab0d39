// Behaviour of the parts of lab_client and lab_flood that a wrong count would come from: the reading of responses and
// of command lines, and a flood's frames.
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "tests/lab/client/flood.hpp"
#include "tests/lab/client/options.hpp"
#include "tests/lab/client/response.hpp"
#include "tests/packets/complaint.hpp"

namespace astil::lab {
namespace {

constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\nServer: nginx\r\ncontent-length: 3\r\nX-Backend: b1\r\nX-Client: 10.1.0.10:1024\r\n\r\nb1\n";

TEST(response, an_answer_may_come_byte_by_byte) {
  Response response;
  for (std::size_t i = 0; i + 1 < kAnswer.size(); ++i) {
    ASSERT_EQ(response.take(kAnswer.substr(i, 1)), Response::Progress::incomplete) << i;
  }
  EXPECT_EQ(response.take(kAnswer.substr(kAnswer.size() - 1)), Response::Progress::complete);
  EXPECT_EQ(response.status(), 200U);
  EXPECT_EQ(response.backend(), "b1");
}

TEST(response, bytes_beyond_the_body_are_malformed) {
  Response response;
  EXPECT_EQ(response.take(std::string(kAnswer) + "x"), Response::Progress::malformed);
  Response whole;
  EXPECT_EQ(whole.take(kAnswer), Response::Progress::complete);
  EXPECT_EQ(whole.take("x"), Response::Progress::malformed);
}

TEST(response, an_answer_without_length_is_malformed) {
  EXPECT_EQ(Response{}.take("HTTP/1.1 200 OK\r\nX-Backend: b1\r\n\r\nb1\n"), Response::Progress::malformed);
}

TEST(response, what_is_not_http_is_malformed) {
  EXPECT_EQ(Response{}.take("220 mail.example\r\n\r\n"), Response::Progress::malformed);
}

TEST(response, a_head_without_end_is_malformed_at_last) {
  Response response;
  EXPECT_EQ(response.take(std::string(20000, 'x')), Response::Progress::malformed);
}

TEST(response, an_empty_body_is_complete_with_the_head) {
  EXPECT_EQ(Response{}.take("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"), Response::Progress::complete);
}

TEST(options, sources_are_every_address_of_the_range) {
  constexpr std::array arguments = {"short", "--to", "192.0.2.10:80", "--source", "10.1.0.254-10.1.1.1", "--flows"};
  const auto options = parse_options(arguments);
  ASSERT_TRUE(options) << options.error().text();
  EXPECT_EQ(options->sources.size(), 4U);
  EXPECT_EQ(options->flows, FlowList::yes);
  EXPECT_EQ(options->to.port(), 80);
}

TEST(options, a_range_of_ipv6_crosses_groups) {
  constexpr std::array arguments = {"short", "--to", "[2001:db8:c::10]:80", "--source", "2001:db8::fffe-2001:db8::1:1"};
  const auto options = parse_options(arguments);
  ASSERT_TRUE(options) << options.error().text();
  ASSERT_EQ(options->sources.size(), 4U);
  EXPECT_EQ(options->sources.back().to_string(), "2001:db8::1:1");
  EXPECT_EQ(options->to.address().to_string(), "2001:db8:c::10");
}

TEST(options, sources_are_of_the_version_of_the_target) {
  constexpr std::array arguments = {"short", "--to", "[2001:db8:c::10]:80", "--source", "10.1.0.10"};
  EXPECT_FALSE(parse_options(arguments));
}

TEST(options, an_ipv6_target_needs_brackets) {
  constexpr std::array arguments = {"short", "--to", "2001:db8:c::10:80"};
  EXPECT_FALSE(parse_options(arguments));
}

TEST(options, a_mistake_names_its_option) {
  constexpr std::array arguments = {"long", "--to", "192.0.2.10:80", "--connections", "many"};
  const auto options = parse_options(arguments);
  ASSERT_FALSE(options);
  EXPECT_NE(options.error().text().find("--connections: 'many'"), std::string::npos) << options.error().text();
}

TEST(options, a_range_that_runs_backwards_is_refused) {
  constexpr std::array arguments = {"short", "--to", "192.0.2.10:80", "--source", "10.1.0.13-10.1.0.10"};
  EXPECT_FALSE(parse_options(arguments));
}

TEST(options, long_without_a_number_of_connections_is_refused) {
  constexpr std::array arguments = {"long", "--to", "192.0.2.10:80"};
  EXPECT_FALSE(parse_options(arguments));
}

constexpr std::uint64_t kOwn = 0x0200000000c1;

FloodOptions flood_to(const char* target) {
  const std::array arguments = {"--interface", "eth0",   "--next-hop", "02:00:00:00:00:0a", "--to",
                                target,        "--kind", "syns",       "--flows",           "10"};
  return parse_flood_options(arguments).value();
}

TEST(flood, next_hop_is_read_as_it_is_written) { EXPECT_EQ(flood_to("192.0.2.10:80").next_hop, 0x0a0000000002U); }

TEST(flood, needs_a_whole_mac_address) {
  for (const char* const mac : {"02:00:00:00:00", "02:00:00:00:00:0g", "02-00-00-00-00-01", "02:00:00:00:00:011"}) {
    const std::array arguments = {"--interface", "eth0", "--next-hop", mac, "--to", "192.0.2.10:80", "--flows", "1"};
    EXPECT_FALSE(parse_flood_options(arguments)) << mac;
  }
}

TEST(flood, nothing_is_wrong_with_its_frames) {
  for (const char* const target : {"192.0.2.10:80", "[2001:db8:c::10]:80"}) {
    const FloodFrames frames(flood_to(target), kOwn);
    test::Bytes frame(frames.size());
    for (const std::uint64_t flow : {0ULL, 1ULL, 12345ULL, 0xffffffffULL}) {
      frames.write(frame, flow, Segment::syn);
      EXPECT_EQ(test::complaint_of_frame(frame), "") << target << ", SYN of flow " << flow;
      frames.write(frame, flow, Segment::ack);
      EXPECT_EQ(test::complaint_of_frame(frame), "") << target << ", ACK of flow " << flow;
    }
  }
}

TEST(flood, no_two_flows_have_the_same_source) {
  for (const char* const target : {"192.0.2.10:80", "[2001:db8:c::10]:80"}) {
    const FloodFrames frames(flood_to(target), kOwn);
    test::Bytes frame(frames.size());
    std::set<test::Bytes> seen;
    constexpr std::uint64_t kFlows = 100'000;
    for (std::uint64_t flow = 0; flow < kFlows; ++flow) {
      frames.write(frame, flow, Segment::syn);
      seen.insert(frame);
    }
    EXPECT_EQ(seen.size(), kFlows) << target;
  }
}

}  // namespace
}  // namespace astil::lab
