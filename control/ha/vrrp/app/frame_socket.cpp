#include "control/ha/vrrp/app/frame_socket.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace astil::ha {
namespace {

/// ARP, and ICMPv6 neighbour advertisements right behind the IPv6 header; all else stays in the kernel.
bool attach_filter(int socket) {
  std::array<sock_filter, 10> program{{
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 6, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 4),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 58, 0, 2),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 54),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 136, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 256),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  const sock_fprog whole{.len = static_cast<unsigned short>(program.size()), .filter = program.data()};
  return ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &whole, sizeof whole) == 0;
}

}  // namespace

Result<FrameSocket> FrameSocket::open(std::uint32_t ifindex) {
  // Without a protocol nothing comes before the filter is there.
  base::Descriptor socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return system_error("open a packet socket", errno);
  if (!attach_filter(socket.get())) return system_error("filter a packet socket", errno);
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(ETH_P_ALL);
  to.sll_ifindex = static_cast<int>(ifindex);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
    return system_error("bind a packet socket", errno);
  return FrameSocket(std::move(socket));
}

int FrameSocket::send(const Frame& frame) {
  return ::send(socket_.get(), frame.data(), frame.size(), MSG_DONTWAIT) < 0 ? errno : 0;
}

void FrameSocket::receive(const std::function<void(const Claim&)>& take) {
  std::array<std::byte, 256> buffer;
  for (int i = 0; i < kPacketsAtOnce; ++i) {
    sockaddr_ll sender{};
    socklen_t size = sizeof sender;
    const ssize_t length = ::recvfrom(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT,
                                      reinterpret_cast<sockaddr*>(&sender), &size);
    if (length < 0) return;
    if (sender.sll_pkttype == PACKET_OUTGOING) continue;
    if (const auto claim = parse_claim(Bytes(buffer).first(static_cast<std::size_t>(length)))) take(*claim);
  }
}

}  // namespace astil::ha
