#include "control/health/stream_attempt.hpp"

#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "control/health/http_answer.hpp"

namespace astil::health {
namespace {

namespace ssl = boost::asio::ssl;
using boost::asio::ip::tcp;
using boost::system::error_code;
using Kind = Outcome::Kind;

constexpr std::size_t kPiece = 2048;

/// None of TCP alone.
const config::HttpCheck* http_of(const config::Probe& probe) {
  if (const auto* https = std::get_if<config::HttpsCheck>(&probe)) return &https->http;
  return std::get_if<config::HttpCheck>(&probe);
}

/// What the server is told that it is asked as, and what its certificate must be for. False: no memory.
bool name_server(SSL* connection, const config::HttpsCheck& check, const config::address& host) {
  if (check.server_name.empty())
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), host.to_string().c_str()) == 1;
  std::string name = check.server_name;
  // SSL_set_tlsext_host_name(), without its cast.
  return SSL_ctrl(connection, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1 &&
         SSL_set1_host(connection, name.c_str()) == 1;
}

class StreamAttempt final : public Attempt {
 public:
  StreamAttempt(boost::asio::io_context& loop, ProbeRequest request, TlsContexts::Entry* tls, PathSockets* paths,
                Prober::Done done)
      : Attempt(std::move(request), std::move(done), paths), socket_(loop), http_(http_of(this->request().probe)) {
    if (http_ != nullptr) answer_.emplace(*http_);
    if (tls != nullptr) prepare_tls(*tls);
  }

  void start() override {
    if (!unready_.empty()) return end_later(socket_.get_executor(), {Kind::not_made, unready_});
    const tcp::endpoint peer(request().host, static_cast<std::uint16_t>(request().port));
    if (auto failed = open(socket_, peer.protocol())) return end_later(socket_.get_executor(), std::move(*failed));
    if (const error_code error = set_up()) return end_later(socket_.get_executor(), failure("connect", error));
    socket_.async_connect(peer, [this, self = shared_from_this()](error_code error) { on_connect(error); });
  }

  [[nodiscard]] std::string remark() const override { return answer_ ? answer_->remark() : std::string{}; }

 private:
  void prepare_tls(TlsContexts::Entry& tls) {
    unready_ = tls.error;
    if (!unready_.empty()) return;
    tls_.emplace(socket_, tls.context);
    const auto& check = std::get<config::HttpsCheck>(request().probe);
    if (!name_server(tls_->native_handle(), check, request().host)) unready_ = "TLS: no memory";
  }

  error_code set_up() {
    error_code error;
    socket_.set_option(boost::asio::socket_base::linger(true, 0), error);
    // The handshake's last ACK waits a little, for the request to ride on it, or for the reset to make it needless.
    using QuickAck = boost::asio::detail::socket_option::boolean<IPPROTO_TCP, TCP_QUICKACK>;
    if (!error) socket_.set_option(QuickAck(false), error);
    return error;
  }

  void on_connect(error_code error) {
    if (is_over()) return;
    if (error) return end(failure("connect", error));
    if (http_ == nullptr) return end({});
    if (!tls_) return send_request(socket_);
    enter(Phase::handshake);
    tls_->async_handshake(ssl::stream_base::client, [this, self = shared_from_this()](error_code failed) {
      if (is_over()) return;
      if (failed) return end(handshake_failure(failed));
      piece_.resize(kPiece);
      send_request(*tls_);
    });
  }

  Outcome handshake_failure(error_code error) {
    const long verdict = SSL_get_verify_result(tls_->native_handle());
    if (error.category() != boost::asio::error::get_ssl_category() || verdict == X509_V_OK)
      return failure("handshake", error);
    return {Kind::failed, std::string("handshake: certificate: ") + X509_verify_cert_error_string(verdict)};
  }

  template <class Stream>
  void send_request(Stream& stream) {
    enter(Phase::answer);
    text_ = http_request(request(), *http_);
    boost::asio::async_write(stream, boost::asio::buffer(text_),
                             [this, self = shared_from_this()](error_code failed, std::size_t) {
                               if (is_over()) return;
                               if (failed) return end(failure("request", failed));
                               await_answer();
                             });
  }

  void await_answer() {
    if (tls_) {
      tls_->async_read_some(boost::asio::buffer(piece_),
                            [this, self = shared_from_this()](error_code error, std::size_t size) {
                              if (!is_over()) take(error, std::span(piece_).first(size));
                            });
      return;
    }
    await(socket_, [this] { read_answer(); });
  }

  // The buffer is the stack's: with ten thousand probes under way, none has one of its own but those of TLS.
  void read_answer() {
    std::array<std::byte, kPiece> buffer;
    error_code error;
    const std::size_t size = socket_.read_some(boost::asio::buffer(buffer), error);
    if (error == boost::asio::error::would_block) return await_answer();
    take(error, std::span(buffer).first(size));
  }

  void take(error_code error, std::span<const std::byte> bytes) {
    // Servers that close a connection of TLS without saying so are many, and the length is not the check's concern.
    if (error == boost::asio::error::eof || error == ssl::error::stream_truncated) return end(answer_->end());
    if (error) return end(failure("answer", error));
    if (auto outcome = answer_->feed(bytes)) return end(std::move(*outcome));
    await_answer();
  }

  void close() override {
    error_code ignored;  // nothing is to be sent any more
    socket_.close(ignored);
  }

  tcp::socket socket_;
  const config::HttpCheck* http_;                 // of the request; null of TCP alone
  std::optional<ssl::stream<tcp::socket&>> tls_;  // around the socket
  std::string unready_;                           // why there can be no TLS
  std::string text_;
  std::vector<std::byte> piece_;  // of the answer, of TLS
  std::optional<HttpAnswer> answer_;
};

}  // namespace

std::shared_ptr<Attempt> make_stream_attempt(boost::asio::io_context& loop, ProbeRequest request,
                                             TlsContexts::Entry* tls, PathSockets* paths, Prober::Done done) {
  return std::make_shared<StreamAttempt>(loop, std::move(request), tls, paths, std::move(done));
}

std::string http_request(const ProbeRequest& request, const config::HttpCheck& check) {
  const auto* https = std::get_if<config::HttpsCheck>(&request.probe);
  std::string host = check.host;
  if (host.empty() && https != nullptr) host = https->server_name;
  if (host.empty()) {
    const std::string bare = request.host.to_string();
    host = (request.host.is_v6() ? "[" + bare + "]" : bare) + ":" + std::to_string(static_cast<unsigned>(request.port));
  }
  // In an answer to HTTP/1.0 the body is in one piece: no chunk ends within the text that is looked for.
  const char* version = check.body.empty() ? "1.1" : "1.0";
  return "GET " + check.path + " HTTP/" + version + "\r\nHost: " + host +
         "\r\nUser-Agent: astil/" ASTIL_VERSION "\r\nAccept: */*\r\nConnection: close\r\n\r\n";
}

}  // namespace astil::health
