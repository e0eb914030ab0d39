#include "control/app/daemon.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <new>

#include "control/base/log.hpp"
#include "dataplane/native/native_engine.hpp"

namespace astil::app {
namespace {

/// How long the first publication waits for health and next hops. What is not known by then counts as it was, or as
/// down.
constexpr std::chrono::milliseconds kSettleLimit{800};

/// The packet path can ask for a neighbour with every packet; the kernel is asked for each once in this time, and for
/// so many at most.
constexpr std::chrono::milliseconds kResolveInterval{100};
constexpr std::size_t kResolvesAtOnce = 256;

/// As core::DropEvent::time has it.
std::uint64_t monotonic_now() {
  return static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
}

}  // namespace

Daemon::Daemon(boost::asio::io_context& loop, DaemonOptions options, config::Model model,
               std::function<void()> on_ready)
    : loop_(loop),
      options_(std::move(options)),
      configured_(std::move(model)),
      model_(configured_),
      on_ready_(std::move(on_ready)),
      started_at_(std::chrono::system_clock::now()),
      orders_(options_.state_directory + "/" + model_.instance + ".orders"),
      prober_(loop, [this] { return std::uniform_int_distribution<std::uint16_t>()(random_); }),
      alarm_(loop),
      random_(std::random_device{}()),
      site_orders_(options_.state_directory + "/" + model_.instance + ".sites"),
      settle_timer_(loop),
      retry_alarm_(loop),
      retry_(retry_alarm_, [this] { follow(); }) {
  config_view_.file = options_.config_file;
}

Daemon::~Daemon() {
  capture_feed_.end("the daemon ended");
  stop_watching_events();
}

Result<std::unique_ptr<Daemon>> Daemon::start(boost::asio::io_context& loop, const DaemonOptions& options,
                                              config::Model model, std::function<void()> on_ready) {
  std::unique_ptr<Daemon> daemon(new Daemon(loop, options, std::move(model), std::move(on_ready)));
  if (auto opened = daemon->open(); opened.has_error()) return opened.error();
  return daemon;
}

Result<void> Daemon::open() {
  auto lock = InstanceLock::take(model_.instance, model_.socket);
  if (lock.has_error()) return lock.error();
  lock_ = std::move(*lock);
  recall_events();
  history_.emplace(loop_, history_alarm_, options_.state_directory + "/" + model_.instance + ".history");
  choose_start();
  discoveries_.emplace(loop_, options_.state_directory + "/" + model_.instance + ".found", discovery::look_up,
                       [this](const std::string& service) { return on_found(service); });
  follow_first_sources();
  model_ = with_found(configured_);
  if (auto made = make_interfaces(model_); made.has_error()) return made.error();
  auto network = net::Network::open(
      loop_, {.on_link_change =
                  [this](const std::string& /*interface*/) {
                    if (network_) note_interfaces();
                    request_reconcile();
                  },
              .on_next_hop_change = [this](const config::address& host) { on_next_hop_change(host); },
              .on_address_lost = [this](const std::string& /*interface*/,
                                        const net::InterfaceAddress& lost) { on_address_lost(lost); }});
  if (network.has_error()) return network.error();
  network_ = std::move(*network);
  addresses_.emplace(*network_);
  pair_.emplace(loop_, model_.instance, [this] {
    path_->sync().set_active(pair_->is_active());
    note_pair();
  });
  tell_digest();
  if (auto checked = check_first_interfaces(); checked.has_error()) return checked.error();

  api::ServerOptions server{.socket = model_.socket, .tcp = {}, .remote = {}};
  if (model_.metrics)
    server.tcp = {.address = model_.metrics->host, .port = static_cast<std::uint16_t>(model_.metrics->port)};
  if (const auto& remote = model_.remote) {
    server.remote = {
        .endpoint = {.address = remote->listen.host, .port = static_cast<std::uint16_t>(remote->listen.port)},
        .files = {.certificate = remote->certificate, .key = remote->key, .tokens = remote->tokens}};
  }
  auto listening = api::Server::start(loop_, *this, server);
  if (listening.has_error()) return listening.error();
  server_ = std::move(*listening);
  if (auto opened = open_packet_path(); opened.has_error()) return opened.error();
  checks_.emplace(
      prober_, alarm_, hold_alarm_, [this] { return std::uniform_real_distribution<double>()(random_); },
      [this](const health::TargetKey& key, const health::State& state) { on_health_change(key, state); });
  checks_->mind([this](health::Clock::time_point started) {
    const auto since = path_->engine().forwarding_since();
    return !since || *since > started;
  });
  xdp::remove_probe_filters(model_.instance);  // of a daemon that was killed
  follow_model();
  if (auto serving = name_server_.follow(model_, site_facts()); serving.has_error()) return serving.error();
  learn_of_sites();
  watch_events();
  watch();
  await_settling();
  return {};
}

Result<void> Daemon::open_packet_path() {
  auto path = PacketPath::open(loop_, engine_options(model_, options_.program));
  if (path.has_error()) return path.error();
  path_ = std::move(*path);
  path_->on_sources_released([this] { request_reconcile(); });
  path_->on_counted([this] {
    watch_drains();
    watch_signs();
  });
  std::set<config::address> served;
  for (const core::Address& address : dataplane::own_addresses(path_->inherited())) served.insert(from_core(address));
  forwarded_ = served;
  if (auto inherited = addresses_->inherit(served); inherited.has_error()) return inherited.error();
  const bool is_fresh = path_->origin().kind == dataplane::Origin::Kind::fresh;
  adopted_ = !is_fresh;
  started_with_.insert(model_.interfaces.begin(), model_.interfaces.end());
  log_origin(path_->origin(), model_.instance);
  event_log_.add(
      api::EventKind::daemon,
      {.after = "started", .reason = is_fresh ? "with a new packet path" : "with the packet path that was there"});
  if (auto attached = attach_interfaces(); attached.has_error()) {
    if (is_fresh) (void)remove_instance(model_.instance);
    return attached.error();
  }
  return {};
}

/// Where packets flow already, a daemon that comes back has to care for them, with the interfaces that there are.
Result<void> Daemon::check_first_interfaces() {
  if (is_running(model_.instance)) {
    started_with_.insert(model_.interfaces.begin(), model_.interfaces.end());
    for (const auto& more : {model_.address_interface, model_.full_nat.interface}) {
      if (more) started_with_.insert(*more);
    }
  }
  return check_interfaces(model_);
}

/// An interface that has gone since the start is a problem in the status, and no reason to refuse another change.
Result<void> Daemon::check_interfaces(const config::Model& model) const {
  std::vector<std::string> names = model.interfaces;
  for (const auto& more : {model.address_interface, model.full_nat.interface}) {
    if (more) names.push_back(*more);
  }
  for (const std::string& name : names) {
    const auto link = network_->link(name);
    if (!link && (started_with_.contains(name) || is_made(model, name))) continue;
    if (!link) return Error{"interface " + name + " does not exist", "'ip link' lists those that do"};
    if (!link->mac) {
      return Error{"interface " + name + " has no Ethernet address", "name an Ethernet interface"};
    }
  }
  return {};
}

/// Attaches where it is missing. On failure, what this call has attached is detached again.
Result<void> Daemon::attach_interfaces() {
  const auto before = path_->engine().attachments();
  for (const std::string& name : model_.interfaces) {
    const auto link = network_->link(name);
    if (!link) continue;  // gone since: `on_link_change` tells when it is back
    auto attached = path_->engine().attach(link->ifindex, hook_of(model_, name));
    if (attached.has_error()) {
      for (const dataplane::Attachment& now : path_->engine().attachments()) {
        const bool new_one = std::none_of(before.begin(), before.end(), [&](const dataplane::Attachment& attachment) {
          return attachment.ifindex == now.ifindex;
        });
        if (new_one) (void)path_->engine().detach(now.ifindex);
      }
      return attached.error().within("interface " + name);
    }
  }
  return {};
}

void Daemon::detach_unused_interfaces() {
  for (const dataplane::Attachment& attachment : path_->engine().attachments()) {
    const auto link = network_->link(attachment.ifindex);
    const bool wanted =
        link && std::find(model_.interfaces.begin(), model_.interfaces.end(), link->name) != model_.interfaces.end();
    if (wanted) continue;
    if (auto detached = path_->engine().detach(attachment.ifindex); detached.has_error()) {
      log::warning("packet path not detached", {{"ifindex", attachment.ifindex}, {"error", detached.error().text()}});
    } else {
      log::info("packet path detached", {{"ifindex", attachment.ifindex}});
    }
  }
}

void Daemon::watch_events() {
  if (!events_) {
    const int descriptor = path_->engine().event_descriptor();
    if (descriptor < 0) return;
    events_.emplace(loop_, descriptor);
  }
  events_->async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
    if (error) return;
    path_->engine().take_events({.neighbour = [this](const auto& wanted) { on_neighbour_wanted(wanted); },
                                 .fragment = [this](auto ifindex, auto frame) { on_fragment(ifindex, frame); },
                                 .drop = [this](const auto& drop) { on_drop(drop); }});
    watch_events();
  });
}

