// All that forwards by one plan: ports, workers on their cores, the main thread beside them. One in the life of a
// process.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/dpdk/app/kernel_side.hpp"
#include "dataplane/dpdk/capture_share.hpp"

namespace astil::dpdk {

class Engine {
 public:
  /// Starts DPDK; workers forward when it returns. `share` outlives the engine.
  static Result<std::unique_ptr<Engine>> start(const std::string& instance, const MappedShare& share,
                                               const NumberedPlan& plan);
  /// Waits for the workers, and gives up the ports.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Does the main thread's part for a moment. False: another plan is wanted, or what this one is about has changed.
  bool run();

 private:
  Engine(const MappedShare& share, const NumberedPlan& plan) : share_(share), plan_(plan) {}
  Result<void> open_ports();
  Result<void> start_workers();
  Result<void> follow_tables();
  void follow_capture();
  bool all_of(bool (Forwarder::*has)());
  [[nodiscard]] bool has_lost_interface() const;

  const MappedShare& share_;
  NumberedPlan plan_;
  rte_mempool* buffers_ = nullptr;
  std::vector<Port> ports_;
  std::unique_ptr<Waker> waker_;
  std::map<std::uint32_t, dataplane::SharedTables> tables_;  ///< that workers look at, and those that they leave
  std::uint32_t tables_number_ = 0;
  /// A capture that workers write to, and those that they leave.
  struct Capturing {
    MappedCapture share;
    std::vector<CaptureSink> sinks;  ///< of each worker
  };
  std::map<std::uint32_t, Capturing> captures_;
  std::uint32_t capture_number_ = 0;  ///< that is followed
  std::vector<std::unique_ptr<Forwarder>> forwarders_;
  std::unique_ptr<KernelSide> kernel_;
  std::atomic<bool> stop_{false};
  std::chrono::steady_clock::time_point looked_{};
};

}  // namespace astil::dpdk
