#include "dataplane/dpdk/dpdk_dataplane.hpp"

#include <net/if.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <new>
#include <stdexcept>

#include "dataplane/dpdk/await.hpp"
#include "dataplane/dpdk/device.hpp"
#include "dataplane/dpdk/fence.hpp"
#include "dataplane/dpdk/noted.hpp"
#include "dataplane/jiffies.hpp"
#include "dataplane/publisher.hpp"
#include "dataplane/succession.hpp"

namespace astil::dpdk {
namespace {

using namespace std::chrono_literals;

/// A worker is done with a burst in microseconds, and a process that ends with its ports in less than a second.
constexpr auto kLongestTurn = 2s;
constexpr auto kStandsStill = 1s;
/// A capture is begun and ended while others wait for the daemon.
constexpr auto kLongestCaptureChange = 2s;
constexpr std::size_t kEventsAtOnce = 256;

Result<std::array<std::uint64_t, core::kHashKeys>> random_key() {
  std::array<std::uint64_t, core::kHashKeys> key{};
  if (::getrandom(key.data(), sizeof(key), 0) != static_cast<ssize_t>(sizeof(key)))
    return system_error("get random bytes", errno);
  return key;
}

}  // namespace

Result<std::unique_ptr<DpdkDataplane>> DpdkDataplane::open(Options options) {
  try {
    return open_or_throw(std::move(options));
  } catch (const std::bad_alloc&) {
    return Error{"open the packet path: not enough memory to carry its flows",
                 "lower dataplane.tables.flow_slots, or raise the memory limit of the daemon"};
  } catch (const std::runtime_error& error) {
    return Error{std::string("open the packet path: ") + error.what(), {}};
  }
}

Result<std::unique_ptr<DpdkDataplane>> DpdkDataplane::open_or_throw(Options options) {
  options.sizes.cpus = kMostWorkers;
  auto share = MappedShare::make(options.instance);
  if (share.has_error()) return share.error();
  std::unique_ptr<DpdkDataplane> engine(new DpdkDataplane(std::move(options), std::move(*share)));
  engine->share_->network = own_network();
  auto events = listen_at(engine->share_.folder() / "events");
  if (events.has_error()) return events.error();
  engine->events_ = std::move(*events);
  auto sender = open_sender();
  if (sender.has_error()) return sender.error();
  engine->sender_ = std::move(*sender);
  if (auto opened = engine->open_tables(); opened.has_error()) return opened.error();
  // A daemon that was killed may have left its followers behind, and a capture.
  __atomic_store_n(&engine->tables().settings().shared.drop_followers, 0U, __ATOMIC_RELAXED);
  const std::uint32_t left = engine->share_->capture_number;
  (void)engine->have_workers_capture(0);
  std::error_code ignored;
  if (left != 0) std::filesystem::remove(engine->share_.capture(left), ignored);
  engine->rest_or_ring();
  return engine;
}

Result<void> DpdkDataplane::open_tables() {
  const std::uint32_t number = share_->tables_number;
  if (number == 0) {
    auto made = make_tables(1);
    if (made.has_error()) return made.error();
    tables_.emplace(std::move(*made));
    switch_to_tables(1);
    return {};
  }
  auto found = dataplane::SharedTables::open(share_.tables(number));
  if (found.has_error()) {
    Error error = found.error().within("take over the running packet path");
    error.remedy = "start the version that made it, or give up the flows: astil detach";
    return error;
  }
  const core::Sizes& sizes = found->tables().sizes;
  options_.sizes.port_sources = std::max(options_.sizes.port_sources, sizes.port_sources);
  if (!(sizes == options_.sizes)) return carry_tables(std::move(*found), "other table sizes wanted");
  tables_.emplace(std::move(*found));
  origin_.kind = dataplane::Origin::Kind::adopted;
  core::Settings& settings = tables_->tables().settings();
  // An earlier daemon may have been killed while it carried.
  __atomic_store_n(&settings.header.ring_only, std::uint32_t{core::kAlone}, __ATOMIC_RELAXED);
  return {};
}

Result<dataplane::SharedTables> DpdkDataplane::make_tables(std::uint32_t number) {
  auto key = random_key();
  if (key.has_error()) return key.error();
  return dataplane::SharedTables::make(share_.tables(number), options_.sizes, *key,
                                       dataplane::tick_multiplier_for(dataplane::kernel_hz()));
}

Result<void> DpdkDataplane::carry_tables(dataplane::SharedTables from, const std::string& why) {
  const std::uint32_t old = share_->tables_number;
  // Not one that an attempt had that failed: a process that was stopped with those open would take them for these.
  std::uint32_t number = old + 1;
  while (std::filesystem::exists(share_.tables(number))) ++number;
  auto made = make_tables(number);
  if (made.has_error()) return made.error();
  tables_.emplace(std::move(*made));
  auto succession = dataplane::Succession::begin(from.tables(), *this);
  if (succession.has_error()) {
    std::error_code ignored;
    std::filesystem::remove(share_.tables(number), ignored);
    return succession.error();
  }
  switch_to_tables(number);
  (*succession)->carry_ports();
  origin_ = {.kind = dataplane::Origin::Kind::carried, .carried = {(*succession)->finish()}, .why = why};
  std::error_code ignored;
  for (std::uint32_t each = old; each < number; ++each) std::filesystem::remove(share_.tables(each), ignored);
  return {};
}

/// Returns when no worker looks at others any more. Throws std::runtime_error where one does not go over: then those
/// before are in force again.
void DpdkDataplane::switch_to_tables(std::uint32_t number) {
  const std::uint32_t before = share_->tables_number;
  __atomic_store_n(&share_->tables_number, number, __ATOMIC_RELEASE);
  wake();
  const Awaited switched = await(share_.folder(), kLongestTurn, [&] {
    const std::uint32_t workers = workers_of(*share_);
    return std::all_of(share_->workers, share_->workers + workers,
                       [&](const WorkerShare& worker) { return load(worker.tables) == number; });
  });
  if (switched != Awaited::late) return;
  __atomic_store_n(&share_->tables_number, before, __ATOMIC_RELEASE);
  throw std::runtime_error("a worker of astil-dpdk does not go over to new tables; is it stopped?");
}

void DpdkDataplane::wait_for_readers() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  const std::uint32_t workers = workers_of(*share_);
  for (std::uint32_t i = 0; i < workers; ++i) {
    const std::uint64_t turn = load(share_->workers[i].turn);
    if (turn % 2 == 0) continue;
    if (await(share_.folder(), kLongestTurn, [&] { return load(share_->workers[i].turn) != turn; }) == Awaited::late)
      throw std::runtime_error("worker " + std::to_string(i) + " of astil-dpdk stands still");
  }
}