void Daemon::stop_watching_events() {
  if (events_) events_->release();  // not ours to close
  events_.reset();
}

void Daemon::on_fragment(std::uint32_t ifindex, std::span<const std::byte> frame) {
  const bool idle = held_fragments_.held() == 0;
  held_fragments_.hold(ifindex, frame, FragmentHolder::Clock::now());
  if (idle) retry_fragments();
}

void Daemon::retry_fragments() {
  held_fragments_.retry(FragmentHolder::Clock::now());
  if (held_fragments_.held() == 0) return;
  fragment_timer_.expires_after(FragmentHolder::kBetweenTries);
  fragment_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) retry_fragments();
  });
}

/// The packet path as it runs knows best what becomes of a frame: here it is asked, without a word to its tables, and
/// then it gets the frame itself.
FragmentHolder::Path Daemon::fragment_path() {
  const auto knows_where = [this](std::uint32_t ifindex, FragmentHolder::Frame bytes) {
    native::Frame frame(bytes);
    native::Surroundings around;
    around.ingress = ifindex;
    around.tick = path_->engine().tick();
    around.fine_tick = path_->engine().fine_tick();
    native::NativeEngine<native::Access::read_only> engine(path_->tables(), frame, around);
    return core::run(engine).reason != core::Reason::fragment_held;
  };
  const auto send = [this](std::uint32_t ifindex, FragmentHolder::Frame frame) {
    if (path_->engine().inject(ifindex, frame).has_error()) lose_fragment(ifindex, frame);
  };
  const auto lose = [this](std::uint32_t ifindex, FragmentHolder::Frame frame) { lose_fragment(ifindex, frame); };
  return {.knows_where = knows_where, .send = send, .lose = lose};
}

