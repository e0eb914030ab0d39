#include "control/health/asio_prober.hpp"

#include <netinet/tcp.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "control/health/http_status.hpp"

namespace astil::health {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using Kind = Outcome::Kind;

/// The want is this machine's, and the backend may be well.
bool is_local(const error_code& error) {
  namespace errc = boost::system::errc;
  return error == errc::too_many_files_open || error == errc::too_many_files_open_in_system ||
         error == errc::no_buffer_space || error == errc::not_enough_memory || error == errc::address_not_available;
}

Outcome failure(const char* where, const error_code& error) {
  return {is_local(error) ? Kind::not_made : Kind::failed, std::string(where) + ": " + error.message()};
}

Outcome judge(const config::HttpCheck& check, unsigned status) {
  if (status >= check.status_low && status <= check.status_high) return {};
  return {Kind::failed, "status " + std::to_string(status) + ", expected " + std::to_string(check.status_low) + "-" +
                            std::to_string(check.status_high)};
}

/// One probe. Its handlers share it, so that it may be given up while one waits.
class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(boost::asio::io_context& loop, ProbeRequest request, Prober::Done done)
      : socket_(loop), request_(std::move(request)), done_(std::move(done)) {}

  void start() {
    const tcp::endpoint peer(request_.host, static_cast<std::uint16_t>(request_.port));
    if (const error_code error = open(peer.protocol())) {
      boost::asio::post(socket_.get_executor(),
                        [self = shared_from_this(), error] { self->end(failure("connect", error)); });
      return;
    }
    socket_.async_connect(peer, [self = shared_from_this()](error_code error) { self->on_connect(error); });
  }

  void give_up() {
    done_ = nullptr;
    close();
  }

  [[nodiscard]] Phase phase() const { return phase_; }

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
    if (!done_) return;
    if (error) return end(failure("connect", error));
    const auto* http = std::get_if<config::HttpCheck>(&request_.probe);
    if (http == nullptr) return end({});
    phase_ = Phase::answer;
    text_ = http_request(request_, *http);
    boost::asio::async_write(socket_, boost::asio::buffer(text_),
                             [self = shared_from_this()](error_code failed, std::size_t) {
                               if (!self->done_) return;
                               if (failed) return self->end(failure("request", failed));
                               self->await_answer();
                             });
  }

  void await_answer() {
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](error_code error) {
      if (!self->done_) return;
      if (error) return self->end(failure("answer", error));
      self->read_answer();
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
        return end(judge(std::get<config::HttpCheck>(request_.probe), answer_.status()));
    }
  }

  void end(Outcome outcome) {
    close();
    if (const auto done = std::exchange(done_, nullptr)) done(std::move(outcome));
  }

  void close() {
    error_code ignored;  // nothing is to be sent any more
    socket_.close(ignored);
  }

  tcp::socket socket_;
  ProbeRequest request_;
  Prober::Done done_;
  Phase phase_ = Phase::connect;
  std::string text_;
  HttpStatus answer_;
};

class RunningAttempt final : public RunningProbe {
 public:
  explicit RunningAttempt(std::shared_ptr<Attempt> attempt) : attempt_(std::move(attempt)) {}
  ~RunningAttempt() override { attempt_->give_up(); }
  RunningAttempt(const RunningAttempt&) = delete;
  RunningAttempt& operator=(const RunningAttempt&) = delete;

  [[nodiscard]] Phase phase() const override { return attempt_->phase(); }

 private:
  std::shared_ptr<Attempt> attempt_;
};

}  // namespace

std::unique_ptr<RunningProbe> AsioProber::start(const ProbeRequest& request, Done done) {
  auto attempt = std::make_shared<Attempt>(loop_, request, std::move(done));
  attempt->start();
  return std::make_unique<RunningAttempt>(std::move(attempt));
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
