// Ports and workers of an engine that has its own, as the daemon shows them.
#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace astil::api {

/// What one worker received and sent by a port.
struct QueueView {
  std::uint64_t received_packets = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t sent_packets = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t not_sent = 0;        ///< lost: the port took no more
  std::uint64_t to_kernel = 0;       ///< not ours
  std::uint64_t to_kernel_lost = 0;  ///< likewise, and the kernel was behind
};
BOOST_DESCRIBE_STRUCT(QueueView, (),
                      (received_packets, received_bytes, sent_packets, sent_bytes, not_sent, to_kernel, to_kernel_lost))

struct PortView {
  std::string interface;
  std::string device;
  std::string driver;
  std::string state;         ///< "open", "closed"
  std::uint64_t missed = 0;  ///< packets that came while the port's queues were full
  std::uint64_t errors = 0;
  std::uint64_t no_buffer = 0;
  std::uint64_t from_kernel = 0;
  std::uint64_t from_kernel_lost = 0;
  std::uint64_t kernel_refused = 0;  ///< its interface was down, or overrun
  std::vector<QueueView> queues;     ///< by worker
};
BOOST_DESCRIBE_STRUCT(PortView, (),
                      (interface, device, driver, state, missed, errors, no_buffer, from_kernel, from_kernel_lost,
                       kernel_refused, queues))

struct WorkerView {
  std::optional<std::uint32_t> core;  ///< none: any
  std::uint32_t burst = 0;            ///< packets at once, at most
  std::uint64_t polls = 0;            ///< rounds over all queues
  std::uint64_t empty_polls = 0;
  std::uint64_t sleeps = 0;
  double slept_seconds = 0;
  std::uint64_t bursts = 0;
  std::uint64_t packets = 0;
  std::uint64_t full_bursts = 0;
  std::uint64_t unfit = 0;        ///< frames longer than a packet buffer: lost
  std::uint64_t strays = 0;       ///< packets for an interface without a port: lost
  std::uint64_t events_lost = 0;  ///< what the daemon was not told, since it was behind
};
BOOST_DESCRIBE_STRUCT(WorkerView, (),
                      (core, burst, polls, empty_polls, sleeps, slept_seconds, bursts, packets, full_bursts, unfit,
                       strays, events_lost))

}  // namespace astil::api
