#include "control/health/grpc_attempt.hpp"

#include <array>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <span>
#include <utility>

#include "control/health/grpc_talk.hpp"

namespace astil::health {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

/// "[2001:db8::1]:50051".
std::string authority_of(const ProbeRequest& request) {
  const std::string bare = request.host.to_string();
  return (request.host.is_v6() ? "[" + bare + "]" : bare) + ":" + std::to_string(static_cast<unsigned>(request.port));
}

class GrpcAttempt final : public Attempt {
 public:
  GrpcAttempt(boost::asio::io_context& loop, ProbeRequest request, PathSockets* paths, Prober::Done done)
      : Attempt(std::move(request), std::move(done), paths), socket_(loop) {}

  void start() override {
    const tcp::endpoint peer(request().host, static_cast<std::uint16_t>(request().port));
    if (auto failed = open(socket_, peer.protocol())) return end_later(socket_.get_executor(), std::move(*failed));
    error_code error;
    // As a check by HTTP: the connection ends with a reset.
    socket_.set_option(boost::asio::socket_base::linger(true, 0), error);
    if (error) return end_later(socket_.get_executor(), failure("connect", error));
    socket_.async_connect(peer, [this, self = shared_from_this()](error_code failed) {
      if (is_over()) return;
      if (failed) return end(failure("connect", failed));
      enter(Phase::answer);
      talk_.emplace(std::get<config::GrpcCheck>(request().probe).service, authority_of(request()));
      send();
    });
  }

 private:
  /// What there is to say, and then on to what is answered.
  void send() {
    output_ = talk_->take_output();
    if (output_.empty()) return await_answer();
    boost::asio::async_write(socket_, boost::asio::buffer(output_),
                             [this, self = shared_from_this()](error_code error, std::size_t) {
                               if (is_over()) return;
                               if (error) return end(failure("request", error));
                               await_answer();
                             });
  }

  void await_answer() {
    await(socket_, [this] { read_answer(); });
  }

  void read_answer() {
    std::array<std::byte, 2048> buffer;
    error_code error;
    const std::size_t size = socket_.read_some(boost::asio::buffer(buffer), error);
    if (error == boost::asio::error::would_block) return await_answer();
    if (error == boost::asio::error::eof) return end(talk_->at_end());
    if (error) return end(failure("answer", error));
    if (auto outcome = talk_->take(std::span(buffer).first(size))) return end(std::move(*outcome));
    send();
  }

  void close() override {
    error_code ignored;  // nothing is to be sent any more
    socket_.close(ignored);
  }

  tcp::socket socket_;
  std::optional<GrpcTalk> talk_;
  std::string output_;
};

}  // namespace

std::shared_ptr<Attempt> make_grpc_attempt(boost::asio::io_context& loop, ProbeRequest request, PathSockets* paths,
                                           Prober::Done done) {
  return std::make_shared<GrpcAttempt>(loop, std::move(request), paths, std::move(done));
}

}  // namespace astil::health