Result<void> DpdkDataplane::check_readers() {
  try {
    wait_for_readers();
  } catch (const std::runtime_error& error) {
    return Error{error.what(), "nothing was changed; continue it or end it, its supervisor starts it again"};
  }
  return {};
}

std::vector<dataplane::Repair> DpdkDataplane::mend() {
  looked_ = std::chrono::steady_clock::now();
  pulses_.resize(is_engine_running(share_.folder()) ? workers_of(*share_) : 0, Pulse{.polls = 0, .since = looked_});
  for (std::size_t i = 0; i < pulses_.size(); ++i) {
    const std::uint64_t polls = load(share_->workers[i].polls);
    if (polls != pulses_[i].polls) pulses_[i] = {.polls = polls, .since = looked_};
  }
  return {};
}

/// As of the last look: one that is overdue says something of this process, and nothing of the workers.
std::optional<std::uint32_t> DpdkDataplane::standing_still() const {
  const auto found = std::find_if(pulses_.begin(), pulses_.end(),
                                  [&](const Pulse& pulse) { return looked_ - pulse.since >= kStandsStill; });
  if (found == pulses_.end()) return std::nullopt;
  return static_cast<std::uint32_t>(found - pulses_.begin());
}

std::uint32_t DpdkDataplane::tick() const {
  return static_cast<std::uint32_t>((dataplane::jiffies_now() * tables().settings().tick_multiplier) >> 32U);
}

std::uint32_t DpdkDataplane::fine_tick() const {
  return static_cast<std::uint32_t>((dataplane::jiffies_now() * tables().settings().tick_multiplier) >>
                                    core::kFineShift);
}

std::uint64_t DpdkDataplane::source_clock() const {
  return (dataplane::jiffies_now() * tables().settings().tick_multiplier) >> core::kSourceClockShift;
}

void DpdkDataplane::wake() { (void)ring(sender_, share_.folder() / "frames"); }

void DpdkDataplane::write(Plan plan) {
  plan = driven(plan);
  if (plan == share_->plan && share_->plan_number % 2 == 0) return;
  write_plan(*share_, plan);
  wake();
}

/// The same ports, driven as is wanted now.
Plan DpdkDataplane::driven(Plan plan) const {
  const Drive& drive = options_.drive;
  plan.burst = drive.burst;
  plan.idle_sleep = drive.idle_sleep;
  plan.memory = drive.memory;
  plan.huge_pages = drive.huge_pages ? 1 : 0;
  plan.workers = std::max<std::uint32_t>(static_cast<std::uint32_t>(drive.cores.size()), 1);
  std::fill(std::begin(plan.cores), std::end(plan.cores), kAnyCore);
  std::copy(drive.cores.begin(), drive.cores.end(), std::begin(plan.cores));
  return plan;
}

