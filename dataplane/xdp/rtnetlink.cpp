#include "dataplane/xdp/rtnetlink.hpp"

#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <functional>

#include "dataplane/base/descriptor.hpp"

namespace astil::xdp {
namespace {

using Take = std::function<void(nlmsghdr& message)>;

template <class Body>
struct Request {
  nlmsghdr header;
  Body body;
};

/// What stands behind a message's header (NLMSG_DATA, whose macro is C only).
template <class Body>
const Body& body_of(const nlmsghdr& message) {
  return *reinterpret_cast<const Body*>(&message + 1);
}

/// Sends a request, and hands each answer on until the last. The kernel alone answers: who else sends is not heard.
template <class Body>
Result<void> ask(std::uint16_t type, std::uint16_t flags, const Body& body, const Take& take) {
  const base::Descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket.valid()) return system_error("open a netlink socket", errno);
  const Request<Body> request{.header = {.nlmsg_len = sizeof(request),
                                         .nlmsg_type = type,
                                         .nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags),
                                         .nlmsg_seq = 1,
                                         .nlmsg_pid = 0},
                              .body = body};
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(socket.get(), &request, sizeof(request), 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof(kernel)) <
      0)
    return system_error("ask the kernel", errno);
  alignas(nlmsghdr) std::array<std::byte, 65536> buffer{};
  while (true) {
    sockaddr_nl from{};
    socklen_t from_bytes = sizeof(from);
    const ssize_t received =
        ::recvfrom(socket.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &from_bytes);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0) return system_error("hear the kernel's answer", errno);
    if (from.nl_pid != 0) continue;
    for (std::size_t at = 0; at + sizeof(nlmsghdr) <= static_cast<std::size_t>(received);) {
      auto* const message = reinterpret_cast<nlmsghdr*>(buffer.data() + at);
      if (message->nlmsg_len < sizeof(nlmsghdr) || at + message->nlmsg_len > static_cast<std::size_t>(received)) break;
      at += NLMSG_ALIGN(message->nlmsg_len);
      if (message->nlmsg_type == NLMSG_ERROR) {
        const int error = body_of<nlmsgerr>(*message).error;
        return error == 0 ? Result<void>{} : system_error("ask the kernel", -error);
      }
      if (message->nlmsg_type == NLMSG_DONE) return {};
      take(*message);
      if ((message->nlmsg_flags & NLM_F_MULTI) == 0) return {};
    }
  }
}

/// Has a message about an interface an attribute?
bool has_attribute(nlmsghdr& message, unsigned short wanted) {
  constexpr std::size_t kBefore = sizeof(nlmsghdr) + NLMSG_ALIGN(sizeof(ifinfomsg));
  if (message.nlmsg_len < kBefore) return false;
  auto* attribute = reinterpret_cast<rtattr*>(reinterpret_cast<std::byte*>(&message) + kBefore);
  auto left = static_cast<std::uint32_t>(message.nlmsg_len - kBefore);
  while (left >= sizeof(rtattr) && attribute->rta_len >= sizeof(rtattr) && attribute->rta_len <= left) {
    if (attribute->rta_type == wanted) return true;
    const std::uint32_t step = std::min<std::uint32_t>(RTA_ALIGN(attribute->rta_len), left);
    attribute = reinterpret_cast<rtattr*>(reinterpret_cast<std::byte*>(attribute) + step);
    left -= step;
  }
  return false;
}

}  // namespace

Result<bool> has_device(std::uint32_t ifindex) {
  ifinfomsg link{};
  link.ifi_index = static_cast<int>(ifindex);
  bool found = false;
  const auto asked = ask(RTM_GETLINK, 0, link, [&](nlmsghdr& message) {
    if (message.nlmsg_type == RTM_NEWLINK) found = has_attribute(message, IFLA_PARENT_DEV_NAME);
  });
  if (asked.has_error()) return asked.error().within("read interface " + std::to_string(ifindex));
  return found;
}

Result<bool> has_tc_filters(std::uint32_t ifindex) {
  bool found = false;
  for (const std::uint32_t hook : {std::uint32_t{TC_H_MIN_INGRESS}, std::uint32_t{TC_H_MIN_EGRESS}}) {
    tcmsg filters{};
    filters.tcm_ifindex = static_cast<int>(ifindex);
    filters.tcm_parent = TC_H_MAKE(TC_H_CLSACT, hook);
    const auto asked = ask(RTM_GETTFILTER, NLM_F_DUMP, filters,
                           [&](nlmsghdr& message) { found = found || message.nlmsg_type == RTM_NEWTFILTER; });
    if (asked.has_error()) return asked.error().within("read the filters of interface " + std::to_string(ifindex));
  }
  return found;
}

}  // namespace astil::xdp
