#include "control/app/census_runner.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <stdexcept>

#include "control/base/log.hpp"

namespace astil::app {
namespace {

/// A census a second, or less often where one takes so long that it would cost more than a hundredth of a core.
constexpr std::chrono::milliseconds kInterval{1000};
constexpr int kShareOfCore = 100;

}  // namespace

CensusRunner::CensusRunner(boost::asio::io_context& loop, dataplane::Dataplane& engine,
                           std::function<void(dataplane::Census, std::uint64_t)> done)
    : loop_(loop),
      engine_(engine),
      done_(std::move(done)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

CensusRunner::~CensusRunner() {
  thread_.request_stop();
  wake_.notify_all();
}

std::uint64_t CensusRunner::next_round() const {
  const std::scoped_lock lock(mutex_);
  return round_ + 1;
}

void CensusRunner::give_up(std::vector<std::uint32_t> numbers) {
  const std::scoped_lock lock(mutex_);
  given_up_ = std::move(numbers);
}

void CensusRunner::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto begin = std::chrono::steady_clock::now();
    std::uint64_t round = 0;
    std::vector<std::uint32_t> given_up;
    {
      const std::scoped_lock lock(mutex_);
      round = ++round_;
      given_up = given_up_;
    }
    dataplane::Census census = dataplane::take_census(engine_.tables(), engine_.tick(), given_up);
    try {
      dataplane::correct_loads(engine_.tables(), census, [this] { engine_.wait_for_readers(); });
    } catch (const std::runtime_error& error) {  // the next census tries again
      log::warning("counts of active flows not corrected", {{"error", std::string(error.what())}});
    }
    boost::asio::post(loop_,
                      [done = done_, census = std::move(census), round]() mutable { done(std::move(census), round); });
    const auto took = std::chrono::steady_clock::now() - begin;
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, std::max<std::chrono::nanoseconds>(kInterval, took * kShareOfCore),
                   [] { return false; });
  }
}

}  // namespace astil::app
