// The packet path over tables of its own, without an interface: services of every kind, and frames for them, one at a
// time under the kernel's test run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/core/hash.hpp"
#include "dataplane/core/schedule.hpp"
#include "dataplane/desired.hpp"
#include "dataplane/xdp/kernel_object.hpp"
#include "tests/bench/packet_path_control.hpp"

namespace astil::bench {

inline constexpr std::uint32_t kBackends = 100;
inline constexpr std::uint16_t kPort = 80;

/// A service of the bench; each has an address of its own.
struct Served {
  std::uint32_t number;  ///< of its address, and of its backends'
  core::Forwarding forwarding = core::Forwarding::tunnel;
  core::Wrap wrap = core::Wrap::ipip4;
  core::Scheduler scheduler = core::Scheduler::maglev;
  std::uint32_t backends = kBackends;
  std::uint8_t protocol = core::kProtocolTcp;
  bool wide = false;  ///< IPv6
  std::optional<dataplane::Affinity> affinity = std::nullopt;
};

/// Who sends the frames, and by which version of IP: the programs' names end so.
enum class Sender : std::uint8_t { client4, backend4, client6 };

/// Source addresses that full NAT has in the bench.
inline constexpr std::uint32_t kPortSources = 32;

/// The frames of a case: of flows [first, first + count), `count` a power of two.
struct Frames {
  Sender sender = Sender::client4;
  std::uint8_t tcp_flags = core::kTcpAck;
  std::uint32_t first = 0;
  std::uint32_t count = 1;
  std::uint16_t port = kPort;  ///< the service's end
};

class PacketBench {
 public:
  /// `flow_slots`: a power of two. `interface`: the ifindex that packets come in and leave by. Ends the program with a
  /// word where anything fails, as all of these functions do.
  PacketBench(std::span<const Served> services, std::uint32_t flow_slots, std::uint32_t interface);

  [[nodiscard]] const dataplane::Tables& tables() const { return mapped_.tables(); }

  /// So many new flows are written down in each 64th of a second; 0: all, and the limit was never met.
  void limit(std::uint32_t most);
  void clear_flows();

  /// What the next runs send.
  void aim(const Served& served, const Frames& frames);
  /// As a stranger's packets to nobody here.
  void aim_elsewhere();

  /// Nanoseconds of processor time for each of `repeat` runs. (The kernel's own figure is a whole number: of six,
  /// nearly one may be missing.)
  [[nodiscard]] double time(const std::string& program, std::uint32_t repeat);

  /// Links a program of the bench to an interface, for as long as the process lives.
  void attach(const std::string& program, std::uint32_t interface);
  /// Sends so many frames, as `aim` made them, out of an interface.
  void send(std::uint32_t interface, std::uint32_t frames);
  /// Frames that bench_receive has seen since `aim`.
  [[nodiscard]] std::uint64_t received() const;

  /// The address of a backend of a service.
  [[nodiscard]] static core::Address backend_address(const Served& served, std::uint32_t i);

 private:
  void publish(std::span<const Served> services, std::uint32_t interface);
  [[nodiscard]] Control control() const;
  void set(const Control& control);

  xdp::KernelObject object_;
  xdp::MappedTables mapped_;
  std::vector<std::byte> frame_;
};

/// A network namespace for the process, with a way to clients, for replies; and two links with both ends in it: `near0`
/// to `far0`, `near1` to `far1`.
void enter_network();

inline constexpr std::uint32_t kLoopback = 1;             ///< the interface of a test run
inline constexpr std::uint64_t kOwnMac = 0x010000000002;  ///< as in the packet

/// How the names of a sender's programs end.
std::string suffix_of(Sender sender);

[[noreturn]] void fail(const std::string& what);

}  // namespace astil::bench
