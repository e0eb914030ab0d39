// The one interface behind which the engines stand: what the control plane needs of whatever moves packets.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/result.hpp"
#include "dataplane/carried.hpp"
#include "dataplane/core/capture.hpp"
#include "dataplane/core/events.hpp"
#include "dataplane/port_report.hpp"
#include "dataplane/repair.hpp"
#include "dataplane/tables.hpp"

namespace astil::dataplane {

/// Where the kernel hands packets to the packet path.
enum class Hook {
  automatic,    ///< `xdp` where the interface is a device whose driver takes it, else `tc`
  xdp,          ///< in the driver
  xdp_generic,  ///< XDP behind the driver, for each packet a whole frame
  tc,           ///< of the kernel's packets, as its own stack has them
};

/// An interface that the packet path is attached to.
struct Attachment {
  std::uint32_t ifindex = 0;
  std::string hook;  ///< "xdp native", "xdp generic", "tc"
  std::string why;   ///< the reason for this hook
};

/// Who hears of what the packet path tells.
struct EventTaker {
  std::function<void(const core::NeighbourWanted& wanted)> neighbour;
  /// A frame that came in by an interface; the packet path has given it up.
  std::function<void(std::uint32_t ifindex, std::span<const std::byte> frame)> fragment;
  /// While Shared::drop_followers is set.
  std::function<void(const core::DropEvent& event)> drop;
};

/// A packet that was captured. All of it is there during the call only.
struct CapturedFrames {
  const core::CapturedPacket& packet;  ///< what stands before its `frames`
  std::span<const std::byte> arrived;  ///< what is kept of the frame as it came in
  std::span<const std::byte> left;     ///< and as it left; empty where it did not
};
using CaptureTaker = std::function<void(const CapturedFrames& captured)>;

/// How an engine came by its tables when it was opened.
struct Origin {
  enum class Kind { fresh, adopted, carried };
  Kind kind = Kind::fresh;
  std::vector<Carried> carried;  ///< for Kind::carried: from each set of tables that was in use
  std::string why;               ///< likewise: what differed
};

class Dataplane {
 public:
  Dataplane() = default;
  Dataplane(const Dataplane&) = delete;
  Dataplane& operator=(const Dataplane&) = delete;
  virtual ~Dataplane() = default;

  [[nodiscard]] virtual const Tables& tables() const = 0;
  [[nodiscard]] virtual Origin origin() const { return {}; }
  /// None: this engine has no ports but the kernel's interfaces.
  [[nodiscard]] virtual std::optional<PortReport> port_report() const { return std::nullopt; }

  /// Since when it has moved packets without a break; none: it does not.
  [[nodiscard]] virtual std::optional<std::chrono::steady_clock::time_point> forwarding_since() const {
    return std::chrono::steady_clock::time_point::min();
  }

  /// What moves its packets has ended, or stands still; as of the last `mend`.
  [[nodiscard]] virtual bool is_dead() const { return false; }

  /// Returns when every packet that was under way at the call is done: what the packet path could see before, it sees
  /// no more. Throws std::runtime_error where one does not come to its end.
  virtual void wait_for_readers() = 0;
  /// Do they come to their end? An error: what is begun now could not be finished.
  virtual Result<void> check_readers() { return {}; }

  /// Now, on the clock of flow ages; may be one tick off from the packet path's.
  [[nodiscard]] virtual std::uint32_t tick() const = 0;
  /// Now, on the clock of core::kUnitsPerSecond.
  [[nodiscard]] virtual std::uint32_t fine_tick() const = 0;
  /// Now, on the clock of core::kSourceUnitsPerSecond.
  [[nodiscard]] virtual std::uint64_t source_clock() const = 0;

  /// Attaches the packet path, or renews it where it is attached. An interface that cannot take it stays as it was.
  virtual Result<Attachment> attach(std::uint32_t ifindex, Hook hook) = 0;
  virtual Result<void> detach(std::uint32_t ifindex) = 0;
  [[nodiscard]] virtual std::vector<Attachment> attachments() const = 0;

  /// Puts right what somebody else has changed of what this engine keeps in the kernel, and tells what that was. An
  /// interface that is gone is none of it.
  virtual std::vector<Repair> mend() { return {}; }

  /// A descriptor that becomes readable when `take_events` has something to take; -1: this engine has no events.
  [[nodiscard]] virtual int event_descriptor() const = 0;
  /// Takes a limited number; the descriptor stays readable while there are more.
  virtual void take_events(const EventTaker& take) = 0;

  /// Lets a frame come in by an interface again, as if it had come by the wire.
  virtual Result<void> inject(std::uint32_t ifindex, std::span<const std::byte> frame) = 0;

  /// Begins to give the packets that the filter wants to `take`, in calls of `take_events` and `stop_capture`; one
  /// capture at a time. After an error all is as it was.
  virtual Result<void> start_capture(const core::CaptureFilter& /*filter*/, const CaptureTaker& /*take*/) {
    return Error{"this engine captures no packets", "capture at the servers; tcpdump sees what is the kernel's"};
  }
  /// Which packets are wanted from now on, where a capture runs.
  virtual void change_capture(const core::CaptureFilter& /*filter*/) {}
  /// Gives out what is still there, and tells what became of the packets that were wanted; zeros where no capture runs.
  /// Not to be called by a CaptureTaker. After an error nothing is captured any more all the same, but packets still
  /// pay for it.
  virtual Result<core::CaptureCounts> stop_capture() { return core::CaptureCounts{}; }
};

}  // namespace astil::dataplane
