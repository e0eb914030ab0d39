#include "dataplane/dpdk/app/forwarder.hpp"

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include "dataplane/dpdk/app/eal.hpp"

namespace astil::dpdk {
namespace {

/// Turns without a packet before a worker begins to sleep, and how long it sleeps at first.
constexpr std::uint32_t kPatience = 256;
constexpr std::uint32_t kFirstSleep = 10;  // microseconds
/// How far ahead the send queue of a port may be before frames are given up: a virtual device makes room as it is
/// asked.
constexpr int kTries = 3;
/// Replies to neighbours that are not known, which the kernel sends, of one unit of the fine clock: as many as clients
/// that begin at once after a start, and no more than the main thread sends beside its work.
constexpr std::uint32_t kMostSentByKernel = 64;
/// Next hops that each worker keeps: 1 MB.
constexpr std::uint32_t kHops = 16384;

std::uint64_t monotonic_now() {
  return static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
}

void mark(rte_mbuf* frame, std::uint16_t port, Parcel parcel) {
  frame->port = port;
  frame->hash.usr = static_cast<std::uint32_t>(parcel);
}

bool put(rte_ring* ring, rte_mbuf* frame) { return rte_ring_sp_enqueue(ring, frame) == 0; }

void drain(rte_ring* ring) {
  void* frame = nullptr;
  while (rte_ring_sc_dequeue(ring, &frame) == 0) rte_pktmbuf_free(static_cast<rte_mbuf*>(frame));
  rte_ring_free(ring);
}

Result<rte_ring*> make_ring(const std::string& name) {
  rte_ring* ring = rte_ring_create(name.c_str(), kRingLength, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
  if (ring == nullptr)
    return Error{std::string("make a ring: ") + rte_strerror(rte_errno), "raise dataplane.dpdk.memory"};
  return ring;
}

/// In one segment, tags in front. False: it can not be.
bool straighten(rte_mbuf*& frame) {
  if ((frame->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0 && rte_vlan_insert(&frame) != 0) return false;
  return frame->nb_segs == 1 || rte_pktmbuf_linearize(frame) == 0;
}

}  // namespace

Result<std::unique_ptr<Waker>> Waker::make() {
  base::Descriptor event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.valid()) return system_error("make an event", errno);
  return std::make_unique<Waker>(std::move(event));
}

void Waker::awake() {
  asleep_.store(false, std::memory_order_relaxed);
  std::uint64_t count = 0;
  (void)!::read(event_.get(), &count, sizeof(count));
}

/// After something was put into a ring.
void Waker::wake() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!asleep_.load(std::memory_order_relaxed) || !asleep_.exchange(false)) return;
  const std::uint64_t one = 1;
  (void)!::write(event_.get(), &one, sizeof(one));
}

Result<std::unique_ptr<Forwarder>> Forwarder::make(std::uint32_t number, const MappedShare& share, const Plan& plan,
                                                   std::span<Port> ports, rte_mempool* buffers, Waker& waker) {
  auto routes = Routes::open();
  if (routes.has_error()) return routes.error();
  auto sender = open_sender();
  if (sender.has_error()) return sender.error();
  auto to_main = make_ring("to_main_" + std::to_string(number));
  if (to_main.has_error()) return to_main.error();
  auto from_main = make_ring("from_main_" + std::to_string(number));
  if (from_main.has_error()) return from_main.error();
  return std::make_unique<Forwarder>(number, share, plan, ports, buffers, waker, std::move(*routes), std::move(*sender),
                                     *to_main, *from_main);
}

Forwarder::Forwarder(std::uint32_t number, const MappedShare& share, const Plan& plan, std::span<Port> ports,
                     rte_mempool* buffers, Waker& waker, Routes routes, base::Descriptor sender, rte_ring* to_main,
                     rte_ring* from_main)
    : number_(number),
      share_(share),
      own_(share->workers[number]),
      burst_(static_cast<std::uint16_t>(std::clamp<std::uint32_t>(plan.burst, 1, Worker::kLongestBurst))),
      idle_sleep_(plan.idle_sleep),
      ports_(ports),
      buffers_(buffers),
      waker_(waker),
      routes_(std::move(routes)),
      sender_(std::move(sender)),
      hops_(kHops),
      to_main_(to_main),
      from_main_(from_main),
      leaving_(ports.size()) {}

Forwarder::~Forwarder() {
  drain(to_main_);
  drain(from_main_);
}

void Forwarder::use(const dataplane::SharedTables& tables, std::uint32_t number) {
  tables_.give({.worker = Worker(tables.tables(), number_, *this, hops_), .number = number});
}

