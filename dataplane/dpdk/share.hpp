// What astild and astil-dpdk tell each other: one file that both have mapped, beside the files of the tables. It is
// there when either of them is gone, so each can start without the other:
//
//   /dev/shm/astil/<instance>/engine      this
//   /dev/shm/astil/<instance>/tables-<n>  the tables (dataplane/shared_tables.hpp)
//   /dev/shm/astil/<instance>/capture-<n> what a capture is written to while it runs (capture_share.hpp)
//   /dev/shm/astil/<instance>/lock        held by astil-dpdk as long as it runs
//   /dev/shm/astil/<instance>/events      socket of astild's: wakes it (events.hpp)
//   /dev/shm/astil/<instance>/frames      socket of astil-dpdk's: likewise
//
// Each member has one writer. Counters go on when their writer starts anew.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/record_ring.hpp"

namespace astil::dpdk {

/// Changes whenever a record below does.
inline constexpr std::uint32_t kShareVersion = 4;
inline constexpr std::uint64_t kShareMagic = 0x6b6470646c7473ULL;  // "stldpdk"
inline constexpr std::size_t kMostPorts = 64;
inline constexpr std::size_t kMostWorkers = 32;
inline constexpr std::uint32_t kAnyCore = ~0U;

/// A string that ends with a 0.
template <std::size_t kBytes>
struct Text {
  char bytes[kBytes];

  [[nodiscard]] std::string str() const {
    const std::string_view all(bytes, kBytes);
    return std::string(all.substr(0, all.find('\0')));
  }
  void set(std::string_view text) {
    const std::size_t length = text.copy(bytes, kBytes - 1);
    for (std::size_t i = length; i < kBytes; ++i) bytes[i] = '\0';
  }
  bool operator==(const Text&) const = default;
};

struct PortPlan {
  Text<16> interface;  ///< the kernel's, which gets what is not ours
  Text<240> device;    ///< as the EAL has it: a PCI address, or a virtual device with its arguments
  bool operator==(const PortPlan&) const = default;
};

/// What astil-dpdk shall do.
struct Plan {
  std::uint32_t ports;  ///< 0: nothing
  std::uint32_t burst;
  std::uint32_t idle_sleep;  ///< microseconds that a worker without packets sleeps at once, at most; 0: it polls on
  std::uint32_t memory;      ///< MiB, for packet buffers
  std::uint32_t huge_pages;  ///< 0: ordinary ones
  std::uint32_t workers;
  std::uint32_t cores[kMostWorkers];  ///< of each worker, or kAnyCore
  PortPlan port[kMostPorts];
  bool operator==(const Plan&) const = default;
};

/// An interface of the kernel's that has something of the engine's. Its number stays when it is renamed.
struct Noted {
  Text<16> name;  ///< empty: a free place
  std::uint32_t ifindex;
};

struct Problem {
  Text<256> what;  ///< empty: there is none
  Text<256> remedy;
};

/// What another process writes.
inline std::uint64_t load(const std::uint64_t& value) { return __atomic_load_n(&value, __ATOMIC_ACQUIRE); }
inline std::uint32_t load(const std::uint32_t& value) { return __atomic_load_n(&value, __ATOMIC_ACQUIRE); }

/// To one of the counters here, by the only thread that writes it.
inline void add(std::uint64_t& counter, std::uint64_t amount) {
  __atomic_store_n(&counter, __atomic_load_n(&counter, __ATOMIC_RELAXED) + amount, __ATOMIC_RELAXED);
}

/// Of one worker, the only one that writes it.
struct alignas(64) WorkerShare {
  std::uint64_t turn;    ///< odd while the worker may look at the tables; goes on with every look
  std::uint64_t tables;  ///< number of the tables that it looks at
  std::uint64_t polls;   ///< rounds over all of its queues
  std::uint64_t empty_polls;
  std::uint64_t sleeps;
  std::uint64_t slept_ns;
  std::uint64_t bursts;       ///< that were taken through the packet path
  std::uint64_t packets;      ///< in those
  std::uint64_t full_bursts;  ///< as long as the setting lets them be
  std::uint64_t unfit;        ///< frames longer than a packet buffer: lost
  std::uint64_t strays;       ///< packets for an interface without a port: lost
  std::uint64_t events_lost;  ///< the main thread was behind
  std::uint64_t capture;      ///< number of the capture that it writes to; 0: none
};

/// What went in and out by one queue of a port; written by its worker.
struct alignas(64) QueueShare {
  std::uint64_t received_packets;
  std::uint64_t received_bytes;
  std::uint64_t sent_packets;
  std::uint64_t sent_bytes;
  std::uint64_t not_sent;        ///< the port took no more: lost
  std::uint64_t to_kernel;       ///< handed to the kernel
  std::uint64_t to_kernel_lost;  ///< it did not take them fast enough
};

enum class PortState : std::uint32_t { absent, open };

/// Written by the main thread.
struct alignas(64) PortShare {
  PortState state;
  Text<16> interface;  ///< whose counters these are
  Text<32> driver;
  std::uint64_t missed;     ///< the port's own counters (rte_eth_stats): came while its queues were full
  std::uint64_t errors;     ///< came broken
  std::uint64_t no_buffer;  ///< came while there was no packet buffer
  std::uint64_t from_kernel;
  std::uint64_t from_kernel_lost;  ///< likewise, or to come in once more, and the worker was behind
  std::uint64_t kernel_refused;    ///< were handed to the kernel, whose interface is down or overrun
};

/// Of what one process tells the other, bytes at most that wait to be taken.
inline constexpr std::size_t kEventsBytes = 1U << 20U;
inline constexpr std::size_t kFramesBytes = 1U << 19U;

struct Share {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t reserved;

