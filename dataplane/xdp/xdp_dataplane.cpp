#include "dataplane/xdp/xdp_dataplane.hpp"

#include <bpf/bpf.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "dataplane/core/sources.hpp"
#include "dataplane/jiffies.hpp"
#include "dataplane/publisher.hpp"
#include "dataplane/xdp/pins.hpp"

namespace astil::xdp {
namespace {

Result<std::array<std::uint64_t, core::kHashKeys>> random_key() {
  std::array<std::uint64_t, core::kHashKeys> key{};
  if (::getrandom(key.data(), sizeof(key), 0) != static_cast<ssize_t>(sizeof(key)))
    return system_error("get random bytes", errno);
  return key;
}

std::filesystem::path instance_folder(const std::filesystem::path& bpffs, const std::string& instance) {
  return bpffs / "astil" / instance;
}

/// Why tables can not be taken over as they are; empty: they can.
std::string difference(const core::LayoutHeader& found, const Options& wanted) {
  if (found.layout_version != wanted.program.layout_version) {
    return "layout version " + std::to_string(found.layout_version) + " found, " +
           std::to_string(wanted.program.layout_version) + " wanted";
  }
  return found.sizes == wanted.sizes ? "" : "other table sizes wanted";
}

/// Does an attached program use these tables?
bool is_in_use(const PinnedTables& pinned, const std::vector<PinnedLink>& links) {
  return std::any_of(links.begin(), links.end(), [&](const PinnedLink& link) {
    return std::find_first_of(link.map_ids.begin(), link.map_ids.end(), pinned.map_ids.begin(), pinned.map_ids.end()) !=
           link.map_ids.end();
  });
}

/// Are these tables, which are in use, all there? Those of another layout may be other ones: whether they can be read
/// is asked later.
Result<void> check_whole(const PinnedTables& pinned) {
  const std::string remedy = "give up their flows: astil detach";
  const std::string who = "packets go by the tables in " + pinned.folder.string();
  const bool has_settings = pinned.header.magic == core::kLayoutMagic;
  const bool ours = has_settings && pinned.header.layout_version == core::kLayoutVersion;
  if (!pinned.missing.empty() && (ours || !has_settings))
    return Error{who + ", and the pins of these are gone: " + pinned.missing, remedy};
  if (!has_settings) return Error{who + ", which are not complete", remedy};
  return {};
}

/// Layout versions whose services, backends and flows this build can read. A version that changes one of their records
/// brings a reader for its predecessor.
bool is_readable(std::uint32_t version, const Program& program) {
  return version == program.layout_version || version == program.also_reads;
}

}  // namespace

XdpDataplane::XdpDataplane(Options options, GracePeriod grace, KernelObject object, MappedTables mapped)
    : options_(std::move(options)),
      grace_(std::move(grace)),
      object_(std::move(object)),
      mapped_(std::move(mapped)),
      programs_{.xdp = object_.program("astil_xdp"), .tc = [this] { return tc_program(); }},
      attachments_(folder(), programs_) {}

std::filesystem::path XdpDataplane::folder() const { return instance_folder(options_.bpffs, options_.instance); }

Result<std::unique_ptr<XdpDataplane>> XdpDataplane::open(const Options& asked) {
  try {
    return open_or_throw(asked);
  } catch (const std::bad_alloc&) {
    return Error{"open the packet path: not enough memory to carry its flows",
                 "lower dataplane.tables.flow_slots, or raise the memory limit of the daemon"};
  } catch (const std::runtime_error& error) {
    return Error{std::string("open the packet path: ") + error.what(), {}};
  }
}

/// What is changed on the way is put back where a later step fails: every change is held by an object that does so.
Result<std::unique_ptr<XdpDataplane>> XdpDataplane::open_or_throw(Options options) {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 1) return system_error("count the CPUs", -cpus);
  options.sizes.cpus = static_cast<std::uint32_t>(cpus);
  if (auto mounted = ensure_bpffs(options.bpffs); mounted.has_error()) return mounted.error();
  auto found = live_tables(instance_folder(options.bpffs, options.instance));
  if (found.has_error()) return found.error();
  std::vector<PinnedTables>& live = *found;
  // Source addresses of full NAT may have connections in places that are wanted no more.
  for (const PinnedTables& old : live)
    options.sizes.port_sources = std::max(options.sizes.port_sources, old.header.sizes.port_sources);
  const std::string differs = live.empty() ? "" : difference(live.back().header, options);
  const bool adoptable = !live.empty() && differs.empty();
  auto engine = adoptable ? adopt(options, live.back()) : make(options);
  if (engine.has_error()) return engine.error();
  if (!adoptable && !live.empty()) (*engine)->origin_ = {.kind = Origin::Kind::carried, .carried = {}, .why = differs};
  if (auto listening = (*engine)->listen(); listening.has_error()) return listening.error();
  if (adoptable) live.pop_back();
  // Where two know a flow, the first that brings it wins: begin with the newest.
  std::reverse(live.begin(), live.end());
  if (auto carried = (*engine)->replace(live); carried.has_error()) return carried.error();
  return engine;
}