/// As the packet path drops a packet, in the control plane's own row.
void Daemon::lose_fragment(std::uint32_t ifindex, std::span<const std::byte> bytes) {
  const dataplane::Tables& tables = path_->tables();
  native::Frame frame(bytes);
  native::Surroundings around;
  around.ingress = ifindex;
  around.fine_tick = path_->engine().fine_tick();
  around.row = tables.sizes.cpus;
  around.now = monotonic_now();
  around.tell_drop = [this](const core::DropEvent& drop) { on_drop(drop); };
  native::NativeEngine<> engine(tables, frame, around);
  core::finish(engine, {.reason = core::Reason::fragment_lost});
}

void Daemon::on_drop(const core::DropEvent& drop) {
  const auto link = network_->link(drop.interface);
  drop_feed_.publish(view_of(drop,
                             {.service = drop.service == core::kNoService ? "" : service_name(drop.service),
                              .interface = link ? link->name : "#" + std::to_string(drop.interface)},
                             std::chrono::system_clock::now(), monotonic_now()));
}

void Daemon::on_neighbour_wanted(const core::NeighbourWanted& wanted) {
  const config::address host = from_core(wanted.address);
  const auto now = std::chrono::steady_clock::now();
  if (now - resolving_since_ >= kResolveInterval) {
    resolving_.clear();
    resolving_since_ = now;
  }
  if (resolving_.size() >= kResolvesAtOnce || !resolving_.insert(host).second) return;
  network_->resolve(host, wanted.interface);
}

