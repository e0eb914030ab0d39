// Time as the checks see it: what time it is, and one alarm.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>

#include "control/health/state.hpp"

namespace astil::health {

class Alarm {
 public:
  virtual ~Alarm() = default;
  [[nodiscard]] virtual Clock::time_point now() const = 0;
  /// Calls `wake` once at that time or soon after, never from within this call, and instead of any earlier order.
  virtual void set(Clock::time_point at, std::function<void()> wake) = 0;
  virtual void clear() = 0;
};

/// The steady clock on an Asio loop.
class AsioAlarm final : public Alarm {
 public:
  explicit AsioAlarm(boost::asio::io_context& loop) : timer_(loop) {}

  [[nodiscard]] Clock::time_point now() const override { return Clock::now(); }
  void set(Clock::time_point at, std::function<void()> wake) override;
  void clear() override;

 private:
  boost::asio::steady_timer timer_;
  // Of the order in force. A handler that was queued before it was called off finds its own gone.
  std::shared_ptr<std::function<void()>> order_;
};

}  // namespace astil::health
