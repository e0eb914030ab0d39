// What the status shows of ports, queues and workers, as they stand in the share.
#include "dataplane/dpdk/dpdk_dataplane.hpp"

namespace astil::dpdk {
namespace {

dataplane::PortReport::Queue report_of(const QueueShare& queue) {
  return {.received_packets = load(queue.received_packets),
          .received_bytes = load(queue.received_bytes),
          .sent_packets = load(queue.sent_packets),
          .sent_bytes = load(queue.sent_bytes),
          .not_sent = load(queue.not_sent),
          .to_kernel = load(queue.to_kernel),
          .to_kernel_lost = load(queue.to_kernel_lost)};
}

/// Without its queues.
dataplane::PortReport::Port report_of(const PortPlan& plan, const PortShare& port) {
  return {.interface = plan.interface.str(),
          .device = plan.device.str(),
          .driver = port.driver.str(),
          .open = port.state == PortState::open,
          .missed = load(port.missed),
          .errors = load(port.errors),
          .no_buffer = load(port.no_buffer),
          .from_kernel = load(port.from_kernel),
          .from_kernel_lost = load(port.from_kernel_lost),
          .kernel_refused = load(port.kernel_refused),
          .queues = {}};
}

dataplane::PortReport::Worker report_of(const Share& share, std::uint32_t number) {
  const WorkerShare& worker = share.workers[number];
  const std::uint32_t core = share.plan.cores[number];
  return {.core = core == kAnyCore ? std::optional<std::uint32_t>() : std::optional(core),
          .polls = load(worker.polls),
          .empty_polls = load(worker.empty_polls),
          .sleeps = load(worker.sleeps),
          .slept_seconds = static_cast<double>(load(worker.slept_ns)) / 1e9,
          .bursts = load(worker.bursts),
          .packets = load(worker.packets),
          .full_bursts = load(worker.full_bursts),
          .unfit = load(worker.unfit),
          .strays = load(worker.strays),
          .events_lost = load(worker.events_lost) + load(share.events_behind[number])};
}

}  // namespace

std::optional<dataplane::PortReport> DpdkDataplane::port_report() const {
  const Share& share = *share_;
  dataplane::PortReport report{.running = is_engine_running(share_.folder()),
                               .as_planned = load(share.plan_in_force) == share.plan_number,
                               .problem = read_problem(share),
                               .stands_still = standing_still(),
                               .burst = share.plan.burst,
                               .ports = {},
                               .workers = {}};
  const std::uint32_t workers = report.running ? workers_of(share) : 0;
  for (std::uint32_t i = 0; i < share.plan.ports; ++i) {
    dataplane::PortReport::Port shown = report_of(share.plan.port[i], share.ports[i]);
    shown.open = shown.open && report.running && report.as_planned;
    for (std::uint32_t q = 0; q < workers; ++q) shown.queues.push_back(report_of(share.queues[i][q]));
    report.ports.push_back(std::move(shown));
  }
  for (std::uint32_t w = 0; w < workers; ++w) report.workers.push_back(report_of(share, w));
  return report;
}

}  // namespace astil::dpdk