/// The first publication comes when every backend's health and next hop is known: a daemon that starts must not take
/// backends out of rotation just because it has not looked yet.
void Daemon::await_settling() {
  if (!std::exchange(is_settling_, true)) {  // changes meanwhile do not put it off
    settle_timer_.expires_after(kSettleLimit);
    settle_timer_.async_wait([this](boost::system::error_code error) {
      if (!error) settle();
    });
  }
  settle_when_known();
}

bool Daemon::all_known() const {
  const Facts known = facts();
  for (const config::Service& service : model_.services) {
    for (const config::Backend& backend : service.backends) {
      if (known.availability(service, backend) == balance::Availability::unknown || !known.next_hop(backend.host))
        return false;
    }
  }
  return true;
}

void Daemon::settle_when_known() {
  if (settled_ || !all_known()) return;
  boost::asio::post(loop_, [this] {
    if (all_known()) settle();  // another configuration may have come meanwhile
  });
}

void Daemon::settle() {
  if (std::exchange(settled_, true)) return;
  settle_timer_.cancel();
  follow();
}

config::Model Daemon::exchange_model(config::Model next) {
  is_placed_ = false;
  return std::exchange(model_, std::move(next));
}

/// Services in the order of the model's, with their backends; none: the model is not in force yet.
std::span<const dataplane::PlacedService> Daemon::in_force() const {
  return is_placed_ ? std::span(path_->placed()) : std::span<const dataplane::PlacedService>();
}

/// Many changes at once make one publication.
void Daemon::request_reconcile() {
  if (!settled_) {
    if (checks_) settle_when_known();
    return;
  }
  if (detached_ || std::exchange(reconcile_requested_, true)) return;
  pace_timer_.expires_at(pace_.next());
  pace_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    reconcile_requested_ = false;
    follow();
  });
}

/// Reconciles where nobody waits for the outcome.
void Daemon::follow() {
  if (detached_) return;
  const auto begin = Pace::Clock::now();
  const auto done = reconcile();
  pace_.took(begin, Pace::Clock::now());
  if (done.has_error()) {
    log::error("packet path not as wanted", {{"error", done.error().text()}});
    return;
  }
  if (!config_view_.applied_at) note_applied();
}

void Daemon::note_applied() {
  config_view_.applied_at = std::chrono::system_clock::now();
  ++config_view_.applies_ok;
}

std::vector<dataplane::InterfaceState> Daemon::named_interfaces(const config::Model& model) const {
  std::vector<dataplane::InterfaceState> states;
  for (const std::string& name : model.interfaces) {
    const auto link = network_->link(name);
    if (const auto state = link ? interface_state(*link) : std::nullopt) states.push_back(*state);
  }
  return states;
}

std::vector<dataplane::InterfaceState> Daemon::interface_states(const config::Model& model) const {
  std::vector<dataplane::InterfaceState> states = named_interfaces(model);
  // Replies leave by VLAN devices, whose tags the packet path puts on.
  for (const dataplane::InterfaceState& state : vlan_states(network_->links())) {
    const bool named =
        std::any_of(states.begin(), states.end(), [&](const auto& s) { return s.ifindex == state.ifindex; });
    if (!named) states.push_back(state);
  }
  std::ranges::move(virtual_router_states(model, network_->links()), std::back_inserter(states));
  return states;
}

