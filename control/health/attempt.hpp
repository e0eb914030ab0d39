// What all attempts share that the prober makes: one probe each, from its start to its outcome or until it is given up.
// An attempt's handlers share it, so that it may be given up while one waits.
#pragma once

#include <sys/socket.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <optional>
#include <string>

#include "control/health/prober.hpp"

namespace astil::health {

class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  /// `paths`: for requests by the forwarding path; null where there are none.
  Attempt(ProbeRequest request, Prober::Done done, PathSockets* paths = nullptr)
      : request_(std::move(request)), done_(std::move(done)), paths_(paths) {}
  virtual ~Attempt() = default;
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  /// Called once, and tells nothing from within.
  virtual void start() = 0;
  void give_up();

  [[nodiscard]] Phase phase() const { return phase_; }
  /// As RunningProbe has it.
  [[nodiscard]] virtual std::string remark() const { return {}; }
  [[nodiscard]] virtual Silence silence() const { return Silence::fails; }

 protected:
  [[nodiscard]] const ProbeRequest& request() const { return request_; }
  /// Given up or over: a handler that still comes has nothing to do.
  [[nodiscard]] bool is_over() const { return !done_; }
  void enter(Phase phase) { phase_ = phase; }
  /// Opens the socket that is to be connected, non-blocking; by the forwarding path if the request says so. The outcome
  /// is that of a socket which could not be had.
  template <class Socket>
  [[nodiscard]] std::optional<Outcome> open(Socket& socket, const typename Socket::protocol_type& protocol);
  /// Then `read`, once the socket has something to read; not where the attempt is over by then.
  template <class Socket, class Read>
  void await(Socket& socket, Read read);
  /// The attempt is over; the last that its caller does.
  void end(Outcome outcome);
  /// The same from within start().
  void end_later(const boost::asio::any_io_executor& loop, Outcome outcome);

 private:
  virtual void close() = 0;

  ProbeRequest request_;
  Prober::Done done_;
  PathSockets* paths_;
  std::shared_ptr<void> place_;  // of the path's socket, which is a part of what is derived and closed before
  Phase phase_ = Phase::connect;
};

/// "connect: Connection refused": failed, or not made if the want is this machine's and the backend may be well.
[[nodiscard]] Outcome failure(const char* where, const boost::system::error_code& error);

template <class Socket, class Read>
void Attempt::await(Socket& socket, Read read) {
  socket.async_wait(Socket::wait_read, [this, read, self = shared_from_this()](boost::system::error_code error) {
    if (is_over()) return;
    if (error) return end(failure("answer", error));
    read();
  });
}

template <class Socket>
std::optional<Outcome> Attempt::open(Socket& socket, const typename Socket::protocol_type& protocol) {
  boost::system::error_code error;
  if (request_.path) {
    if (paths_ == nullptr) return Outcome{Outcome::Kind::not_made, "no probe can take the forwarding path here"};
    const auto kind = protocol.type() == SOCK_STREAM ? PathSockets::Kind::stream : PathSockets::Kind::datagram;
    auto opened = paths_->open(kind, *request_.path, request_.host, request_.port);
    if (!opened) return Outcome{Outcome::Kind::not_made, opened.error().text()};
    place_ = std::move(opened->place);
    socket.assign(protocol, opened->socket.get(), error);
    if (!error) static_cast<void>(opened->socket.release());
  } else {
    socket.open(protocol, error);
  }
  if (!error) socket.non_blocking(true, error);
  if (!error) return std::nullopt;
  return failure("connect", error);
}

}  // namespace astil::health
