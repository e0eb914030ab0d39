// A port: a device of DPDK's, and what of the kernel's stands for it.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/share.hpp"

struct rte_mempool;

namespace astil::dpdk {

class Port {
 public:
  /// With a receive and a send queue for each worker.
  static Result<Port> open(const PortPlan& plan, std::uint32_t workers, rte_mempool* buffers, PortShare& share);
  Port(Port&& other) noexcept;
  Port& operator=(Port&&) = delete;
  ~Port();

  [[nodiscard]] std::uint16_t id() const { return id_; }
  /// The kernel's interface.
  [[nodiscard]] std::uint32_t ifindex() const { return ifindex_; }
  /// Is an interface that it had another one by now, or gone?
  [[nodiscard]] bool has_lost_interface(const PortPlan& plan) const;
  /// Receive queues: at most one for each worker.
  [[nodiscard]] std::uint32_t queues() const { return queues_; }
  /// Takes frames for the kernel.
  [[nodiscard]] int tap() const { return tap_.get(); }
  /// What the kernel sends comes by the tap, too; else it leaves by the interface itself.
  [[nodiscard]] bool sends_for_kernel() const { return sends_for_kernel_; }

  /// Copies the device's own counters to the share.
  void count();

 private:
  Port(std::uint16_t id, PortShare& share) : id_(id), share_(&share) {}
  Result<void> start(const PortPlan& plan, std::uint32_t workers, rte_mempool* buffers);
  Result<void> meet_kernel(const PortPlan& plan);

  std::uint16_t id_;
  PortShare* share_;
  std::uint32_t ifindex_ = 0;
  std::uint32_t taken_ifindex_ = 0;  ///< of the one whose frames it takes; 0: it takes none of the kernel's
  std::uint32_t queues_ = 0;
  bool sends_for_kernel_ = false;
  base::Descriptor tap_;
  bool started_ = false;
  std::uint64_t missed_before_ = 0;  ///< of earlier processes
  std::uint64_t errors_before_ = 0;
  std::uint64_t no_buffer_before_ = 0;
};

}  // namespace astil::dpdk
