#include "control/dns/udp.hpp"

#include <algorithm>
#include <cerrno>

#include "control/dns/worker.hpp"

namespace astil::dns {
namespace {

/// What a packet was sent to becomes what it is answered from; by which interface is left to the routes, but where the
/// address means something on one alone.
void turn(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
      reinterpret_cast<in_pktinfo*>(CMSG_DATA(part))->ipi_ifindex = 0;
    } else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
      auto* info = reinterpret_cast<in6_pktinfo*>(CMSG_DATA(part));
      if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr)) info->ipi6_ifindex = 0;
    }
  }
}

}  // namespace

UdpBatch::UdpBatch() : messages_(), received_(), sent_() {
  for (std::size_t i = 0; i < kMessages; ++i) {
    Message& message = messages_[i];
    message.query_at = {.iov_base = message.query.data(), .iov_len = message.query.size()};
    received_[i].msg_hdr = {.msg_name = &message.client,
                            .msg_namelen = 0,
                            .msg_iov = &message.query_at,
                            .msg_iovlen = 1,
                            .msg_control = nullptr,
                            .msg_controllen = 0,
                            .msg_flags = 0};
  }
}

void UdpBatch::make_ready(std::size_t message) {
  msghdr& head = received_[message].msg_hdr;
  head.msg_namelen = sizeof(sockaddr_storage);
  head.msg_control = messages_[message].control.bytes.data();
  head.msg_controllen = messages_[message].control.bytes.size();
}

/// At usual rates a batch is of one or two messages: the rest is left as it is.
std::size_t UdpBatch::receive(int socket) {
  for (std::size_t i = 0; i < used_; ++i) make_ready(i);
  const int count = ::recvmmsg(socket, received_.data(), kMessages, MSG_WAITFORONE, nullptr);
  const std::size_t got = count < 0 ? 0 : static_cast<std::size_t>(count);
  used_ = std::min(got + 1, kMessages);  // the kernel may have begun with one more
  return got;
}

void UdpBatch::send(int socket, std::size_t count, Counters& counters) {
  for (std::size_t done = 0; done < count;) {
    const int sent = ::sendmmsg(socket, sent_.data() + done, static_cast<unsigned>(count - done), MSG_DONTWAIT);
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
    } else if (errno != EINTR) {
      // The first of them can not be sent. Clients ask again.
      counters.add(Counter::dropped_not_sent);
      ++done;
    }
  }
}

void UdpBatch::answer(int socket, std::size_t count, const Snapshot& snapshot, WorkerContext& worker) {
  std::size_t responses = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Message& message = messages_[i];
    const Bytes query = Bytes(message.query).first(received_[i].msg_len);
    const Client client = client_of(message.client, Transport::udp);
    const std::size_t size = respond(snapshot, query, client, message.response, worker);
    if (size == 0) continue;
    message.response_at = {.iov_base = message.response.data(), .iov_len = size};
    msghdr& out = sent_[responses++].msg_hdr;
    out = received_[i].msg_hdr;
    out.msg_iov = &message.response_at;
    if (out.msg_controllen == 0) {
      out.msg_control = nullptr;
    } else {
      turn(out);
    }
  }
  send(socket, responses, worker.counters);
}

UdpWorker::UdpWorker(Descriptor socket, const Published& published, std::uint64_t seed)
    : socket_(std::move(socket)), published_(published), context_(worker_context(seed)) {}

UdpWorker::~UdpWorker() {
  if (!thread_.joinable()) return;
  ends_ = true;
  // A socket without a peer is told by ENOTCONN, but who waits at it is woken, and nobody can wait at it any more.
  (void)::shutdown(socket_.get(), SHUT_RD);
  thread_.join();
}

void UdpWorker::start() {
  thread_ = start_worker([this] { run(); });
}

void UdpWorker::run() {
  for (;;) {
    const std::size_t count = batch_.receive(socket_.get());
    if (ends_) return;
    if (count == 0) continue;
    tell_time(context_);
    batch_.answer(socket_.get(), count, *published_.get(), context_);
  }
}

}  // namespace astil::dns
