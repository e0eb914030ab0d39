// What became of the tunnelled packets, told while the agent runs: to the service manager, whose status shows it, and
// to the log at the first packet of each kind that is not handed on.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <string>

#include "agent/decapsulator.hpp"

namespace astil::agent {

/// "unwrapped=5 not_local=0 ..."
[[nodiscard]] std::string text_of(const Counts& counts);

class Report {
 public:
  /// Both must outlive it.
  Report(boost::asio::io_context& loop, const Decapsulator& decapsulator) : decapsulator_(decapsulator), timer_(loop) {}
  /// From now on.
  void start();

 private:
  void tell();

  const Decapsulator& decapsulator_;
  boost::asio::steady_timer timer_;
  Counts told_{};
};

}  // namespace astil::agent
