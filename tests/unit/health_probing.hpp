// What the tests of single probes share: the prober on a loop, and outcomes that are waited for.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "control/health/asio_prober.hpp"

namespace astil::health::test {

using boost::asio::ip::tcp;

class Probing : public testing::Test {
 protected:
  static constexpr auto kLimit = std::chrono::seconds(20);  // only a test that fails takes as long
  static constexpr std::uint16_t kId = 0x4153;

  void run_until(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + kLimit;
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), limit);
      loop_.restart();
      loop_.run_one_until(limit);
    }
  }

  void start(const ProbeRequest& request) {
    running_ = prober_.start(request, [this](Outcome outcome) {
      running_.reset();  // as the checks do
      outcome_ = std::move(outcome);
    });
  }

  Outcome probe(const ProbeRequest& request) {
    start(request);
    EXPECT_FALSE(outcome_) << "told before the call was over";
    run_until([&] { return outcome_.has_value(); });
    return outcome_.value_or(Outcome{});
  }

  /// Calls it while this process can open no descriptor.
  static void without_descriptors(const std::function<void()>& call) {
    // The sanitizers' first look at these types, for which they open a pipe.
    const boost::system::error_code error(EMFILE, boost::system::system_category());
    EXPECT_NE(error, boost::system::errc::operation_not_permitted);
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    call();
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  }

  boost::asio::io_context loop_;
  AsioProber prober_{loop_, [] { return kId; }};
  std::unique_ptr<RunningProbe> running_;
  std::optional<Outcome> outcome_;
};

}  // namespace astil::health::test
