#include "dataplane/dpdk/app/engine.hpp"

#include <rte_launch.h>
#include <rte_lcore.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "control/base/log.hpp"
#include "dataplane/dpdk/app/eal.hpp"

namespace astil::dpdk {
namespace {

using namespace std::chrono_literals;

constexpr int kWait = 100;  // milliseconds
constexpr auto kBetweenLooks = 1s;

struct Work {
  Forwarder* forwarder;
  const std::atomic<bool>* stop;
};

int run_forwarder(void* argument) {
  const std::unique_ptr<Work> work(static_cast<Work*>(argument));
  work->forwarder->run(*work->stop);
  return 0;
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::start(const std::string& instance, const MappedShare& share,
                                              const NumberedPlan& plan) {
  std::unique_ptr<Engine> engine(new Engine(share, plan));
  if (auto started = start_eal(instance, plan.plan); started.has_error()) return started.error();
  if (auto opened = engine->open_ports(); opened.has_error()) return opened.error();
  if (auto started = engine->start_workers(); started.has_error()) return started.error();
  return engine;
}

Result<void> Engine::open_ports() {
  auto buffers = make_buffers(plan_.plan);
  if (buffers.has_error()) return buffers.error();
  buffers_ = *buffers;
  ports_.reserve(plan_.plan.ports);
  for (std::uint32_t i = 0; i < plan_.plan.ports; ++i) {
    if (share_->ports[i].interface != plan_.plan.port[i].interface) {  // another port was here before
      share_->ports[i] = {};
      std::fill(std::begin(share_->queues[i]), std::end(share_->queues[i]), QueueShare{});
      share_->ports[i].interface = plan_.plan.port[i].interface;
    }
    auto port = Port::open(plan_.plan.port[i], plan_.plan.workers, buffers_, share_->ports[i]);
    if (port.has_error()) return port.error();
    ports_.push_back(std::move(*port));
  }
  return {};
}

Result<void> Engine::start_workers() {
  auto waker = Waker::make();
  if (waker.has_error()) return waker.error();
  waker_ = std::move(*waker);
  for (std::uint32_t i = 0; i < plan_.plan.workers; ++i) {
    auto forwarder = Forwarder::make(i, share_, plan_.plan, ports_, buffers_, *waker_);
    if (forwarder.has_error()) return forwarder.error();
    forwarders_.push_back(std::move(*forwarder));
  }
  auto kernel = KernelSide::open(share_, ports_, forwarders_, buffers_, *waker_);
  if (kernel.has_error()) return kernel.error();
  kernel_ = std::move(*kernel);
  // From now on whoever changes the tables waits for the workers.
  __atomic_store_n(&share_->running_workers, plan_.plan.workers, __ATOMIC_SEQ_CST);
  if (auto followed = follow_tables(); followed.has_error()) return followed.error();
  follow_capture();
  for (std::uint32_t i = 0; i < plan_.plan.workers; ++i) {
    auto work = std::make_unique<Work>(Work{.forwarder = forwarders_[i].get(), .stop = &stop_});
    if (const int failed = rte_eal_remote_launch(run_forwarder, work.get(), i + 1); failed != 0)
      return Error{"start worker " + std::to_string(i) + ": " + rte_strerror(-failed), "see the log of astil-dpdk"};
    (void)work.release();
  }
  write_problem(*share_, {});
  const auto now = std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  __atomic_store_n(&share_->forwarding_since, static_cast<std::uint64_t>(now), __ATOMIC_RELAXED);
  __atomic_store_n(&share_->plan_in_force, plan_.number, __ATOMIC_RELEASE);
  return {};
}

Engine::~Engine() {
  stop_ = true;
  rte_eal_mp_wait_lcore();
  __atomic_store_n(&share_->running_workers, 0U, __ATOMIC_SEQ_CST);
}

/// Asks each of the workers.
bool Engine::all_of(bool (Forwarder::*has)()) {
  bool all = true;
  for (const auto& forwarder : forwarders_) all = (*forwarder.*has)() && all;
  return all;
}

/// By the share's number. Those that workers have left are unmapped.
Result<void> Engine::follow_tables() {
  const std::uint32_t wanted = __atomic_load_n(&share_->tables_number, __ATOMIC_ACQUIRE);
  if (wanted != tables_number_) {
    auto tables = dataplane::SharedTables::open(share_.tables(wanted));
    if (tables.has_error()) return tables.error();
    const auto place = tables_.insert_or_assign(wanted, std::move(*tables)).first;
    for (const auto& forwarder : forwarders_) forwarder->use(place->second, wanted);
    tables_number_ = wanted;
  }
  if (all_of(&Forwarder::has_left_tables))
    std::erase_if(tables_, [&](const auto& each) { return each.first != tables_number_; });
  return {};
}

/// What can not be followed is not taken up, and astild tells it to who asked for it. Captures that workers have left
/// are unmapped.
void Engine::follow_capture() {
  const std::uint32_t wanted = __atomic_load_n(&share_->capture_number, __ATOMIC_ACQUIRE);
  if (wanted != capture_number_) {
    capture_number_ = wanted;
    auto share = wanted == 0 ? Result<MappedCapture>(Error{}) : MappedCapture::open(share_.capture(wanted));
    if (wanted != 0 && share.has_error()) log::error("capture not taken up", {{"error", share.error().text()}});
    if (share.has_value()) {
      const auto place = captures_.insert_or_assign(wanted, Capturing{.share = std::move(*share), .sinks = {}}).first;
      Capturing& capturing = place->second;
      for (std::uint32_t i = 0; i < forwarders_.size(); ++i)
        capturing.sinks.emplace_back(capturing.share->filter, capturing.share->counts, capturing.share.ring(i));
    }
    for (std::size_t i = 0; i < forwarders_.size(); ++i) {
      const auto own = captures_.find(wanted);
      forwarders_[i]->capture(own == captures_.end() ? nullptr : &own->second.sinks[i], wanted);
    }
  }
  const std::uint32_t in_use = captures_.contains(capture_number_) ? capture_number_ : 0;
  if (all_of(&Forwarder::has_left_captures))
    std::erase_if(captures_, [&](const auto& each) { return each.first != in_use; });
}

/// Is an interface another one by now? A device that was made anew has to be opened anew.
bool Engine::has_lost_interface() const {
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    if (ports_[i].has_lost_interface(plan_.plan.port[i])) return true;
  }
  return false;
}

bool Engine::run() {
  kernel_->run(kWait);
  if (auto followed = follow_tables(); followed.has_error())
    log::error("new tables not taken", {{"error", followed.error().text()}});
  follow_capture();
  if (is_other_plan(*share_, plan_.number)) return false;
  if (std::chrono::steady_clock::now() - looked_ < kBetweenLooks) return true;
  looked_ = std::chrono::steady_clock::now();
  for (Port& port : ports_) port.count();
  return !has_lost_interface() && share_.is_current();
}

}  // namespace astil::dpdk
