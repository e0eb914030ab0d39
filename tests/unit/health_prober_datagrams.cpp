// Probes by datagrams against real sockets on the loopback interface, in this process and on its one loop.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/ip/udp.hpp>
#include <vector>

#include "control/base/dns_message.hpp"
#include "tests/unit/health_probing.hpp"

namespace astil::health::test {
namespace {

using boost::asio::ip::make_address;
using boost::asio::ip::udp;
using boost::system::error_code;

/// Answers each datagram with what `reply` makes of it: any number of datagrams.
class DatagramServer {
 public:
  using Bytes = std::vector<std::byte>;
  using Reply = std::function<std::vector<Bytes>(Bytes)>;

  DatagramServer(boost::asio::io_context& loop, Reply reply, const char* host = "127.0.0.1")
      : socket_(loop, udp::endpoint(make_address(host), 0)), reply_(std::move(reply)) {
    serve();
  }

  [[nodiscard]] config::Port port() const { return config::Port{socket_.local_endpoint().port()}; }
  [[nodiscard]] const std::vector<Bytes>& seen() const { return seen_; }
  [[nodiscard]] std::size_t sent() const { return sent_; }

 private:
  void serve() {
    socket_.async_receive_from(boost::asio::buffer(buffer_), peer_, [this](error_code error, std::size_t size) {
      if (error) return;
      seen_.emplace_back(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size));
      for (const Bytes& bytes : reply_(seen_.back())) {
        socket_.send_to(boost::asio::buffer(bytes), peer_);
        ++sent_;
      }
      serve();
    });
  }

  udp::socket socket_;
  Reply reply_;
  udp::endpoint peer_;
  std::array<std::byte, 2048> buffer_{};
  std::vector<Bytes> seen_;
  std::size_t sent_ = 0;
};

using Bytes = DatagramServer::Bytes;

/// A name server that says this of every name.
DatagramServer::Reply says(unsigned code) {
  return [code](Bytes query) {
    query[2] |= std::byte{0x80};
    query[3] = static_cast<std::byte>(code);
    return std::vector<Bytes>{query};
  };
}

class health_prober_dns : public Probing {
 protected:
  ProbeRequest request(const DatagramServer& server, const config::DnsCheck& check = {.name = "a.example"},
                       const char* host = "127.0.0.1") {
    return {make_address(host), server.port(), check};
  }
};

TEST_F(health_prober_dns, an_answer_passes_in_both_versions_of_ip) {
  for (const char* host : {"127.0.0.1", "::1"}) {
    outcome_.reset();
    DatagramServer server(loop_, says(0), host);
    EXPECT_EQ(probe(request(server, {.name = "a.example"}, host)).kind, Outcome::Kind::passed) << host;
    EXPECT_EQ(server.seen().at(0), base::dns_query(kId, "a.example", 1));
  }
}

TEST_F(health_prober_dns, another_response_code_is_named) {
  DatagramServer server(loop_, says(2));
  const Outcome outcome = probe(request(server));
  EXPECT_EQ(outcome.kind, Outcome::Kind::failed);
  EXPECT_EQ(outcome.error, "SERVFAIL, expected NOERROR");
}

TEST_F(health_prober_dns, the_expected_response_code_is_the_configured_one) {
  DatagramServer server(loop_, says(3));
  const config::DnsCheck check{.name = "a.example", .code = config::DnsResponseCode::name_error};
  EXPECT_EQ(probe(request(server, check)).kind, Outcome::Kind::passed);
}

TEST_F(health_prober_dns, what_is_no_answer_is_named) {
  DatagramServer echo(loop_, [](const Bytes& query) { return std::vector<Bytes>{query}; });
  EXPECT_EQ(probe(request(echo)).error, "answer: a query, not an answer");
}

TEST_F(health_prober_dns, an_answer_behind_strangers_is_found) {
  DatagramServer server(loop_, [](Bytes query) {
    query[2] |= std::byte{0x80};
    Bytes other = query;
    other[0] ^= std::byte{0xff};
    return std::vector<Bytes>{other, Bytes{}, other, query};
  });
  EXPECT_EQ(probe(request(server)).kind, Outcome::Kind::passed);
}

TEST_F(health_prober_dns, datagrams_that_are_passed_over_are_told_of) {
  DatagramServer server(loop_, [](Bytes query) {
    query[0] ^= std::byte{0xff};
    return std::vector<Bytes>{query};
  });
  start(request(server));
  EXPECT_EQ(running_->phase(), Phase::answer);
  EXPECT_EQ(running_->remark(), "");
  run_until([&] { return !running_->remark().empty(); });
  EXPECT_EQ(running_->remark(), "1 datagram was no answer to the query");
  EXPECT_FALSE(outcome_);
}

TEST_F(health_prober_dns, a_closed_port_fails_with_its_reason) {
  for (const char* host : {"127.0.0.1", "::1"}) {
    outcome_.reset();
    const tcp::socket bound(loop_, tcp::endpoint(make_address(host), 0));  // of TCP, so that nothing is there by UDP
    const config::Port port{bound.local_endpoint().port()};
    const Outcome outcome = probe({make_address(host), port, config::DnsCheck{.name = "."}});
    EXPECT_EQ(outcome.kind, Outcome::Kind::failed) << host;
    EXPECT_EQ(outcome.error, "answer: port unreachable, by ICMP") << host;
  }
}

TEST_F(health_prober_dns, a_probe_that_is_given_up_tells_nothing) {
  DatagramServer server(loop_, says(0));
  start(request(server));
  running_.reset();
  while (loop_.poll() > 0) {
  }
  EXPECT_FALSE(outcome_);
}

class health_prober_udp : public Probing {
 protected:
  ProbeRequest request(const DatagramServer& server, const config::UdpCheck& check) {
    return {make_address("127.0.0.1"), server.port(), check};
  }

