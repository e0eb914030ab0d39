// Probes by HTTPS against a server on the loopback interface, with certificates that the tests make.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <memory>

#include "tests/unit/health_probing.hpp"
#include "tests/unit/tls_identity.hpp"

namespace astil::health::test {
namespace {

namespace ssl = boost::asio::ssl;
using boost::asio::ip::make_address;
using boost::system::error_code;
using testing::HasSubstr;
using testing::StartsWith;
using Identity = astil::test::TlsIdentity;

/// Takes one connection, reads a request, sends an answer, and closes.
class TlsServer {
 public:
  TlsServer(boost::asio::io_context& loop, const Identity& identity)
      : acceptor_(loop, tcp::endpoint(make_address("127.0.0.1"), 0)), context_(ssl::context::tls_server) {
    context_.use_certificate_file(identity.certificate(), ssl::context::pem);
    context_.use_private_key_file(identity.private_key(), ssl::context::pem);
    stream_.emplace(loop, context_);
  }

  void answer(std::string text) {
    answer_ = std::move(text);
    acceptor_.async_accept(stream_->next_layer(), [this](error_code) {
      stream_->async_handshake(ssl::stream_base::server, [this](error_code error) {
        if (error) return;
        const char* name = SSL_get_servername(stream_->native_handle(), TLSEXT_NAMETYPE_host_name);
        name_ = name == nullptr ? "" : name;
        talk();
      });
    });
  }

  [[nodiscard]] config::Port port() const { return config::Port{acceptor_.local_endpoint().port()}; }
  [[nodiscard]] const std::string& request() const { return request_; }
  /// That it was asked by.
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  void talk() {
    boost::asio::async_read_until(
        *stream_, boost::asio::dynamic_buffer(request_), "\r\n\r\n", [this](error_code, std::size_t) {
          boost::asio::async_write(*stream_, boost::asio::buffer(answer_),
                                   [this](error_code, std::size_t) { stream_->next_layer().close(); });
        });
  }

  tcp::acceptor acceptor_;
  ssl::context context_;
  std::optional<ssl::stream<tcp::socket>> stream_;
  std::string answer_;
  std::string request_;
  std::string name_;
};

class health_prober_https : public Probing {
 protected:
  [[nodiscard]] ProbeRequest request(config::HttpsCheck check) {
    if (check.trust.verify && check.trust.ca.empty()) check.trust.ca = identity_.certificate();
    return {make_address("127.0.0.1"), server_.port(), check};
  }

