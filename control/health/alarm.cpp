#include "control/health/alarm.hpp"

#include <utility>

namespace astil::health {

void AsioAlarm::set(Clock::time_point at, std::function<void()> wake) {
  order_ = std::make_shared<std::function<void()>>(std::move(wake));
  timer_.expires_at(at);
  timer_.async_wait([order = std::weak_ptr(order_)](boost::system::error_code error) {
    const auto wake_now = order.lock();
    if (wake_now && !error) (*wake_now)();
  });
}

void AsioAlarm::clear() {
  order_.reset();
  timer_.cancel();
}

}  // namespace astil::health