std::set<PlacedAddress> Daemon::wanted_port_sources() const {
  std::set<PlacedAddress> wanted;
  if (model_.addresses != config::AddressOwner::daemon) return wanted;
  const std::string interface = model_.full_nat.interface.value_or(model_.interfaces.back());
  const std::set<config::address> moving = moving_addresses(model_);
  for (const config::address& host : model_.full_nat.sources) {
    if (!moving.contains(host)) wanted.insert({.interface = interface, .host = host});
  }
  return wanted;
}

std::set<PlacedAddress> Daemon::wanted_addresses() const {
  std::set<PlacedAddress> wanted;
  if (model_.addresses != config::AddressOwner::daemon) return wanted;
  const std::string interface = model_.address_interface.value_or(model_.interfaces.front());
  const std::set<config::address> moving = moving_addresses(model_);
  for (const config::Service& service : model_.services) {
    if (!withdrawn_.contains(service.name) && !moving.contains(service.host))
      wanted.insert({.interface = interface, .host = service.host});
  }
  wanted.merge(wanted_port_sources());
  const std::vector<config::address>& sources = model_.full_nat.sources;
  const std::string backends_side = model_.full_nat.interface.value_or(model_.interfaces.back());
  // Those that are named no more, but have connections still, stay where they are, or come back.
  for (const core::Address& source : path_->tables().settings().port_sources) {
    const config::address host = from_core(source);
    if (dataplane::is_free(source) || std::find(sources.begin(), sources.end(), host) != sources.end()) continue;
    if (moving.contains(host)) continue;
    wanted.insert(addresses_->find(host).value_or(PlacedAddress{.interface = backends_side, .host = host}));
  }
  return wanted;
}

/// Makes the packet path and the addresses follow. What fails shows as a problem, and is tried again in a while: not
/// every failure ends with an event.
Result<Daemon::Reconciled> Daemon::reconcile() {
  auto done = reconcile_once();
  failures_ = done.has_error() ? std::vector<Error>{done.error()} : done->shortcomings;
  const std::string failing = failures_.empty() ? "" : failures_.front().text();
  event_log_.change(api::EventKind::daemon, {.after = failing.empty() ? "forwarding" : "failing", .reason = failing});
  if (!failures_.empty()) {
    retry_.failed();
    return done;
  }
  retry_.rest();
  if (!std::exchange(ready_, true)) on_ready_();
  return done;
}

/// The order is what keeps connections whole: addresses that go, go first, and source addresses of full NAT that come,
/// since backends ask for them as soon as connections come from them; then tables, programs; service addresses that
/// come, last.
Result<Daemon::Reconciled> Daemon::reconcile_once() {
  Reconciled done;
  const std::set<PlacedAddress> addresses = wanted_addresses();
  if (auto removed = addresses_->remove_unwanted(addresses); removed.has_error())
    done.shortcomings.push_back(removed.error());
  if (auto followed = follow_pair(PairStep::before_publication); followed.has_error())
    done.shortcomings.push_back(followed.error());
  if (auto added = addresses_->add_missing(wanted_port_sources()); added.has_error())
    done.shortcomings.push_back(added.error());
  auto rings = path_->publish(interface_states(model_), planner_inputs(model_, facts()), path_settings(model_));
  if (rings.has_error()) return rings.error();
  is_placed_ = true;
  ++publications_;
  done.rings = std::move(*rings);
  remember_labels();
  give_up_retired();
  await_next_step();
  note_withdrawn();
  note_states();
  for (const balance::RingReport& ring : done.rings) {
    log::info("ring changed",
              {{"service", ring.service}, {"slots", ring.slots}, {"moved", ring.moved}, {"least", ring.least}});
  }
  if (auto attached = attach_interfaces(); attached.has_error()) return attached.error();
  detach_unused_interfaces();
  if (auto followed = follow_path_probes(); followed.has_error()) done.shortcomings.push_back(followed.error());
  forwarded_.clear();
  for (const config::Service& service : model_.services) forwarded_.insert(service.host);
  if (auto followed = follow_pair(PairStep::after_publication); followed.has_error())
    done.shortcomings.push_back(followed.error());
  if (auto followed = follow_sync(); followed.has_error()) done.shortcomings.push_back(followed.error());
  tell_engine();
  const std::set<PlacedAddress> served = wanted_addresses();  // by now some may be withdrawn, or not any more
  if (auto removed = addresses_->remove_unwanted(served); removed.has_error())
    done.shortcomings.push_back(removed.error());
  if (auto added = addresses_->add_missing(served); added.has_error()) done.shortcomings.push_back(added.error());
  learn_of_sites();
  return done;
}