/// What the main thread wants this turn to be by.
void Forwarder::take_up() {
  current_ = tables_.take();
  if (own_.tables != current_->number) {
    std::fill(hops_.begin(), hops_.end(), core::Hop{});  // they name backends by their numbers in the tables before
    __atomic_store_n(&own_.tables, current_->number, __ATOMIC_RELEASE);
  }
  const Capturing* capturing = captures_.take();
  sink_ = capturing == nullptr ? nullptr : capturing->sink;
  const std::uint32_t number = sink_ == nullptr ? 0 : capturing->number;
  if (own_.capture != number) __atomic_store_n(&own_.capture, number, __ATOMIC_RELEASE);
}

/// What the tables hold may be looked at between the two stores of a turn, and never outside
/// (DpdkDataplane::wait_for_readers).
void Forwarder::run(const std::atomic<bool>& stop) {
  (void)::prctl(PR_SET_TIMERSLACK, 1000UL);
  std::uint64_t turn = 0;
  std::uint32_t idle_turns = 0;
  while (!stop.load(std::memory_order_relaxed)) {
    __atomic_store_n(&own_.turn, ++turn, __ATOMIC_RELAXED);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    take_up();
    const bool moved = take_turn(*current_);
    __atomic_store_n(&own_.turn, ++turn, __ATOMIC_RELEASE);
    add(own_.polls, 1);
    if (moved) {
      idle_turns = 0;
    } else {
      add(own_.empty_polls, 1);
      rest(idle_turns);
    }
  }
}

/// Longer and longer, so that an idle balancer does not burn a core, and a short pause costs little.
void Forwarder::rest(std::uint32_t& idle_turns) {
  if (idle_sleep_ == 0 || ++idle_turns < kPatience) {
    rte_pause();
    return;
  }
  const std::uint32_t doublings = std::min<std::uint32_t>(idle_turns - kPatience, 16);
  const std::uint32_t time = std::min(kFirstSleep << doublings, idle_sleep_);
  const std::uint64_t before = monotonic_now();
  std::this_thread::sleep_for(std::chrono::microseconds(time));
  add(own_.sleeps, 1);
  add(own_.slept_ns, monotonic_now() - before);
}

bool Forwarder::take_turn(Tabled& tables) {
  bool moved = false;
  tables.worker.read_clocks();
  for (std::uint16_t port = 0; port < ports_.size(); ++port) {
    if (number_ >= ports_[port].queues()) continue;
    std::array<rte_mbuf*, Worker::kLongestBurst> burst;
    const std::uint16_t got =
        rte_eth_rx_burst(ports_[port].id(), static_cast<std::uint16_t>(number_), burst.data(), burst_);
    if (got == 0) continue;
    moved = true;
    forward(tables, port, std::span(burst).first(got));
  }
  if (take_from_main(tables) != 0) moved = true;
  send_all();
  return moved;
}

void Forwarder::decide(Tabled& tables, std::uint32_t ingress, std::span<rte_mbuf* const> burst,
                       std::span<core::Verdict> verdicts) {
  if (sink_ == nullptr) {
    tables.worker.run(burst, ingress, verdicts);
    return;
  }
  tables.worker.run_captured(burst, ingress, verdicts, *sink_);
  if (!sink_->empty()) wake_daemon(share_, sender_);
}

void Forwarder::forward(Tabled& tables, std::uint16_t port, std::span<rte_mbuf*> burst) {
  QueueShare& queue = share_->queues[port][number_];
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  for (rte_mbuf* frame : burst) {
    bytes += frame->pkt_len;
    if (straighten(frame)) {
      burst[count++] = frame;
    } else {
      add(own_.unfit, 1);
      rte_pktmbuf_free(frame);
    }
  }
  add(queue.received_packets, burst.size());
  add(queue.received_bytes, bytes);
  add(own_.bursts, 1);
  add(own_.packets, burst.size());
  if (burst.size() == burst_) add(own_.full_bursts, 1);
  burst = burst.first(count);
  std::array<core::Verdict, Worker::kLongestBurst> verdicts;
  decide(tables, ports_[port].ifindex(), burst, verdicts);
  for (std::size_t i = 0; i < burst.size(); ++i) {
    switch (core::action_of(verdicts[i].reason)) {
      case core::Action::pass:
        give_to_kernel(port, burst[i], Parcel::frame);
        break;
      case core::Action::refuse:
      case core::Action::transmit: {
        const auto exit = std::find_if(ports_.begin(), ports_.end(),
                                       [&](const Port& p) { return p.ifindex() == verdicts[i].interface; });
        if (exit == ports_.end()) {
          leave_by_other_ways(port, burst[i], verdicts[i].interface);
        } else {
          leave(static_cast<std::uint16_t>(exit - ports_.begin()), burst[i]);
        }
        break;
      }
      default:
        rte_pktmbuf_free(burst[i]);
    }
  }
}