  /// astild's. The number of the plan is odd while it is written, and another one afterwards.
  std::uint32_t plan_number;
  std::uint32_t tables_number;  ///< 0: there are none
  Plan plan;
  Noted fences[kMostPorts];      ///< interfaces that have one (fence.hpp)
  Noted taps[kMostPorts];        ///< devices that were made for ports; they stay when their port goes
  std::uint32_t capture_number;  ///< of the one that runs; 0: none does
  std::uint32_t last_capture;    ///< of the last one that was begun
  std::uint32_t sleeps;          ///< not 0: astild waits for the bell; who takes it rings
  std::uint64_t network;         ///< inode of astild's network namespace: whose interfaces the plan's are

  /// astil-dpdk's.
  std::uint32_t problem_number;   ///< of the problem, as that of the plan
  std::uint32_t plan_in_force;    ///< number of the plan whose ports are open, or that has none
  std::uint32_t running_workers;  ///< that may look at the tables
  std::uint32_t reserved_too;
  std::uint64_t forwarding_since;  ///< nanoseconds of the monotonic clock, when the ports were opened
  Problem problem;                 ///< why it does not do as planned
  WorkerShare workers[kMostWorkers];
  std::uint64_t events_behind[kMostWorkers];  ///< of each worker's, lost since astild was behind; the main thread's
  PortShare ports[kMostPorts];
  QueueShare queues[kMostPorts][kMostWorkers];

  /// Messages to astild, and to astil-dpdk (events.hpp).
  RingPlaces events_places;
  RingPlaces frames_places;
  alignas(8) std::byte events[kEventsBytes];
  alignas(8) std::byte frames[kFramesBytes];
};

/// How many may look at the tables now.
inline std::uint32_t workers_of(const Share& share) {
  return std::min<std::uint32_t>(load(share.running_workers), kMostWorkers);
}

/// The same file, mapped. Its folder belongs to its owner alone.
class MappedShare {
 public:
  /// Makes folder and file where they are missing. Error: others can write there, or another version made it.
  static Result<MappedShare> make(const std::string& instance);
  /// That which is there; none: nothing is.
  static Result<std::optional<MappedShare>> find(const std::string& instance);

  MappedShare(MappedShare&& other) noexcept;
  MappedShare& operator=(MappedShare&& other) noexcept;
  ~MappedShare();

  [[nodiscard]] Share* operator->() const { return share_; }
  [[nodiscard]] Share& operator*() const { return *share_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  /// Is it still the file of its name? `astil detach` removes it.
  [[nodiscard]] bool is_current() const;
  [[nodiscard]] std::filesystem::path tables(std::uint32_t number) const {
    return folder_ / ("tables-" + std::to_string(number));
  }
  [[nodiscard]] std::filesystem::path capture(std::uint32_t number) const {
    return folder_ / ("capture-" + std::to_string(number));
  }
  /// Messages to astild: written by the main thread of astil-dpdk.
  [[nodiscard]] RecordRing events() const { return {share_->events_places, share_->events}; }
  /// Messages to astil-dpdk.
  [[nodiscard]] RecordRing frames() const { return {share_->frames_places, share_->frames}; }

 private:
  MappedShare(std::filesystem::path folder, Share* share, ino_t inode)
      : folder_(std::move(folder)), share_(share), inode_(inode) {}

  std::filesystem::path folder_;
  Share* share_ = nullptr;
  ino_t inode_ = 0;
};

std::filesystem::path folder_of(const std::string& instance);

/// This process's network namespace, as in Share::network.
std::uint64_t own_network();
/// Another instance than that, whose plan has a port that takes the frames of this interface of this network; empty:
/// there is none.
std::string who_takes(const std::string& interface, const std::string& instance);

/// A plan as it was at one moment, and its number.
struct NumberedPlan {
  std::uint32_t number = 0;
  Plan plan{};
};
/// None: it is being written, or its writer was killed meanwhile; the next one writes it anew.
std::optional<NumberedPlan> read_plan(const Share& share);
/// Is a plan there, and not the one with this number?
bool is_other_plan(const Share& share, std::uint32_t number);
void write_plan(Share& share, const Plan& plan);

/// None: there is none, or it is being written.
Error read_problem(const Share& share);
/// An empty error: there is none any more.
void write_problem(Share& share, const Error& problem);

/// Takes the lock of astil-dpdk; it goes with the descriptor. Error: another one runs.
Result<base::Descriptor> lock_engine(const std::filesystem::path& folder);
/// Does somebody have the lock?
bool is_engine_running(const std::filesystem::path& folder);

}  // namespace astil::dpdk
