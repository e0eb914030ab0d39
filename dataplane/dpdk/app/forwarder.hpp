// One worker at its ports, run to completion: receives a burst, takes it through the packet path, sends it. What is the
// kernel's or the control plane's goes to the main thread by a ring, and what they send comes by another one.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/dpdk/app/port.hpp"
#include "dataplane/dpdk/app/routes.hpp"
#include "dataplane/dpdk/capture_sink.hpp"
#include "dataplane/dpdk/events.hpp"
#include "dataplane/dpdk/handed.hpp"
#include "dataplane/dpdk/share.hpp"
#include "dataplane/dpdk/worker.hpp"
#include "dataplane/shared_tables.hpp"

struct rte_ring;

namespace astil::dpdk {

/// What an rte_mbuf in a ring is; stands in its hash.usr.
enum class Parcel : std::uint32_t {
  frame,    ///< to the main thread: for the kernel's side of its port. From it: to be sent by its port
  sending,  ///< to the main thread: for the kernel to send, since it knows no neighbour yet
  message,  ///< to the main thread: for the control plane. From it: a frame to come in by its port
};

/// How workers wake the main thread, where it sleeps.
class Waker {
 public:
  static Result<std::unique_ptr<Waker>> make();
  explicit Waker(base::Descriptor event) : event_(std::move(event)) {}

  [[nodiscard]] int descriptor() const { return event_.get(); }
  /// By the main thread: true where it may sleep from now on, and look once more before it does.
  void fall_asleep() { asleep_.store(true, std::memory_order_seq_cst); }
  void awake();
  void wake();

 private:
  base::Descriptor event_;
  std::atomic<bool> asleep_{false};
};

class Forwarder final : private Outside {
 public:
  /// All outlive this. `number`: of the worker, and so of its queues and of its row of the tables.
  static Result<std::unique_ptr<Forwarder>> make(std::uint32_t number, const MappedShare& share, const Plan& plan,
                                                 std::span<Port> ports, rte_mempool* buffers, Waker& waker);
  Forwarder(std::uint32_t number, const MappedShare& share, const Plan& plan, std::span<Port> ports,
            rte_mempool* buffers, Waker& waker, Routes routes, base::Descriptor sender, rte_ring* to_main,
            rte_ring* from_main);
  ~Forwarder() override;

  /// By the main thread: the tables to look at from now on. They and those before must stay until the worker
  /// `has_left_tables`.
  void use(const dataplane::SharedTables& tables, std::uint32_t number);
  /// By the main thread: whether it looks at the last ones that it was told to use, and at no others.
  bool has_left_tables() { return tables_.settle(); }

  /// By the main thread: what to capture by from now on; nullptr and 0: nothing. It and that before must stay until the
  /// worker `has_left_captures`.
  void capture(CaptureSink* sink, std::uint32_t number) { captures_.give({.sink = sink, .number = number}); }
  bool has_left_captures() { return captures_.settle(); }

  /// Until `stop`; on the worker's own thread.
  void run(const std::atomic<bool>& stop);

  [[nodiscard]] rte_ring* to_main() const { return to_main_; }
  [[nodiscard]] rte_ring* from_main() const { return from_main_; }

 private:
  struct Tabled {
    Worker worker;
    std::uint32_t number;
  };
  /// What leaves by a port, gathered.
  struct Leaving {
    std::array<rte_mbuf*, Worker::kLongestBurst> frames;
    std::uint16_t count = 0;
  };

  struct Capturing {
    CaptureSink* sink;
    std::uint32_t number;
  };

  void take_up();
  bool take_turn(Tabled& tables);
  void decide(Tabled& tables, std::uint32_t ingress, std::span<rte_mbuf* const> burst,
              std::span<core::Verdict> verdicts);
  void forward(Tabled& tables, std::uint16_t port, std::span<rte_mbuf*> burst);
  std::uint16_t take_from_main(Tabled& tables);
  void leave(std::uint16_t port, rte_mbuf* frame);
  void send(std::uint16_t port);
  void send_all();
  void give_to_kernel(std::uint16_t port, rte_mbuf* frame, Parcel parcel);
  void leave_by_other_ways(std::uint16_t port, rte_mbuf* frame, std::uint32_t interface);
  bool tell(MessageKind kind, std::uint32_t interface, const void* bytes, std::size_t length);
  void rest(std::uint32_t& idle_turns);

  core::NextHop route(const core::Address& to, const core::Address& from, std::uint32_t length) override;
  bool hold(std::uint32_t ifindex, std::span<const std::byte> frame) override;
  void tell_drop(const core::DropEvent& event) override;
  [[nodiscard]] std::uint64_t now() override;

  std::uint32_t number_;
  const MappedShare& share_;
  WorkerShare& own_;
  std::uint16_t burst_;
  std::uint32_t idle_sleep_;
  std::span<Port> ports_;
  rte_mempool* buffers_;
  Waker& waker_;
  Routes routes_;
  base::Descriptor sender_;
  std::vector<core::Hop> hops_;
  rte_ring* to_main_;
  rte_ring* from_main_;
  std::vector<Leaving> leaving_;  ///< by port
  Handed<Tabled> tables_;
  Handed<Capturing> captures_;
  Tabled* current_ = nullptr;    ///< in this turn
  CaptureSink* sink_ = nullptr;  ///< in this turn; nullptr: nothing is captured
  std::uint32_t kernel_unit_ = 0;
  std::uint32_t sent_by_kernel_ = 0;  ///< in that unit
};

}  // namespace astil::dpdk