  /// A server that gives this answer, or none.
  static DatagramServer::Reply says(const std::string& text) {
    const auto bytes = std::as_bytes(std::span(text));
    return [reply = Bytes(bytes.begin(), bytes.end())](const Bytes&) { return std::vector<Bytes>{reply}; };
  }
  static std::vector<Bytes> nothing(const Bytes& /*datagram*/) { return {}; }
};

TEST_F(health_prober_udp, an_answer_that_begins_as_expected_passes) {
  DatagramServer server(loop_, says("PONG 17"));
  EXPECT_EQ(probe(request(server, {.send = "PING\n", .expect = "PONG"})).kind, Outcome::Kind::passed);
  const Bytes sent{std::byte{'P'}, std::byte{'I'}, std::byte{'N'}, std::byte{'G'}, std::byte{'\n'}};
  EXPECT_THAT(server.seen(), testing::ElementsAre(sent));
}

TEST_F(health_prober_udp, an_answer_that_begins_otherwise_is_shown) {
  DatagramServer server(loop_, says("PON\x01\xff\"" + std::string(40, 'x')));
  const Outcome outcome = probe(request(server, {.expect = "PONG"}));
  EXPECT_EQ(outcome.kind, Outcome::Kind::failed);
  EXPECT_EQ(outcome.error, "answer \"PON\\x01\\xff\\x22" + std::string(26, 'x') + "\"..., expected \"PONG\"");
}

TEST_F(health_prober_udp, an_answer_that_is_too_short_is_shown) {
  DatagramServer server(loop_, says(""));
  EXPECT_EQ(probe(request(server, {.expect = "PONG"})).error, "answer \"\", expected \"PONG\"");
}

TEST_F(health_prober_udp, nothing_is_sent_as_an_empty_datagram) {
  DatagramServer server(loop_, says("who?"));
  EXPECT_EQ(probe(request(server, {})).kind, Outcome::Kind::passed) << "any answer will do";
  EXPECT_THAT(server.seen(), testing::ElementsAre(Bytes{}));
}

TEST_F(health_prober_udp, silence_passes_unless_an_answer_is_expected) {
  DatagramServer server(loop_, nothing);
  for (const bool expects : {false, true}) {
    config::UdpCheck check;
    if (expects) check.expect = "";
    start(request(server, check));
    run_until([&] { return server.seen().size() == (expects ? 2U : 1U); });
    EXPECT_EQ(running_->silence(), expects ? Silence::fails : Silence::passes);
    EXPECT_FALSE(outcome_);
    running_.reset();
  }
}

TEST_F(health_prober_udp, a_closed_port_fails_though_silence_passes) {
  const tcp::socket bound(loop_, tcp::endpoint(make_address("127.0.0.1"), 0));
  const config::Port port{bound.local_endpoint().port()};
  const Outcome outcome = probe({make_address("127.0.0.1"), port, config::UdpCheck{}});
  EXPECT_EQ(outcome.kind, Outcome::Kind::failed);
  EXPECT_EQ(outcome.error, "answer: port unreachable, by ICMP");
}

TEST_F(health_prober_dns, a_lack_of_descriptors_is_no_fault_of_the_backend) {
  DatagramServer server(loop_, says(0));
  ASSERT_EQ(probe(request(server)).kind, Outcome::Kind::passed);  // as in health_prober.cpp
  outcome_.reset();
  without_descriptors([&] { start(request(server)); });
  EXPECT_FALSE(outcome_);
  run_until([&] { return outcome_.has_value(); });
  EXPECT_EQ(outcome_->kind, Outcome::Kind::not_made);
  EXPECT_EQ(outcome_->error, "connect: Too many open files");
}

}  // namespace
}  // namespace astil::health::test
