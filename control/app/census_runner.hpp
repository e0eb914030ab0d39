// The thread that takes the census again and again, corrects the counts of active flows, and hands each result to the
// loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "dataplane/census.hpp"
#include "dataplane/dataplane.hpp"

namespace astil::app {

class CensusRunner {
 public:
  /// `done` is called on the loop. `engine` must outlive the runner.
  CensusRunner(boost::asio::io_context& loop, dataplane::Dataplane& engine,
               std::function<void(dataplane::Census, std::uint64_t round)> done);
  ~CensusRunner();
  CensusRunner(const CensusRunner&) = delete;
  CensusRunner& operator=(const CensusRunner&) = delete;

  /// The number that the first census to begin from now on will have.
  [[nodiscard]] std::uint64_t next_round() const;

  /// Backends whose flows are forgotten from the next census on, until others are named.
  void give_up(std::vector<std::uint32_t> numbers);

 private:
  void run(const std::stop_token& stop);

  boost::asio::io_context& loop_;
  dataplane::Dataplane& engine_;
  std::function<void(dataplane::Census, std::uint64_t)> done_;
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  std::uint64_t round_ = 0;  ///< of the census that began last
  std::vector<std::uint32_t> given_up_;
  std::jthread thread_;
};

}  // namespace astil::app
