// Single probes against real servers on the loopback interface, in this process and on its one loop.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <string>
#include <vector>

#include "tests/unit/health_probing.hpp"

namespace astil::health::test {
namespace {

using boost::asio::ip::make_address;
using boost::system::error_code;
using testing::HasSubstr;
using testing::StartsWith;

/// Takes one connection, reads a request, sends an answer, and holds the connection or not.
class Server {
 public:
  enum class Then { close, hold };

  explicit Server(boost::asio::io_context& loop, const char* host = "127.0.0.1")
      : acceptor_(loop, tcp::endpoint(make_address(host), 0)), peer_(loop) {}

  void answer(std::string text, Then then = Then::hold) {
    answer_ = std::move(text);
    acceptor_.async_accept(peer_, [this, then](error_code) {
      boost::asio::async_read_until(
          peer_, boost::asio::dynamic_buffer(request_), "\r\n\r\n", [this, then](error_code, std::size_t) {
            boost::asio::async_write(peer_, boost::asio::buffer(answer_), [this, then](error_code, std::size_t) {
              if (then == Then::close) peer_.close();
              answered_ = true;
            });
          });
    });
  }

  [[nodiscard]] config::Port port() const { return config::Port{acceptor_.local_endpoint().port()}; }
  [[nodiscard]] bool answered() const { return answered_; }
  [[nodiscard]] const std::string& request() const { return request_; }

