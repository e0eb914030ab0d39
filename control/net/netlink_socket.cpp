#include "control/net/netlink_socket.hpp"

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>

namespace astil::net {
namespace {

constexpr std::size_t kDatagramSize = 64U * 1024U;          // more than the kernel puts into one
constexpr int kAnnouncementRoom = 8 * 1024 * 1024;          // bytes; a burst of some 10,000 messages
constexpr timeval kAnswerLimit{.tv_sec = 5, .tv_usec = 0};  // the kernel answers at once or there is no kernel

void set_options(mnl_socket* socket, std::span<const int> groups) {
  const int descriptor = mnl_socket_get_fd(socket);
  int on = 1;
  mnl_socket_setsockopt(socket, NETLINK_EXT_ACK, &on, sizeof on);
  mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &on, sizeof on);
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &kAnswerLimit, sizeof kAnswerLimit);
  if (groups.empty()) return;
  // FORCE goes beyond net.core.rmem_max and needs CAP_NET_ADMIN; without it messages are lost sooner, and asked for
  // again.
  if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &kAnnouncementRoom, sizeof kAnnouncementRoom) != 0) {
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &kAnnouncementRoom, sizeof kAnnouncementRoom);
  }
}

/// An answer that describes a table in the middle of a change is to be asked for again.
constexpr int kInterrupted = EINTR;
constexpr int kInterruptedLimit = 5;

}  // namespace

void NetlinkSocket::Close::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }

NetlinkSocket::NetlinkSocket(mnl_socket* socket) : socket_(socket), buffer_(kDatagramSize) {}

Result<NetlinkSocket> NetlinkSocket::open(std::span<const int> groups) {
  mnl_socket* raw = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
  if (raw == nullptr) return system_error("open a netlink socket", errno);
  NetlinkSocket socket(raw);
  set_options(raw, groups);
  if (mnl_socket_bind(raw, 0, MNL_SOCKET_AUTOPID) != 0) return system_error("bind a netlink socket", errno);
  for (int group : groups) {
    if (mnl_socket_setsockopt(raw, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
      return system_error("subscribe to netlink group " + std::to_string(group), errno);
    }
  }
  return socket;
}

Acknowledgement NetlinkSocket::ask(Request request, const std::function<void(const RawMessage&)>& take) {
  Acknowledgement verdict;
  for (int i = 0; i < kInterruptedLimit; ++i) {
    verdict = ask_once(request, take);
    if (verdict.error != kInterrupted) break;
  }
  return verdict;
}

Acknowledgement NetlinkSocket::ask_once(Request& request, const std::function<void(const RawMessage&)>& take) {
  request.set_sequence(++sequence_);
  const auto bytes = request.bytes();
  if (mnl_socket_sendto(socket_.get(), bytes.data(), bytes.size()) < 0) return {errno, {}};
  bool interrupted = false;
  for (;;) {
    const auto datagram = read(0);
    if (datagram.empty()) return {errno, {}};
    MessageReader reader(datagram);
    while (const auto message = reader.next()) {
      if (message->sequence != sequence_) continue;  // the rest of an answer that was given up
      if ((message->flags & NLM_F_DUMP_INTR) != 0) interrupted = true;
      if (const auto verdict = parse_acknowledgement(*message)) {
        return interrupted ? Acknowledgement{kInterrupted, {}} : *verdict;
      }
      if (take) take(*message);
    }
  }
}

NetlinkSocket::Received NetlinkSocket::receive(const std::function<void(const RawMessage&)>& take) {
  const auto datagram = read(MSG_DONTWAIT);
  if (datagram.empty()) return errno == ENOBUFS ? Received::overrun : Received::nothing;
  MessageReader reader(datagram);
  while (const auto message = reader.next()) take(*message);
  return Received::messages;
}

/// One datagram of the kernel's. Empty: errno says why.
std::span<const std::byte> NetlinkSocket::read(int flags) {
  for (;;) {
    sockaddr_nl sender{};
    socklen_t sender_size = sizeof sender;
    const ssize_t size = recvfrom(descriptor(), buffer_.data(), buffer_.size(), flags,
                                  reinterpret_cast<sockaddr*>(&sender), &sender_size);
    if (size < 0 && errno == EINTR) continue;
    if (size > 0 && sender.nl_pid != 0) continue;  // another process, not the kernel
    if (size <= 0) return {};
    return std::span(buffer_).first(static_cast<std::size_t>(size));
  }
}

int NetlinkSocket::descriptor() const { return mnl_socket_get_fd(socket_.get()); }

Error kernel_error(const std::string& action, const Acknowledgement& verdict) {
  Error error = system_error(action, verdict.error);
  if (!verdict.text.empty()) error.what += " (the kernel says: " + verdict.text + ")";
  if (verdict.error == EPERM) error.remedy = "this needs root or CAP_NET_ADMIN";
  return error;
}

}  // namespace astil::net