/// Frames that the kernel sends, and those that come in once more.
std::uint16_t Forwarder::take_from_main(Tabled& tables) {
  std::array<void*, Worker::kLongestBurst> taken;
  const unsigned count = rte_ring_sc_dequeue_burst(from_main_, taken.data(), taken.size(), nullptr);
  for (unsigned i = 0; i < count; ++i) {
    auto* frame = static_cast<rte_mbuf*>(taken[i]);
    if (frame->hash.usr == static_cast<std::uint32_t>(Parcel::frame)) {
      leave(frame->port, frame);
    } else {
      forward(tables, frame->port, {&frame, 1});
    }
  }
  return static_cast<std::uint16_t>(count);
}

void Forwarder::leave(std::uint16_t port, rte_mbuf* frame) {
  Leaving& leaving = leaving_[port];
  leaving.frames[leaving.count++] = frame;
  if (leaving.count == leaving.frames.size()) send(port);
}

/// What leaves by no port, and came in by one.
void Forwarder::leave_by_other_ways(std::uint16_t port, rte_mbuf* frame, std::uint32_t interface) {
  if ((interface & kSentByKernel) != 0) {
    give_to_kernel(port, frame, Parcel::sending);
  } else {
    add(own_.strays, 1);
    rte_pktmbuf_free(frame);
  }
}

void Forwarder::send(std::uint16_t port) {
  Leaving& leaving = leaving_[port];
  QueueShare& queue = share_->queues[port][number_];
  std::uint64_t bytes = 0;
  for (std::uint16_t i = 0; i < leaving.count; ++i) bytes += leaving.frames[i]->pkt_len;
  std::uint16_t sent = 0;
  for (int tries = 0; tries < kTries && sent < leaving.count; ++tries) {
    sent = static_cast<std::uint16_t>(sent + rte_eth_tx_burst(ports_[port].id(), static_cast<std::uint16_t>(number_),
                                                              leaving.frames.data() + sent,
                                                              static_cast<std::uint16_t>(leaving.count - sent)));
  }
  for (std::uint16_t i = sent; i < leaving.count; ++i) {
    bytes -= leaving.frames[i]->pkt_len;
    rte_pktmbuf_free(leaving.frames[i]);
  }
  add(queue.sent_packets, sent);
  add(queue.sent_bytes, bytes);
  if (sent < leaving.count) add(queue.not_sent, static_cast<std::uint64_t>(leaving.count - sent));
  leaving.count = 0;
}

void Forwarder::send_all() {
  for (std::uint16_t port = 0; port < leaving_.size(); ++port) {
    if (leaving_[port].count != 0) send(port);
  }
}

void Forwarder::give_to_kernel(std::uint16_t port, rte_mbuf* frame, Parcel parcel) {
  QueueShare& queue = share_->queues[port][number_];
  mark(frame, port, parcel);
  if (put(to_main_, frame)) {
    add(queue.to_kernel, 1);
    waker_.wake();
  } else {
    add(queue.to_kernel_lost, 1);
    rte_pktmbuf_free(frame);
  }
}

bool Forwarder::tell(MessageKind kind, std::uint32_t interface, const void* bytes, std::size_t length) {
  rte_mbuf* message = rte_pktmbuf_alloc(buffers_);
  const MessageHeader header{.kind = kind, .interface = interface};
  char* place = message == nullptr || sizeof(header) + length > rte_pktmbuf_tailroom(message)
                    ? nullptr
                    : rte_pktmbuf_append(message, static_cast<std::uint16_t>(sizeof(header) + length));
  if (place != nullptr) {
    std::memcpy(place, &header, sizeof(header));
    std::memcpy(place + sizeof(header), bytes, length);
    mark(message, 0, Parcel::message);
    if (put(to_main_, message)) {
      waker_.wake();
      return true;
    }
  }
  rte_pktmbuf_free(message);
  add(own_.events_lost, 1);
  return false;
}

/// Where the neighbour is not known, the kernel sends what becomes of the packet: it asks for the neighbour, and holds
/// the packet until it has an answer. Such a way is not kept (a hop without an MTU), and there are so many in a second.
core::NextHop Forwarder::route(const core::Address& to, const core::Address& from, std::uint32_t length) {
  const std::uint32_t unit = current_->worker.fine_tick();
  const core::NextHop hop = routes_.find(to, from, length, current_->worker.settings(), unit);
  if (hop.status != core::NextHop::Status::no_neighbour) return hop;
  if (kernel_unit_ != unit) {
    kernel_unit_ = unit;
    sent_by_kernel_ = 0;
  }
  if (sent_by_kernel_++ >= kMostSentByKernel) return hop;
  return {.status = core::NextHop::Status::found, .interface = hop.interface | kSentByKernel};
}

bool Forwarder::hold(std::uint32_t ifindex, std::span<const std::byte> frame) {
  return tell(MessageKind::fragment, ifindex, frame.data(), frame.size());
}

void Forwarder::tell_drop(const core::DropEvent& event) { (void)tell(MessageKind::drop, 0, &event, sizeof(event)); }

std::uint64_t Forwarder::now() { return monotonic_now(); }

}  // namespace astil::dpdk
