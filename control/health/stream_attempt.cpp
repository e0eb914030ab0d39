#include "control/health/stream_attempt.hpp"

#include <netinet/tcp.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "control/health/http_status.hpp"

namespace astil::health {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using Kind = Outcome::Kind;

Outcome judge(const config::HttpCheck& check, unsigned status) {
  if (status >= check.status_low && status <= check.status_high) return {};
  return {Kind::failed, "status " + std::to_string(status) + ", expected " + std::to_string(check.status_low) + "-" +
                            std::to_string(check.status_high)};
}

class StreamAttempt final : public Attempt {
 public:
  StreamAttempt(boost::asio::io_context& loop, ProbeRequest request, Prober::Done done)
      : Attempt(std::move(request), std::move(done)), socket_(loop) {}

  void start() override {
    const tcp::endpoint peer(request().host, static_cast<std::uint16_t>(request().port));
    if (const error_code error = open(peer.protocol()))
      return end_later(socket_.get_executor(), failure("connect", error));
    socket_.async_connect(peer, [this, self = shared_from_this()](error_code error) { on_connect(error); });
  }

 private:
  error_code open(const tcp& protocol) {
    error_code error;
    socket_.open(protocol, error);
    if (!error) socket_.non_blocking(true, error);
    if (!error) socket_.set_option(boost::asio::socket_base::linger(true, 0), error);
    // The handshake's last ACK waits a little, for the request to ride on it, or for the reset to make it needless.
    using QuickAck = boost::asio::detail::socket_option::boolean<IPPROTO_TCP, TCP_QUICKACK>;
    if (!error) socket_.set_option(QuickAck(false), error);
    return error;
  }

  void on_connect(error_code error) {
    if (is_over()) return;
    if (error) return end(failure("connect", error));
    const auto* http = std::get_if<config::HttpCheck>(&request().probe);
    if (http == nullptr) return end({});
    enter(Phase::answer);
    text_ = http_request(request(), *http);
    boost::asio::async_write(socket_, boost::asio::buffer(text_),
                             [this, self = shared_from_this()](error_code failed, std::size_t) {
                               if (is_over()) return;
                               if (failed) return end(failure("request", failed));
                               await_answer();
                             });
  }

  void await_answer() {
    socket_.async_wait(tcp::socket::wait_read, [this, self = shared_from_this()](error_code error) {
      if (is_over()) return;
      if (error) return end(failure("answer", error));
      read_answer();
    });
  }

  // The buffer is the stack's: with ten thousand probes under way, none has one of its own.
  void read_answer() {
    std::array<std::byte, 2048> buffer;
    error_code error;
    const std::size_t size = socket_.read_some(boost::asio::buffer(buffer), error);
    if (error == boost::asio::error::would_block) return await_answer();
    if (error == boost::asio::error::eof) return end({Kind::failed, "closed before a status was sent"});
    if (error) return end(failure("answer", error));
    switch (answer_.feed(std::span(buffer).first(size))) {
      case HttpStatus::Progress::incomplete:
        return await_answer();
      case HttpStatus::Progress::not_http:
        return end({Kind::failed, "not HTTP"});
      case HttpStatus::Progress::complete:
        return end(judge(std::get<config::HttpCheck>(request().probe), answer_.status()));
    }
  }

  void close() override {
    error_code ignored;  // nothing is to be sent any more
    socket_.close(ignored);
  }

  tcp::socket socket_;
  std::string text_;
  HttpStatus answer_;
};

}  // namespace

std::shared_ptr<Attempt> make_stream_attempt(boost::asio::io_context& loop, ProbeRequest request, Prober::Done done) {
  return std::make_shared<StreamAttempt>(loop, std::move(request), std::move(done));
}

std::string http_request(const ProbeRequest& request, const config::HttpCheck& check) {
  std::string host = check.host;
  if (host.empty()) {
    const std::string bare = request.host.to_string();
    host = (request.host.is_v6() ? "[" + bare + "]" : bare) + ":" + std::to_string(static_cast<unsigned>(request.port));
  }
  return "GET " + check.path + " HTTP/1.1\r\nHost: " + host +
         "\r\nUser-Agent: astil/" ASTIL_VERSION "\r\nAccept: */*\r\nConnection: close\r\n\r\n";
}

}  // namespace astil::health