bool DpdkDataplane::has_device(std::uint32_t ifindex) const {
  return options_.drive.devices.contains(name_of(ifindex));
}

Result<void> DpdkDataplane::raise_fences() {
  for (const auto& [interface, device] : options_.drive.devices) {
    if (auto fenced = fence(*share_, device, options_.instance); fenced.has_error()) return fenced.error();
  }
  return {};
}

void DpdkDataplane::keep_drive() {
  const Plan& plan = share_->plan;
  options_.drive = {.burst = plan.burst,
                    .idle_sleep = plan.idle_sleep,
                    .memory = plan.memory,
                    .huge_pages = plan.huge_pages != 0,
                    .cores = {},
                    .devices = {}};
  if (plan.cores[0] != kAnyCore) options_.drive.cores.assign(plan.cores, plan.cores + plan.workers);
  for (std::uint32_t i = 0; i < plan.ports; ++i)
    options_.drive.devices.emplace(plan.port[i].interface.str(), plan.port[i].device.str());
}

Result<dataplane::Attachment> DpdkDataplane::attach(std::uint32_t ifindex, dataplane::Hook /*hook*/) {
  const std::string name = name_of(ifindex);
  const auto device = options_.drive.devices.find(name);
  if (device == options_.drive.devices.end())
    return Error{"interface " + name + " has no device", "name it in dataplane.dpdk.ports"};
  if (auto fenced = fence(*share_, device->second, options_.instance); fenced.has_error()) return fenced.error();
  PortPlan wanted{};
  wanted.interface.set(name);
  wanted.device.set(device->second);
  Plan plan = share_->plan;
  const auto end = plan.port + plan.ports;
  const auto same = std::find_if(plan.port, end, [&](const PortPlan& p) { return p.interface == wanted.interface; });
  if (same == end) {
    if (plan.ports == kMostPorts) return Error{"there are " + std::to_string(kMostPorts) + " ports already", {}};
    ++plan.ports;
  } else if (taken_interface(same->device.str()) != taken_interface(device->second)) {
    take_fence_away(*share_, *same);
  }
  *same = wanted;
  write(plan);
  return dataplane::Attachment{.ifindex = ifindex, .hook = "dpdk", .why = device->second};
}

Result<void> DpdkDataplane::detach(std::uint32_t ifindex) {
  const std::string name = name_of(ifindex);
  Plan plan = share_->plan;
  const auto end = plan.port + plan.ports;
  const auto gone = std::find_if(plan.port, end, [&](const PortPlan& port) { return port.interface.str() == name; });
  if (gone == end) return {};
  const PortPlan port = *gone;
  const Plan before = plan;
  std::copy(gone + 1, end, gone);
  plan.port[--plan.ports] = {};
  if (auto released = release_to(plan, before); released.has_error()) return released.error();
  take_fence_away(*share_, port);
  return {};
}

std::vector<dataplane::Attachment> DpdkDataplane::attachments() const {
  std::vector<dataplane::Attachment> all;
  const Plan& plan = share_->plan;
  for (std::uint32_t i = 0; i < plan.ports; ++i) {
    const std::uint32_t ifindex = ::if_nametoindex(plan.port[i].interface.bytes);
    if (ifindex != 0) all.push_back({.ifindex = ifindex, .hook = "dpdk", .why = plan.port[i].device.str()});
  }
  return all;
}

/// A plan with fewer ports; where astil-dpdk does not follow it, the one before is there again.
Result<void> DpdkDataplane::release_to(const Plan& plan, const Plan& before) {
  write(plan);
  const std::uint32_t number = share_->plan_number;
  if (await(share_.folder(), kLongestRelease, [&] { return load(share_->plan_in_force) == number; }) != Awaited::late)
    return {};
  write(before);
  return Error{"astil-dpdk does not give up its ports", "is it stopped? its log: journalctl -u 'astil-dpdk@*'"};
}

Result<void> DpdkDataplane::release() {
  const Plan before = share_->plan;
  if (auto released = release_to(Plan{}, before); released.has_error()) return released.error();
  for (const Noted& fenced : share_->fences) {
    const std::uint32_t ifindex = ::if_nametoindex(name_now(fenced).c_str());
    if (ifindex != 0) (void)remove_socket_program(ifindex);
  }
  return {};
}