 private:
  tcp::acceptor acceptor_;
  tcp::socket peer_;
  std::string answer_;
  std::string request_;
  bool answered_ = false;
};

class health_prober : public Probing {
 protected:
  ProbeRequest http(const Server& server) { return {make_address("127.0.0.1"), server.port(), config::HttpCheck{}}; }
};

/// Of this machine, towards that port, in whatever state. `table`: "tcp" or "tcp6".
std::size_t sockets_towards(config::Port port, const std::string& name) {
  std::ifstream table("/proc/net/" + name);
  std::ostringstream suffix;
  suffix << ':' << std::hex << std::uppercase << std::setw(4) << std::setfill('0') << static_cast<unsigned>(port);
  std::size_t count = 0;
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string number;
    std::string local;
    std::string remote;
    if (fields >> number >> local >> remote && remote.ends_with(suffix.str())) ++count;
  }
  return count;
}

TEST_F(health_prober, an_open_port_passes_the_tcp_check_and_leaves_no_socket) {
  for (const auto& [host, table] : {std::pair("127.0.0.1", "tcp"), std::pair("::1", "tcp6")}) {
    Server server(loop_, host);
    for (int i = 0; i < 20; ++i) {
      outcome_.reset();
      EXPECT_EQ(probe({make_address(host), server.port(), config::TcpCheck{}}).kind, Outcome::Kind::passed) << host;
    }
    EXPECT_EQ(sockets_towards(server.port(), table), 0U) << host;
  }
}

TEST_F(health_prober, a_closed_port_fails_with_its_reason) {
  for (const char* host : {"127.0.0.1", "::1"}) {
    outcome_.reset();
    tcp::socket bound(loop_, tcp::endpoint(make_address(host), 0));  // holds the port, and does not listen
    const auto outcome = probe({make_address(host), config::Port{bound.local_endpoint().port()}, config::TcpCheck{}});
    EXPECT_EQ(outcome.kind, Outcome::Kind::failed) << host;
    EXPECT_EQ(outcome.error, "connect: Connection refused") << host;
  }
}

TEST_F(health_prober, a_good_status_passes) {
  Server server(loop_);
  server.answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(probe(http(server)).kind, Outcome::Kind::passed);
}

TEST_F(health_prober, ipv6_is_asked_with_its_address_in_brackets) {
  Server server(loop_, "::1");
  server.answer("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(probe({make_address("::1"), server.port(), config::HttpCheck{}}).kind, Outcome::Kind::passed);
  const std::string port = std::to_string(static_cast<unsigned>(server.port()));
  EXPECT_THAT(server.request(), HasSubstr("\r\nHost: [::1]:" + port + "\r\n"));
}

TEST_F(health_prober, a_status_that_is_not_expected_is_named) {
  Server server(loop_);
  server.answer("HTTP/1.1 503 Service Unavailable\r\n\r\n");
  const auto outcome = probe(http(server));
  EXPECT_EQ(outcome.kind, Outcome::Kind::failed);
  EXPECT_EQ(outcome.error, "status 503, expected 200-399");
}

TEST_F(health_prober, the_expected_range_is_the_configured_one) {
  Server server(loop_);
  server.answer("HTTP/1.1 401 Unauthorized\r\n\r\n");
  config::HttpCheck check;
  check.status_low = 401;
  check.status_high = 401;
  EXPECT_EQ(probe({make_address("127.0.0.1"), server.port(), check}).kind, Outcome::Kind::passed);
}

TEST_F(health_prober, the_request_asks_for_the_path_and_the_host) {
  Server server(loop_);
  server.answer("HTTP/1.1 200 OK\r\n\r\n");
  config::HttpCheck check;
  check.path = "/health?full=1";
  check.host = "www.example.org";
  static_cast<void>(probe({make_address("127.0.0.1"), server.port(), check}));
  EXPECT_THAT(server.request(), StartsWith("GET /health?full=1 HTTP/1.1\r\nHost: www.example.org\r\n"));
  EXPECT_THAT(server.request(), HasSubstr("\r\nConnection: close\r\n"));
}

TEST_F(health_prober, what_is_no_http_is_named) {
  Server server(loop_);
  server.answer("SSH-2.0-OpenSSH_9.2\r\n");
  EXPECT_EQ(probe(http(server)).error, "not HTTP");
}

TEST_F(health_prober, a_server_that_closes_without_a_word_fails) {
  Server server(loop_);
  server.answer("", Server::Then::close);
  EXPECT_EQ(probe(http(server)).error, "closed before a status was sent");
}

TEST_F(health_prober, a_wanted_text_is_looked_for_in_the_body) {
  Server server(loop_);
  server.answer("HTTP/1.0 200 OK\r\n\r\nall well", Server::Then::close);
  const ProbeRequest request{make_address("127.0.0.1"), server.port(), config::HttpCheck{.body = "well"}};
  EXPECT_EQ(probe(request).kind, Outcome::Kind::passed);
  EXPECT_THAT(server.request(), StartsWith("GET / HTTP/1.0\r\n"));
}

TEST_F(health_prober, a_body_without_the_wanted_text_fails_at_its_end) {
  Server server(loop_);
  server.answer("HTTP/1.0 200 OK\r\n\r\nall well", Server::Then::close);
  const ProbeRequest request{make_address("127.0.0.1"), server.port(), config::HttpCheck{.body = "ill"}};
  EXPECT_EQ(probe(request).error, "status 200, but the wanted text is not in the body; read 27 bytes");
}

TEST_F(health_prober, a_server_that_is_silent_is_waited_for_in_answer) {
  Server server(loop_);
  server.answer("HTTP/1.1 2");
  start(http(server));
  EXPECT_EQ(running_->phase(), Phase::connect);
  run_until([&] { return server.answered(); });
  loop_.poll();
  ASSERT_FALSE(outcome_);
  EXPECT_EQ(running_->phase(), Phase::answer);
}

TEST_F(health_prober, a_probe_that_is_given_up_tells_nothing) {
  Server server(loop_);
  server.answer("HTTP/1.1 200 OK\r\n\r\n");
  start(http(server));
  running_.reset();
  while (loop_.poll() > 0) {
  }
  EXPECT_FALSE(outcome_);
}

TEST_F(health_prober, a_lack_of_descriptors_is_no_fault_of_the_backend) {
  Server server(loop_);
  const ProbeRequest request{make_address("127.0.0.1"), server.port(), config::TcpCheck{}};
  // Also the sanitizers' first look at these types, for which they open a pipe.
  ASSERT_EQ(probe(request).kind, Outcome::Kind::passed);
  outcome_.reset();
  without_descriptors([&] { start(request); });
  EXPECT_FALSE(outcome_);
  run_until([&] { return outcome_.has_value(); });
  EXPECT_EQ(outcome_->kind, Outcome::Kind::not_made);
  EXPECT_EQ(outcome_->error, "connect: Too many open files");
}

}  // namespace
}  // namespace astil::health::test
