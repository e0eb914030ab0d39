// The main thread's work while workers forward: frames to and from the kernel by the taps, messages to and from astild.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/dpdk/app/forwarder.hpp"

namespace astil::dpdk {

class KernelSide {
 public:
  /// All outlive this.
  static Result<std::unique_ptr<KernelSide>> open(const std::filesystem::path& folder, Share& share,
                                                  std::span<Port> ports,
                                                  std::span<const std::unique_ptr<Forwarder>> forwarders,
                                                  rte_mempool* buffers, Waker& waker);

  /// Does what there is to do, and waits for more, so many milliseconds at most.
  void run(int milliseconds);

 private:
  KernelSide(std::filesystem::path folder, Share& share, std::span<Port> ports,
             std::span<const std::unique_ptr<Forwarder>> forwarders, rte_mempool* buffers, Waker& waker)
      : folder_(std::move(folder)),
        share_(share),
        ports_(ports),
        forwarders_(forwarders),
        buffers_(buffers),
        waker_(waker) {}

  bool empty_rings();
  void deliver(rte_mbuf* parcel);
  void take_from_tap(std::uint16_t port);
  void take_messages();
  bool give_to_worker(std::uint16_t port, Parcel parcel, rte_mbuf* frame);

  std::filesystem::path folder_;
  Share& share_;
  std::span<Port> ports_;
  std::span<const std::unique_ptr<Forwarder>> forwarders_;
  rte_mempool* buffers_;
  Waker& waker_;
  base::Descriptor poll_;
  base::Descriptor frames_;
  base::Descriptor sender_;
};

}  // namespace astil::dpdk
