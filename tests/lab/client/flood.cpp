#include "tests/lab/client/flood.hpp"

#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include "dataplane/base/descriptor.hpp"
#include "dataplane/core/checksum.hpp"
#include "dataplane/core/headers.hpp"
#include "tests/packets/packet.hpp"

namespace astil::lab {
namespace {

constexpr std::size_t kMacBytes = 6;
constexpr std::size_t kBatch = 64;  // frames of one system call

constexpr std::uint32_t kHostBits = 17;
constexpr std::uint16_t kFirstPort = 32768;

struct Source {
  std::uint32_t host;  // what is added to the sources' first address
  std::uint16_t port;
};

/// Multiplication by an odd number is a permutation, and this one's neighbours are far from each other.
Source source_of(std::uint64_t flow) {
  const auto mixed = static_cast<std::uint32_t>(flow * 0x9e3779b1U);
  return {mixed & ((1U << kHostBits) - 1), static_cast<std::uint16_t>(kFirstPort + (mixed >> kHostBits))};
}

test::Bytes first_frame(const FloodOptions& options, std::uint64_t own, Segment segment) {
  test::Packet packet;
  packet.ethernet(options.next_hop, own);
  const std::string target = options.to.address().to_string();
  if (options.to.address().is_v6()) {
    packet.ipv6("2001:db8:bad::", target);
  } else {
    packet.ipv4("198.18.0.0", target);
  }
  return packet.tcp(kFirstPort, options.to.port(), segment == Segment::syn ? test::kSyn : test::kAck).bytes();
}

core::Be32 moved(core::Be32 address, std::uint32_t host) { return core::be32(core::host(address) + host); }

/// Frames that leave by an interface, past its queueing.
class Outlet {
 public:
  static Result<Outlet> open(const std::string& interface) {
    base::Descriptor socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return system_error("socket", errno);
    ifreq request{};
    interface.copy(request.ifr_name, sizeof request.ifr_name - 1);
    if (::ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0) return system_error(interface, errno);
    std::uint64_t own = 0;
    std::memcpy(&own, request.ifr_hwaddr.sa_data, kMacBytes);
    sockaddr_ll place{};
    place.sll_family = AF_PACKET;
    place.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) != 0)
      return system_error("bind to " + interface, errno);
    const int on = 1;
    if (::setsockopt(socket.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) != 0)
      return system_error("PACKET_QDISC_BYPASS", errno);
    return Outlet(std::move(socket), own);
  }

  /// The interface's MAC address.
  [[nodiscard]] std::uint64_t own() const { return own_; }

  /// Sends messages of one frame each. Where the interface takes no more, the rest waits a moment.
  Result<> send(std::span<mmsghdr> messages, FloodReport& report) {
    constexpr std::chrono::microseconds kMoment{100};
    while (!messages.empty()) {
      const int sent = ::sendmmsg(socket_.get(), messages.data(), static_cast<unsigned>(messages.size()), 0);
      if (sent < 0 && errno != ENOBUFS) return system_error("sendmmsg", errno);
      if (sent < 0) {
        ++report.pauses;
        std::this_thread::sleep_for(kMoment);
        continue;
      }
      report.frames += static_cast<std::uint64_t>(sent);
      messages = messages.subspan(static_cast<std::size_t>(sent));
    }
    return {};
  }

 private:
  Outlet(base::Descriptor socket, std::uint64_t own) : socket_(std::move(socket)), own_(own) {}

  base::Descriptor socket_;
  std::uint64_t own_;
};

/// Room for a batch of frames, and the messages that carry them.
class Batch {
 public:
  explicit Batch(const FloodFrames& frames) : frames_(frames), bytes_(kBatch * frames.size()) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      parts_[i] = {.iov_base = bytes_.data() + i * frames.size(), .iov_len = frames.size()};
      messages_[i].msg_hdr.msg_iov = &parts_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }
  Batch(const Batch&) = delete;  // its messages point into it
  Batch& operator=(const Batch&) = delete;

  /// Of at most kBatch flows, one segment each.
  std::span<mmsghdr> write(std::uint64_t first, std::size_t count, Segment segment) {
    for (std::size_t i = 0; i < count; ++i)
      frames_.write(std::span(bytes_).subspan(i * frames_.size(), frames_.size()), first + i, segment);
    return std::span(messages_).first(count);
  }

 private:
  const FloodFrames& frames_;
  test::Bytes bytes_;
  std::array<iovec, kBatch> parts_{};
  std::array<mmsghdr, kBatch> messages_{};
};

}  // namespace

FloodFrames::FloodFrames(const FloodOptions& options, std::uint64_t own)
    : is_ipv6_(options.to.address().is_v6()),
      syn_(first_frame(options, own, Segment::syn)),
      ack_(first_frame(options, own, Segment::ack)) {}

void FloodFrames::write(std::span<std::byte> frame, std::uint64_t flow, Segment segment) const {
  const test::Bytes& first = segment == Segment::syn ? syn_ : ack_;
  std::memcpy(frame.data(), first.data(), first.size());
  std::byte* const network = frame.data() + sizeof(core::EthernetHeader);
  const Source source = source_of(flow);
  core::ChecksumDifference changed = 0;
  std::size_t header = sizeof(core::Ipv6Header);
  if (is_ipv6_) {
    auto& ip = *reinterpret_cast<core::Ipv6Header*>(network);
    const core::Be32 before = ip.source.words[3];
    ip.source.words[3] = moved(before, source.host);
    changed = core::replaced(before, ip.source.words[3]);
  } else {
    auto& ip = *reinterpret_cast<core::Ipv4Header*>(network);
    const core::Be32 before = ip.source;
    ip.source = moved(before, source.host);
    changed = core::replaced(before, ip.source);
    ip.checksum = core::corrected(ip.checksum, changed);
    header = sizeof ip;
  }
  auto& tcp = *reinterpret_cast<core::TcpHeader*>(network + header);
  const core::Be16 port = core::be16(source.port);
  changed += core::replaced(tcp.source, port);
  tcp.source = port;
  tcp.checksum = core::corrected(tcp.checksum, changed);
}

Result<FloodReport> flood(const FloodOptions& options) {
  using Clock = std::chrono::steady_clock;
  auto outlet = Outlet::open(options.interface);
  if (!outlet) return outlet.error();
  const FloodFrames frames(options, outlet->own());
  Batch batch(frames);
  FloodReport report;
  const auto begun = Clock::now();
  for (std::uint64_t done = 0; done < options.flows;) {
    if (options.per_second) {
      const std::chrono::duration<double> due(static_cast<double>(done) / *options.per_second);
      std::this_thread::sleep_until(begun + std::chrono::duration_cast<Clock::duration>(due));
    }
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kBatch, options.flows - done));
    for (const Segment segment : {Segment::syn, Segment::ack}) {
      if (options.kind == FloodKind::syns && segment == Segment::ack) continue;
      if (options.kind == FloodKind::acks && segment == Segment::syn) continue;
      if (auto sent = outlet->send(batch.write(options.first + done, count, segment), report); !sent)
        return sent.error();
    }
    done += count;
  }
  report.seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  return report;
}

}  // namespace astil::lab
