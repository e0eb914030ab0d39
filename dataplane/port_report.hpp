// What an engine with ports and workers of its own tells of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/result.hpp"

namespace astil::dataplane {

/// How an engine with ports and workers of its own does; counters count from its first start.
struct PortReport {
  struct Queue {
    std::uint64_t received_packets = 0;
    std::uint64_t received_bytes = 0;
    std::uint64_t sent_packets = 0;
    std::uint64_t sent_bytes = 0;
    std::uint64_t not_sent = 0;  ///< lost: the port took no more
    std::uint64_t to_kernel = 0;
    std::uint64_t to_kernel_lost = 0;
  };
  struct Port {
    std::string interface;  ///< the kernel's, which gets what is not ours
    std::string device;
    std::string driver;
    bool open = false;
    std::uint64_t missed = 0;  ///< came while its queues were full
    std::uint64_t errors = 0;
    std::uint64_t no_buffer = 0;
    std::uint64_t from_kernel = 0;
    std::uint64_t from_kernel_lost = 0;
    std::uint64_t kernel_refused = 0;
    std::vector<Queue> queues;  ///< one of each worker
  };
  struct Worker {
    std::optional<std::uint32_t> core;  ///< none: any
    std::uint64_t polls = 0;
    std::uint64_t empty_polls = 0;
    std::uint64_t sleeps = 0;
    double slept_seconds = 0;
    std::uint64_t bursts = 0;
    std::uint64_t packets = 0;
    std::uint64_t full_bursts = 0;
    std::uint64_t unfit = 0;
    std::uint64_t strays = 0;  ///< packets for an interface without a port: lost
    std::uint64_t events_lost = 0;
  };

  bool running = false;     ///< its process is there
  bool as_planned = false;  ///< and has done what it was last told
  Error problem;            ///< why not; empty: none is known
  /// A worker that has not come round for a second; none: all of them do.
  std::optional<std::uint32_t> stands_still;
  std::uint32_t burst = 0;
  std::vector<Port> ports;
  std::vector<Worker> workers;
};

}  // namespace astil::dataplane
