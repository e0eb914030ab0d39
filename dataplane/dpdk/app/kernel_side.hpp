// The main thread's work while workers forward: frames to and from the kernel by the taps, messages to and from astild.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "dataplane/dpdk/app/forwarder.hpp"
#include "dataplane/dpdk/app/kernel_sender.hpp"

namespace astil::dpdk {

class KernelSide {
 public:
  /// All outlive this.
  static Result<std::unique_ptr<KernelSide>> open(const MappedShare& share, std::span<Port> ports,
                                                  std::span<const std::unique_ptr<Forwarder>> forwarders,
                                                  rte_mempool* buffers, Waker& waker);

  /// Does what there is to do, and waits for more, so many milliseconds at most.
  void run(int milliseconds);

 private:
  KernelSide(const MappedShare& share, std::span<Port> ports, std::span<const std::unique_ptr<Forwarder>> forwarders,
             rte_mempool* buffers, Waker& waker, KernelSender kernel)
      : share_(share),
        kernel_(std::move(kernel)),
        ports_(ports),
        forwarders_(forwarders),
        buffers_(buffers),
        waker_(waker) {}

  bool empty_rings();
  void deliver(std::size_t worker, rte_mbuf* parcel);
  void tell(std::size_t worker, std::span<const std::byte> message);
  void take_from_tap(std::uint16_t port);
  bool take_messages();
  void bring_in(std::span<const std::byte> message);
  bool give_to_worker(std::uint16_t port, Parcel parcel, rte_mbuf* frame);

  const MappedShare& share_;
  KernelSender kernel_;
  std::span<Port> ports_;
  std::span<const std::unique_ptr<Forwarder>> forwarders_;
  rte_mempool* buffers_;
  Waker& waker_;
  base::Descriptor poll_;
  base::Descriptor frames_;
  base::Descriptor sender_;
};

}  // namespace astil::dpdk