void DpdkDataplane::take_message(std::span<const std::byte> message, const dataplane::EventTaker& take) const {
  MessageHeader header{};
  if (message.size() < sizeof(header)) return;
  std::memcpy(&header, message.data(), sizeof(header));
  const auto rest = message.subspan(sizeof(header));
  if (header.kind == MessageKind::fragment) take.fragment(header.interface, rest);
  if (header.kind != MessageKind::drop || rest.size() != sizeof(core::DropEvent)) return;
  core::DropEvent drop{};
  std::memcpy(&drop, rest.data(), sizeof(drop));
  take.drop(drop);
}

void DpdkDataplane::take_events(const dataplane::EventTaker& take) {
  silence(events_);
  RecordRing events = share_.events();
  for (std::size_t taken = 0; taken < kEventsAtOnce && !events.empty(); ++taken) {
    take_message(events.front(), take);
    events.drop();
  }
  if (capture_) capture_->take(kEventsAtOnce);
  rest_or_ring();
}

/// Where there is something left to take, the descriptor is readable; else astil-dpdk makes it so.
void DpdkDataplane::rest_or_ring() {
  const auto is_done = [&] { return share_.events().empty() && (!capture_ || capture_->empty()); };
  if (is_done()) {
    __atomic_store_n(&share_->sleeps, 1U, __ATOMIC_SEQ_CST);
    if (is_done()) return;
    __atomic_store_n(&share_->sleeps, 0U, __ATOMIC_RELAXED);
  }
  (void)ring(sender_, share_.folder() / "events");
}

Result<void> DpdkDataplane::inject(std::uint32_t ifindex, std::span<const std::byte> frame) {
  const MessageHeader header{.kind = MessageKind::frame, .interface = ifindex};
  if (!is_engine_running(share_.folder()))
    return Error{"give a frame to astil-dpdk: it does not run", "start it: systemctl start 'astil-dpdk@*'"};
  RecordRing frames = share_.frames();
  const std::span<std::byte> place = frames.reserve(sizeof(header) + frame.size());
  if (place.data() == nullptr) return Error{"give a frame to astil-dpdk: it is behind", {}};
  std::memcpy(place.data(), &header, sizeof(header));
  std::memcpy(place.data() + sizeof(header), frame.data(), frame.size());
  frames.publish(place.size());
  wake();
  return {};
}

/// False: one does not look at the plan any more.
bool DpdkDataplane::have_workers_capture(std::uint32_t number) {
  __atomic_store_n(&share_->capture_number, number, __ATOMIC_RELEASE);
  wake();
  const auto all_do = [&] {
    return std::all_of(share_->workers, share_->workers + workers_of(*share_),
                       [&](const WorkerShare& worker) { return load(worker.capture) == number; });
  };
  return await(share_.folder(), kLongestCaptureChange, all_do) != Awaited::late;
}

Result<void> DpdkDataplane::start_capture(const core::CaptureFilter& filter, const dataplane::CaptureTaker& take) {
  if (capture_) return Error{"a capture runs already", {}};
  const std::uint32_t number = std::max<std::uint32_t>(share_->last_capture + 1, 1);
  share_->last_capture = number;
  auto capture = Capture::make(share_.capture(number), share_->plan.workers, filter, take);
  if (capture.has_error()) return capture.error().within("start a capture");
  if (!have_workers_capture(number)) {
    (void)have_workers_capture(0);
    return Error{"start a capture: a worker of astil-dpdk does not take it up",
                 "is it stopped? its log: journalctl -u 'astil-dpdk@*'"};
  }
  capture_.emplace(std::move(*capture));
  return {};
}

void DpdkDataplane::change_capture(const core::CaptureFilter& filter) {
  if (capture_) capture_->want(filter);
}

Result<core::CaptureCounts> DpdkDataplane::stop_capture() {
  if (!capture_) return core::CaptureCounts{};
  Capture capture = std::move(*capture_);
  capture_.reset();
  const bool stopped = have_workers_capture(0);
  capture.take(std::numeric_limits<std::size_t>::max());
  if (!stopped)
    return Error{"end a capture: a worker of astil-dpdk stands still",
                 "is it stopped? its log: journalctl -u 'astil-dpdk@*'"};
  return capture.counts();
}

bool DpdkDataplane::is_dead() const { return !is_engine_running(share_.folder()) || standing_still(); }

std::optional<std::chrono::steady_clock::time_point> DpdkDataplane::forwarding_since() const {
  if (share_->plan.ports == 0 || load(share_->plan_in_force) != share_->plan_number || is_dead()) return std::nullopt;
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(load(share_->forwarding_since)));
}

}  // namespace astil::dpdk