  Identity identity_{"DNS:web.example,IP:127.0.0.1"};
  TlsServer server_{loop_, identity_};
};

TEST_F(health_prober_https, a_server_with_the_certificate_of_its_name_passes) {
  server_.answer("HTTP/1.1 200 OK\r\n\r\n");
  const Outcome outcome = probe(request({.server_name = "web.example"}));
  EXPECT_EQ(outcome.kind, Outcome::Kind::passed) << outcome.error;
  EXPECT_EQ(server_.name(), "web.example");
  EXPECT_THAT(server_.request(), StartsWith("GET / HTTP/1.1\r\nHost: web.example\r\n"));
}

TEST_F(health_prober_https, without_a_name_the_certificate_is_for_the_address) {
  server_.answer("HTTP/1.1 200 OK\r\n\r\n");
  const Outcome outcome = probe(request({.http = {.host = "www.example.org"}}));
  EXPECT_EQ(outcome.kind, Outcome::Kind::passed) << outcome.error;
  EXPECT_EQ(server_.name(), "");
  EXPECT_THAT(server_.request(), HasSubstr("\r\nHost: www.example.org\r\n"));
}

TEST_F(health_prober_https, a_certificate_of_another_name_fails) {
  server_.answer("HTTP/1.1 200 OK\r\n\r\n");
  const Outcome outcome = probe(request({.server_name = "other.example"}));
  EXPECT_EQ(outcome.kind, Outcome::Kind::failed);
  EXPECT_EQ(outcome.error, "handshake: certificate: hostname mismatch");
  EXPECT_EQ(server_.request(), "") << "nothing is asked of it";
}

TEST_F(health_prober_https, a_certificate_that_nobody_known_signed_fails) {
  const Identity stranger("DNS:web.example");
  server_.answer("HTTP/1.1 200 OK\r\n\r\n");
  const Outcome outcome = probe(request({.server_name = "web.example", .trust = {.ca = stranger.certificate()}}));
  EXPECT_EQ(outcome.kind, Outcome::Kind::failed);
  EXPECT_THAT(outcome.error, StartsWith("handshake: certificate: "));
}

TEST_F(health_prober_https, without_verification_any_certificate_passes) {
  server_.answer("HTTP/1.1 200 OK\r\n\r\n");
  const Outcome outcome = probe(request({.server_name = "other.example", .trust = {.verify = false}}));
  EXPECT_EQ(outcome.kind, Outcome::Kind::passed) << outcome.error;
}

TEST_F(health_prober_https, a_status_that_is_not_expected_is_named) {
  server_.answer("HTTP/1.1 503 Service Unavailable\r\n\r\n");
  EXPECT_EQ(probe(request({})).error, "status 503, expected 200-399");
}

TEST_F(health_prober_https, the_body_is_read_to_the_wanted_text_or_the_end) {
  server_.answer("HTTP/1.0 200 OK\r\n\r\n" + std::string(20'000, 'x') + "all well");
  EXPECT_EQ(probe(request({.http = {.body = "all well"}})).kind, Outcome::Kind::passed);
  EXPECT_THAT(server_.request(), StartsWith("GET / HTTP/1.0\r\n"));
}

TEST_F(health_prober_https, a_body_without_the_wanted_text_fails_at_its_end) {
  server_.answer("HTTP/1.0 200 OK\r\n\r\nill");
  EXPECT_EQ(probe(request({.http = {.body = "all well"}})).error,
            "status 200, but the wanted text is not in the body; read 22 bytes");
}

TEST_F(health_prober_https, a_server_without_tls_is_told_of) {
  tcp::acceptor acceptor(loop_, tcp::endpoint(make_address("127.0.0.1"), 0));
  tcp::socket peer(loop_);
  const std::string answer = "HTTP/1.1 400 Bad Request\r\n\r\n";
  acceptor.async_accept(peer, [&](error_code) { boost::asio::write(peer, boost::asio::buffer(answer)); });
  const config::HttpsCheck check{.trust = {.ca = identity_.certificate()}};
  const Outcome outcome =
      probe({make_address("127.0.0.1"), config::Port{acceptor.local_endpoint().port()}, config::Probe{check}});
  EXPECT_EQ(outcome.kind, Outcome::Kind::failed);
  EXPECT_EQ(outcome.error, "handshake: wrong version number (SSL routines)");
}

TEST_F(health_prober_https, a_server_that_is_silent_is_waited_for_in_the_handshake) {
  start(request({}));  // the kernel takes the connection, and nobody else does
  run_until([&] { return running_->phase() == Phase::handshake; });
  running_.reset();
  while (loop_.poll() > 0) {
  }
  EXPECT_FALSE(outcome_);
}

TEST_F(health_prober_https, authorities_that_can_not_be_read_are_no_fault_of_the_backend) {
  const Outcome outcome = probe(request({.trust = {.ca = "/nowhere/ca.pem"}}));
  EXPECT_EQ(outcome.kind, Outcome::Kind::not_made);
  EXPECT_THAT(outcome.error, StartsWith("ca /nowhere/ca.pem: No such file or directory"));
}

TEST_F(health_prober_https, authorities_are_read_when_they_are_prepared) {
  const config::TlsTrust trust{.ca = identity_.certificate()};
  prober_.prepare({trust});
  std::filesystem::remove(identity_.certificate());
  server_.answer("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(probe(request({.trust = trust})).kind, Outcome::Kind::passed);
  outcome_.reset();
  prober_.prepare({trust});
  EXPECT_EQ(probe(request({.trust = trust})).kind, Outcome::Kind::not_made);
}

}  // namespace
}  // namespace astil::health::test
