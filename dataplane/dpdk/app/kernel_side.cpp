#include "dataplane/dpdk/app/kernel_side.hpp"

#include <rte_mbuf.h>
#include <rte_ring.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace astil::dpdk {
namespace {

/// Of one source, before the others have their turn.
constexpr int kAtOnce = 64;
// Behind the ports, in the events of epoll.
constexpr std::uint32_t kWorkers = kMostPorts;
constexpr std::uint32_t kMessages = kMostPorts + 1;

}  // namespace

Result<std::unique_ptr<KernelSide>> KernelSide::open(const MappedShare& share, std::span<Port> ports,
                                                     std::span<const std::unique_ptr<Forwarder>> forwarders,
                                                     rte_mempool* buffers, Waker& waker) {
  auto kernel = KernelSender::open();
  if (kernel.has_error()) return kernel.error();
  std::unique_ptr<KernelSide> side(new KernelSide(share, ports, forwarders, buffers, waker, std::move(*kernel)));
  side->poll_ = base::Descriptor(::epoll_create1(EPOLL_CLOEXEC));
  auto frames = listen_at(share.folder() / "frames");
  if (frames.has_error()) return frames.error();
  side->frames_ = std::move(*frames);
  auto sender = open_sender();
  if (sender.has_error()) return sender.error();
  side->sender_ = std::move(*sender);
  const auto watch = [&](int descriptor, std::uint32_t name) {
    epoll_event event{.events = EPOLLIN, .data = {.u32 = name}};
    return ::epoll_ctl(side->poll_.get(), EPOLL_CTL_ADD, descriptor, &event) == 0;
  };
  bool watched = watch(waker.descriptor(), kWorkers) && watch(side->frames_.get(), kMessages);
  for (std::uint32_t i = 0; i < ports.size(); ++i) {
    if (ports[i].sends_for_kernel()) watched = watched && watch(ports[i].tap(), i);
  }
  if (!watched) return system_error("watch the taps", errno);
  return side;
}

void KernelSide::run(int milliseconds) {
  waker_.fall_asleep();
  const bool has_more = take_messages();
  if (empty_rings() || has_more) milliseconds = 0;
  std::array<epoll_event, kMostPorts + 2> events;
  const int count = ::epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), milliseconds);
  waker_.awake();
  for (int i = 0; i < count; ++i) {
    const std::uint32_t name = events[static_cast<std::size_t>(i)].data.u32;
    if (name < ports_.size()) take_from_tap(static_cast<std::uint16_t>(name));
    if (name == kMessages) silence(frames_);
  }
}

/// False: there was nothing in them.
bool KernelSide::empty_rings() {
  bool any = false;
  for (std::size_t worker = 0; worker < forwarders_.size(); ++worker) {
    std::array<void*, kAtOnce> parcels;
    rte_ring* ring = forwarders_[worker]->to_main();
    const unsigned count = rte_ring_sc_dequeue_burst(ring, parcels.data(), parcels.size(), nullptr);
    for (unsigned i = 0; i < count; ++i) deliver(worker, static_cast<rte_mbuf*>(parcels[i]));
    any = any || count != 0;
  }
  return any;
}

/// What the kernel does not take at once is lost, as with any interface that is overrun.
void KernelSide::deliver(std::size_t worker, rte_mbuf* parcel) {
  const std::span bytes(rte_pktmbuf_mtod(parcel, const std::byte*), parcel->data_len);
  switch (static_cast<Parcel>(parcel->hash.usr)) {
    case Parcel::message:
      tell(worker, bytes);
      break;
    case Parcel::sending:
      if (!kernel_.send(bytes)) add(share_->ports[parcel->port].kernel_refused, 1);
      break;
    case Parcel::frame:
      if (::write(ports_[parcel->port].tap(), bytes.data(), bytes.size()) < 0)
        add(share_->ports[parcel->port].kernel_refused, 1);
      break;
  }
  rte_pktmbuf_free(parcel);
}

void KernelSide::tell(std::size_t worker, std::span<const std::byte> message) {
  if (share_.events().write(message)) {
    wake_daemon(share_, sender_);
  } else {
    add(share_->events_behind[worker], 1);
  }
}

bool KernelSide::give_to_worker(std::uint16_t port, Parcel parcel, rte_mbuf* frame) {
  frame->port = port;
  frame->hash.usr = static_cast<std::uint32_t>(parcel);
  rte_ring* ring = forwarders_[port % forwarders_.size()]->from_main();
  if (rte_ring_sp_enqueue(ring, frame) == 0) return true;
  rte_pktmbuf_free(frame);
  return false;
}

void KernelSide::take_from_tap(std::uint16_t port) {
  for (int i = 0; i < kAtOnce; ++i) {
    rte_mbuf* frame = rte_pktmbuf_alloc(buffers_);
    const std::size_t room = frame == nullptr ? 0 : rte_pktmbuf_tailroom(frame);
    std::byte rest;  // of one that is longer than a buffer: it is lost, as all are while there is no buffer
    const std::array<iovec, 2> places{
        iovec{.iov_base = frame == nullptr ? nullptr : rte_pktmbuf_mtod(frame, void*), .iov_len = room},
        iovec{.iov_base = &rest, .iov_len = sizeof(rest)}};
    const ssize_t length = ::readv(ports_[port].tap(), places.data(), places.size());
    if (length <= 0) {
      rte_pktmbuf_free(frame);
      return;
    }
    const bool fits = static_cast<std::size_t>(length) <= room;
    if (!fits) rte_pktmbuf_free(frame);
    const bool given = fits && rte_pktmbuf_append(frame, static_cast<std::uint16_t>(length)) != nullptr &&
                       give_to_worker(port, Parcel::frame, frame);
    add(given ? share_->ports[port].from_kernel : share_->ports[port].from_kernel_lost, 1);
  }
}

/// True: there are more.
bool KernelSide::take_messages() {
  RecordRing frames = share_.frames();
  for (int i = 0; i < kAtOnce && !frames.empty(); ++i) {
    bring_in(frames.front());
    frames.drop();
  }
  return !frames.empty();
}

/// A frame that is to come in by a port once more. Its interface may be gone by now.
void KernelSide::bring_in(std::span<const std::byte> message) {
  MessageHeader header{};
  if (message.size() < sizeof(header)) return;
  std::memcpy(&header, message.data(), sizeof(header));
  const auto port =
      std::find_if(ports_.begin(), ports_.end(), [&](const Port& each) { return each.ifindex() == header.interface; });
  if (header.kind != MessageKind::frame || port == ports_.end()) return;
  const auto bytes = message.subspan(sizeof(header));
  const auto place = static_cast<std::uint16_t>(port - ports_.begin());
  rte_mbuf* frame = rte_pktmbuf_alloc(buffers_);
  const bool fits = frame != nullptr && bytes.size() <= rte_pktmbuf_tailroom(frame);
  if (fits) {
    std::memcpy(rte_pktmbuf_append(frame, static_cast<std::uint16_t>(bytes.size())), bytes.data(), bytes.size());
    if (give_to_worker(place, Parcel::message, frame)) return;
  } else {
    rte_pktmbuf_free(frame);
  }
  add(share_->ports[place].from_kernel_lost, 1);
}

}  // namespace astil::dpdk
