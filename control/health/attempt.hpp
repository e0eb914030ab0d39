// What all attempts share that the prober makes: one probe each, from its start to its outcome or until it is given up.
// An attempt's handlers share it, so that it may be given up while one waits.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <string>

#include "control/health/prober.hpp"

namespace astil::health {

class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(ProbeRequest request, Prober::Done done) : request_(std::move(request)), done_(std::move(done)) {}
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
  /// The attempt is over; the last that its caller does.
  void end(Outcome outcome);
  /// The same from within start().
  void end_later(const boost::asio::any_io_executor& loop, Outcome outcome);

 private:
  virtual void close() = 0;

  ProbeRequest request_;
  Prober::Done done_;
  Phase phase_ = Phase::connect;
};

/// "connect: Connection refused": failed, or not made if the want is this machine's and the backend may be well.
[[nodiscard]] Outcome failure(const char* where, const boost::system::error_code& error);

}  // namespace astil::health