/// The pinned tables that attached programs use, the oldest first. Others were made and never used, since their maker
/// was stopped: they are removed.
Result<std::vector<PinnedTables>> XdpDataplane::live_tables(const std::filesystem::path& folder) {
  auto links = pinned_links(folder);
  if (links.has_error()) return links.error();
  std::vector<PinnedTables> live;
  for (const auto& [number, path] : pinned_table_folders(folder)) {
    auto pinned = PinnedTables::open(path);
    if (pinned.has_error()) return pinned.error();
    if (!is_in_use(*pinned, *links)) {
      if (auto removed = remove_folder(path); removed.has_error()) return removed.error();
      continue;
    }
    if (auto whole = check_whole(*pinned); whole.has_error()) return whole.error();
    live.push_back(std::move(*pinned));
  }
  return live;
}

Result<std::unique_ptr<XdpDataplane>> XdpDataplane::adopt(const Options& options, const PinnedTables& live) {
  auto grace = GracePeriod::make();
  if (grace.has_error()) return grace.error();
  auto object = KernelObject::with_tables(options.program.object, live);
  if (object.has_error()) return object.error();
  auto mapped = live.map();
  if (mapped.has_error()) return mapped.error();
  std::unique_ptr<XdpDataplane> engine(
      new XdpDataplane(options, std::move(*grace), std::move(*object), std::move(*mapped)));
  engine->origin_.kind = Origin::Kind::adopted;
  engine->tables_folder_ = live.folder;
  return engine;
}

Result<std::unique_ptr<XdpDataplane>> XdpDataplane::make(const Options& options) {
  auto grace = GracePeriod::make();
  if (grace.has_error()) return grace.error();
  auto object = KernelObject::with_new_tables(options.program.object, options.sizes);
  if (object.has_error()) return object.error();
  auto mapped = object->map(options.sizes);
  if (mapped.has_error()) return mapped.error();
  auto key = random_key();
  if (key.has_error()) return key.error();
  dataplane::initialise(mapped->tables(), *key, dataplane::tick_multiplier_for(dataplane::kernel_hz()),
                        options.program.layout_version);
  std::unique_ptr<XdpDataplane> engine(
      new XdpDataplane(options, std::move(*grace), std::move(*object), std::move(*mapped)));
  const auto others = pinned_table_folders(engine->folder());
  const std::uint32_t number = others.empty() ? 0 : others.back().first + 1;
  const auto folder = engine->folder() / ("tables-" + std::to_string(number));
  engine->pins_ = NewPins(folder);
  engine->tables_folder_ = folder;
  if (auto pinned = engine->object_.pin_tables(folder); pinned.has_error()) return pinned.error();
  return engine;
}

