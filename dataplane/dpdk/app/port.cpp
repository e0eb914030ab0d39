#include "dataplane/dpdk/app/port.hpp"

#include <net/if.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <utility>

#include "control/base/log.hpp"
#include "dataplane/dpdk/app/eal.hpp"
#include "dataplane/dpdk/device.hpp"
#include "dataplane/dpdk/fence.hpp"
#include "dataplane/dpdk/tap.hpp"

namespace astil::dpdk {
namespace {

constexpr const char* kLostAddresses = "give it its addresses and routes again; those of services come by themselves";

Error device_error(const std::string& action, int failed) {
  return {action + ": " + rte_strerror(-failed), "see what its driver says above this line in the log of astil-dpdk"};
}

void store(std::uint64_t& place, std::uint64_t value) { __atomic_store_n(&place, value, __ATOMIC_RELAXED); }
void store(PortState& place, PortState value) { __atomic_store(&place, &value, __ATOMIC_RELAXED); }

}  // namespace

Port::Port(Port&& other) noexcept
    : id_(other.id_),
      share_(std::exchange(other.share_, nullptr)),
      ifindex_(other.ifindex_),
      taken_ifindex_(other.taken_ifindex_),
      queues_(other.queues_),
      sends_for_kernel_(other.sends_for_kernel_),
      tap_(std::move(other.tap_)),
      started_(std::exchange(other.started_, false)),
      missed_before_(other.missed_before_),
      errors_before_(other.errors_before_),
      no_buffer_before_(other.no_buffer_before_) {}

/// A device that is closed gives its interface back: AF_XDP's takes its program off.
Port::~Port() {
  if (share_ == nullptr) return;
  if (started_) {
    count();
    (void)rte_eth_dev_stop(id_);
  }
  (void)rte_eth_dev_close(id_);
  store(share_->state, PortState::absent);
}

Result<Port> Port::open(const PortPlan& plan, std::uint32_t workers, rte_mempool* buffers, PortShare& share) {
  const std::string device = plan.device.str();
  std::uint16_t id = 0;
  if (rte_eth_dev_get_port_by_name(name_of_device(device).c_str(), &id) != 0)
    return Error{"DPDK made no port of " + device, "see the log of astil-dpdk above this line"};
  Port port(id, share);
  if (auto started = port.start(plan, workers, buffers); started.has_error()) return started.error().within(device);
  if (auto met = port.meet_kernel(plan); met.has_error()) return met.error().within(device);
  store(share.state, PortState::open);
  return port;
}

Result<void> Port::start(const PortPlan& plan, std::uint32_t workers, rte_mempool* buffers) {
  rte_eth_dev_info info{};
  if (const int failed = rte_eth_dev_info_get(id_, &info); failed != 0) return device_error("look at it", failed);
  share_->driver.set(info.driver_name);
  if (info.max_tx_queues < workers) {
    return Error{
        "it has " + std::to_string(info.max_tx_queues) + " send queues for " + std::to_string(workers) + " workers",
        "give it more queues (qpairs= or queue_count=), or name fewer cores in dataplane.dpdk.cores"};
  }
  queues_ = std::min<std::uint32_t>(workers, info.max_rx_queues);
  rte_eth_conf configuration{};
  if (queues_ > 1) {
    configuration.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    configuration.rx_adv_conf.rss_conf.rss_hf =
        (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP) & info.flow_type_rss_offloads;
    if (configuration.rx_adv_conf.rss_conf.rss_hf == 0) configuration.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE;
  }
  if (const int failed = rte_eth_dev_configure(id_, static_cast<std::uint16_t>(queues_),
                                               static_cast<std::uint16_t>(workers), &configuration);
      failed != 0)
    return device_error("configure it", failed);
  std::uint16_t receive = kQueueLength;
  std::uint16_t send = kQueueLength;
  if (const int failed = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &receive, &send); failed != 0)
    return device_error("agree on the length of its queues", failed);
  for (std::uint16_t q = 0; q < queues_; ++q) {
    const int failed =
        rte_eth_rx_queue_setup(id_, q, receive, static_cast<unsigned>(rte_eth_dev_socket_id(id_)), nullptr, buffers);
    if (failed != 0) return device_error("make a receive queue", failed);
  }
  for (std::uint16_t q = 0; q < workers; ++q) {
    const int failed = rte_eth_tx_queue_setup(id_, q, send, static_cast<unsigned>(rte_eth_dev_socket_id(id_)), nullptr);
    if (failed != 0) return device_error("make a send queue", failed);
  }
  if (const int failed = rte_eth_dev_start(id_); failed != 0) {
    Error error = device_error("start it", failed);
    error.remedy = "see the log of astil-dpdk above this line";
    if (failed == -EBUSY && !taken_interface(plan.device.str()).empty())
      error.remedy = "another XDP program is on the interface: ip link show " + taken_interface(plan.device.str());
    return error;
  }
  started_ = true;
  // Frames for the addresses of virtual routers; not every device has to be told.
  (void)rte_eth_promiscuous_enable(id_);
  missed_before_ = share_->missed;
  errors_before_ = share_->errors;
  no_buffer_before_ = share_->no_buffer;
  (void)rte_eth_stats_reset(id_);
  return {};
}

bool Port::has_lost_interface(const PortPlan& plan) const {
  const std::string taken = taken_interface(plan.device.str());
  return ::if_nametoindex(plan.interface.str().c_str()) != ifindex_ ||
         (!taken.empty() && ::if_nametoindex(taken.c_str()) != taken_ifindex_);
}

Result<void> Port::meet_kernel(const PortPlan& plan) {
  const std::string interface = plan.interface.str();
  taken_ifindex_ = ::if_nametoindex(taken_interface(plan.device.str()).c_str());
  if (keeps_interface(plan.device.str(), interface)) {
    ifindex_ = ::if_nametoindex(interface.c_str());
    const std::string name = "astil-" + std::to_string(ifindex_);
    auto tap = open_tap(name, Stays::no);
    if (tap.has_error()) return tap.error();
    tap_ = std::move(*tap);
    return hand_over(::if_nametoindex(name.c_str()), ifindex_);
  }
  // astild makes it with its first plan, and notes it.
  if (::if_nametoindex(interface.c_str()) == 0)
    log::warning("tap device was gone, and is made anew", {{"interface", interface}, {"remedy", kLostAddresses}});
  auto tap = open_tap(interface, Stays::yes);
  if (tap.has_error()) return tap.error();
  tap_ = std::move(*tap);
  ifindex_ = ::if_nametoindex(interface.c_str());
  sends_for_kernel_ = true;
  rte_ether_addr address{};
  if (const int failed = rte_eth_macaddr_get(id_, &address); failed != 0)
    return device_error("ask for its MAC address", failed);
  return set_mac(interface, address.addr_bytes);
}

void Port::count() {
  rte_eth_stats stats{};
  if (rte_eth_stats_get(id_, &stats) != 0) return;
  store(share_->missed, missed_before_ + stats.imissed);
  store(share_->errors, errors_before_ + stats.ierrors);
  store(share_->no_buffer, no_buffer_before_ + stats.rx_nombuf);
}

}  // namespace astil::dpdk