/// The engine that the model wants, with tables of its sizes.
EngineOptions Daemon::engine_for(const config::Model& model) const {
  EngineOptions wanted = engine_options(model, options_.program);
  // Source addresses that are wanted no more may have connections still: their places stay.
  wanted.sizes.port_sources = std::max(wanted.sizes.port_sources, path_->options().sizes.port_sources);
  return wanted;
}

/// Those in force may be others than an earlier model's, where a change back has failed.
Result<void> Daemon::fit_tables() {
  const EngineOptions wanted = engine_for(model_);
  if (is_same_engine(wanted, path_->options())) return {};
  capture_feed_.end("the tables were exchanged for others");
  stop_watching_events();  // their descriptor is the engine's, which may go
  const auto resized = [&]() -> Result<void> {
    try {
      return path_->change_to(wanted);
    } catch (const std::bad_alloc&) {  // the copy of a large table takes much
      return Error{"not enough memory for tables of other sizes", "ask for smaller ones in dataplane.tables"};
    }
  }();
  watch_events();
  if (resized.has_error()) return resized.error();
  ++tables_made_;
  ++publications_;  // numbers may be others
  labels_.clear();
  service_names_.clear();
  return {};
}

/// A backend that is retired has no name any more: another may have it by now.
void Daemon::remember_labels() {
  labels_.clear();
  const auto placed = in_force();
  for (std::size_t i = 0; i < placed.size(); ++i) {
    const config::Service& service = model_.services[i];
    service_names_[placed[i].id] = service.name;
    for (std::size_t b = 0; b < placed[i].backends.size(); ++b) {
      labels_[placed[i].backends[b]] = {.service = service.name, .backend = service.backends[b].name};
    }
  }
  const auto captured = capture_feed_.query();
  if (!captured) return;
  // Where its names are gone, what they meant last is captured on.
  if (const auto filter = capture_filter(*captured); filter.has_value()) path_->engine().change_capture(*filter);
}

Result<> Daemon::detach() {
  capture_feed_.end("the packet path was detached");
  // First the other node takes over, then nothing is forwarded here.
  if (auto left = pair_->leave(); left.has_error()) {
    request_reconcile();
    return left.error();
  }
  if (auto gone = addresses_->remove_all(); gone.has_error()) {
    request_reconcile();  // those that are gone already come back
    return gone.error();
  }
  prober_.use(nullptr);
  path_probes_.reset();
  auto removed = remove_instance(model_.instance);
  if (removed.has_error()) {
    request_reconcile();  // with addresses, and probes through the path, as they were
    return removed.error();
  }
  detached_ = true;
  retry_.rest();
  log::info("packet path removed", {{"instance", model_.instance}, {"links", *removed}});
  return {};
}

void Daemon::after_detach() { loop_.stop(); }

}  // namespace astil::app