/// Takes the place of the tables that run, and of their program: carries what they know, changes the links over,
/// carries what changed meanwhile. With none: only the links.
Result<void> XdpDataplane::replace(const std::vector<PinnedTables>& live) {
  std::optional<RingOnly> alike;
  if (!live.empty()) alike.emplace(tables(), core::kNew);
  std::vector<std::unique_ptr<Predecessor>> predecessors;
  for (const PinnedTables& old : live) {
    auto predecessor = carry_services(old);
    if (predecessor.has_error()) return predecessor.error();
    (*predecessor)->flows.carry(tick());
    predecessors.push_back(std::move(*predecessor));
  }
  // Of a connection that has a port here and not there, packets are lost until it is carried: as few as can be.
  const auto carry_ports = [&] {
    for (const auto& predecessor : predecessors) predecessor->ports.carry();
  };
  carry_ports();
  MovedLinks moved(programs_, folder(), pins_);
  if (auto taken = take_over_links(moved); taken.has_error()) return taken.error();
  carry_ports();
  wait_for_readers();
  carry_ports();
  for (const auto& predecessor : predecessors) {
    predecessor->flows.carry(tick());
    origin_.carried.push_back(predecessor->flows.carried());
    dataplane::carry_counters(predecessor->tables.tables(), tables());
  }
  for (PinnedLink& link : moved.keep()) attachments_.take_over(std::move(link));
  pins_.keep();
  // No packet meets the old tables any more. What can not be removed now, the next `open` will remove.
  for (const PinnedTables& old : live) (void)remove_folder(old.folder);
  if (live.empty()) RingOnly::set(tables(), core::kAlone);  // an earlier daemon may have been killed before it did so
  return {};
}

/// Makes new tables hold what others hold, but for the flows; from now on both choose alike (LayoutHeader::ring_only).
Result<std::unique_ptr<Predecessor>> XdpDataplane::carry_services(const PinnedTables& old) {
  if (!is_readable(old.header.layout_version, options_.program)) {
    return Error{"the running packet path has layout version " + std::to_string(old.header.layout_version) +
                     ", whose flows this version can not read",
                 "start the version that made it, or give up the flows: astil detach"};
  }
  auto from = old.map();
  if (from.has_error()) return from.error();
  core::Settings& ours = tables().settings();
  if (ours.active == core::kNoGeneration) {
    const core::Settings& theirs = from->tables().settings();
    std::copy(std::begin(theirs.hash_key), std::end(theirs.hash_key), ours.hash_key);
    dataplane::Publisher publisher(*this);
    if (auto published = publisher.publish(dataplane::read_state(from->tables())); published.has_error()) {
      return published.error().within("carry services to new tables");
    }
  }
  auto predecessor = std::make_unique<Predecessor>(std::move(*from), tables());
  wait_for_readers();
  return predecessor;
}

Result<void> XdpDataplane::take_over_links(MovedLinks& moved) const {
  auto links = pinned_links(folder());
  if (links.has_error()) return links.error();
  for (PinnedLink& link : *links) {
    if (link.is_gone()) {
      (void)remove_pin(link);  // the next `open` tries again
      continue;
    }
    if (auto done = moved.move(std::move(link)); done.has_error()) return done.error();
  }
  return {};
}

/// Over the same maps, the rings of what it tells included.
Result<int> XdpDataplane::tc_program() {
  if (!tc_object_) {
    auto loaded = KernelObject::beside(options_.program.tc_object, object_);
    if (loaded.has_error()) return loaded.error();
    tc_object_.emplace(std::move(*loaded));
  }
  return tc_object_->program("astil_tc");
}

Result<void> XdpDataplane::listen() {
  constexpr int kEnoughForNow = -1;
  const auto neighbour = [](void* self, void* record, std::size_t size) {
    auto& engine = *static_cast<XdpDataplane*>(self);
    if (size >= sizeof(core::NeighbourWanted) && engine.take_ != nullptr)
      engine.take_->neighbour(*static_cast<const core::NeighbourWanted*>(record));
    return ++engine.taken_ == kEventsAtOnce ? kEnoughForNow : 0;
  };
  const auto fragment = [](void* self, void* record, std::size_t size) {
    auto& engine = *static_cast<XdpDataplane*>(self);
    const auto& held = *static_cast<const core::HeldFragment*>(record);
    if (size >= sizeof(held) && held.length <= sizeof(held.frame) && engine.take_ != nullptr)
      engine.take_->fragment(held.interface, std::as_bytes(std::span(held.frame).first(held.length)));
    return ++engine.taken_ == kEventsAtOnce ? kEnoughForNow : 0;
  };
  const auto drop = [](void* self, void* record, std::size_t size) {
    auto& engine = *static_cast<XdpDataplane*>(self);
    if (size >= sizeof(core::DropEvent) && engine.take_ != nullptr)
      engine.take_->drop(*static_cast<const core::DropEvent*>(record));
    return ++engine.taken_ == kEventsAtOnce ? kEnoughForNow : 0;
  };
  ring_.reset(ring_buffer__new(object_.map_descriptor("events"), neighbour, this, nullptr));
  if (!ring_ || ring_buffer__add(ring_.get(), object_.map_descriptor("held_fragments"), fragment, this) != 0 ||
      ring_buffer__add(ring_.get(), object_.map_descriptor("drop_events"), drop, this) != 0)
    return system_error("listen to the packet path", errno);
  // A daemon that was killed may have left its followers behind.
  __atomic_store_n(&tables().settings().shared.drop_followers, 0U, __ATOMIC_RELAXED);
  return {};
}

void XdpDataplane::wait_for_readers() {
  if (auto waited = grace_.wait(); waited.has_error()) throw std::runtime_error(waited.error().text());
}

std::uint32_t XdpDataplane::tick() const {
  return static_cast<std::uint32_t>((dataplane::jiffies_now() * tables().settings().tick_multiplier) >> 32U);
}

std::uint32_t XdpDataplane::fine_tick() const {
  return static_cast<std::uint32_t>((dataplane::jiffies_now() * tables().settings().tick_multiplier) >>
                                    core::kFineShift);
}

std::uint64_t XdpDataplane::source_clock() const {
  return (dataplane::jiffies_now() * tables().settings().tick_multiplier) >> core::kSourceClockShift;
}

Result<dataplane::Attachment> XdpDataplane::attach(std::uint32_t ifindex, dataplane::Hook hook) {
  return attachments_.attach(ifindex, hook);
}

Result<void> XdpDataplane::detach(std::uint32_t ifindex) { return attachments_.detach(ifindex); }

std::vector<dataplane::Attachment> XdpDataplane::attachments() const { return attachments_.list(); }

/// A BPF file system that was unmounted took all pins along.
std::vector<dataplane::Repair> XdpDataplane::mend() {
  using dataplane::Repaired;
  std::vector<dataplane::Repair> repairs;
  if (auto mounted = ensure_bpffs(options_.bpffs); mounted.has_error())
    repairs.push_back({.kind = Repaired::pin, .what = "pins", .failure = mounted.error().text()});
  const auto pinned = object_.mend_pins(tables_folder_);
  if (pinned.has_error()) {
    repairs.push_back({.kind = Repaired::pin, .what = "pins of tables", .failure = pinned.error().text()});
  } else if (!pinned->empty()) {
    repairs.push_back({.kind = Repaired::pin,
                       .what = "somebody else had removed the pins of " + std::to_string(pinned->size()) +
                               " tables, the first that of " + pinned->front(),
                       .failure = {}});
  }
  for (dataplane::Repair& repair : attachments_.mend()) repairs.push_back(std::move(repair));
  return repairs;
}

int XdpDataplane::event_descriptor() const { return ring_buffer__epoll_fd(ring_.get()); }

void XdpDataplane::take_events(const dataplane::EventTaker& take) {
  take_ = &take;
  taken_ = 0;
  ring_buffer__consume(ring_.get());
  take_ = nullptr;
  if (capture_) capture_->take(kEventsAtOnce);
}

/// A frame for the tc hook comes in past XDP, by a program that lets all pass.
Result<void> XdpDataplane::inject(std::uint32_t ifindex, std::span<const std::byte> frame) {
  xdp_md context{};
  context.data_end = static_cast<std::uint32_t>(frame.size());
  context.ingress_ifindex = ifindex;
  LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame.data(), .data_size_in = static_cast<std::uint32_t>(frame.size()),
              .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
              .batch_size = 1);
  const int attached = capture_ ? capture_->programs().xdp : program_descriptor();
  const int program = attachments_.is_tc(ifindex) ? object_.program("astil_let_pass") : attached;
  if (::bpf_prog_test_run_opts(program, &run) != 0) return system_error("give a frame to the packet path", errno);
  return {};
}

/// What is captured makes the descriptor of events readable, too.
Result<void> XdpDataplane::start_capture(const core::CaptureFilter& filter, const dataplane::CaptureTaker& take) {
  if (capture_) return Error{"a capture runs already", {}};
  auto loaded = Capture::load(options_.program, object_, take);
  if (loaded.has_error()) return loaded.error().within("start a capture");
  const std::unique_ptr<Capture>& capture = *loaded;
  if (auto set = capture->want(filter); set.has_error()) return set.error();
  epoll_event event{.events = EPOLLIN, .data = {}};
  if (::epoll_ctl(event_descriptor(), EPOLL_CTL_ADD, capture->descriptor(), &event) != 0)
    return system_error("listen to the capture", errno);
  if (auto changed = attachments_.change_to(capture->programs()); changed.has_error())
    return changed.error().within("start a capture");
  capture_ = std::move(*loaded);
  return {};
}

void XdpDataplane::change_capture(const core::CaptureFilter& filter) {
  if (capture_) (void)capture_->want(filter);
}

Result<core::CaptureCounts> XdpDataplane::stop_capture() {
  if (!capture_) return core::CaptureCounts{};
  const std::unique_ptr<Capture> capture = std::move(capture_);
  core::CaptureFilter nothing{};
  nothing.by_backend = 1;  // and there are none
  (void)capture->want(nothing);
  auto returned = attachments_.return_to(programs_);
  (void)grace_.wait();  // for packets under way, which may still be captured
  capture->take_all();
  if (returned.has_error()) return returned.error().within("end a capture");
  return capture->counts();
}

bool is_running(const std::string& instance, const std::filesystem::path& bpffs) {
  const auto links = pinned_links(instance_folder(bpffs, instance));
  return links.has_value() &&
         std::any_of(links->begin(), links->end(), [](const PinnedLink& link) { return !link.is_gone(); });
}

std::vector<core::Address> pinned_services(const std::string& instance, const std::filesystem::path& bpffs) {
  std::vector<core::Address> addresses;
  for (const auto& [number, path] : pinned_table_folders(instance_folder(bpffs, instance))) {
    auto pinned = PinnedTables::open(path);
    if (pinned.has_error() || pinned->header.magic != core::kLayoutMagic ||
        pinned->header.layout_version != core::kLayoutVersion)
      continue;
    auto mapped = pinned->map();
    if (mapped.has_error()) continue;
    const auto own = dataplane::own_addresses(dataplane::read_state(mapped->tables()));
    addresses.insert(addresses.end(), own.begin(), own.end());
  }
  return addresses;
}

Result<std::size_t> remove_instance(const std::string& instance, const std::filesystem::path& bpffs) {
  const std::filesystem::path folder = instance_folder(bpffs, instance);
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) return std::size_t{0};
  libbpf_set_print(nullptr);
  auto links = pinned_links(folder);
  if (links.has_error()) return links.error();
  for (const PinnedLink& link : *links) {
    if (auto removed = remove_pin(link); removed.has_error()) return removed.error();
  }
  for (const auto& [number, path] : pinned_table_folders(folder)) {
    if (auto removed = remove_folder(path); removed.has_error()) return removed.error();
  }
  if (auto removed = remove_folder(folder); removed.has_error()) return removed.error();
  return links->size();
}

}  // namespace astil::xdp
