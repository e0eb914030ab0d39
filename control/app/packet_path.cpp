#include "control/app/packet_path.hpp"

#include <stdexcept>

#include "control/base/log.hpp"

namespace astil::app {

PacketPath::PacketPath(boost::asio::io_context& loop, EngineOptions options, OpenedEngine opened)
    : loop_(loop),
      options_(std::move(options)),
      engine_(std::move(opened.engine)),
      origin_(std::move(opened.origin)),
      sync_(loop) {
  begin();
}

Result<std::unique_ptr<PacketPath>> PacketPath::open(boost::asio::io_context& loop, const EngineOptions& options) {
  auto opened = open_engine(options);
  if (opened.has_error()) return opened.error();
  return std::unique_ptr<PacketPath>(new PacketPath(loop, options, std::move(*opened)));
}

/// Starts from what the tables hold.
void PacketPath::begin() {
  trusted_round_.reset();
  census_is_new_ = false;
  publisher_.emplace(*engine_);
  mirror_.emplace(engine_->tables());
  inherited_ = dataplane::read_state(engine_->tables());
  planner_.emplace(inherited_);
  follow_drops(drop_followers_);
  count_flows();
}

/// Takes the census again and again, rounds from the first.
void PacketPath::count_flows() {
  if (trusted_round_) trusted_round_ = 0;
  alive_ = std::make_shared<bool>(true);
  runner_.emplace(loop_, *engine_,
                  [this, alive = std::weak_ptr(alive_)](dataplane::Census census, std::uint64_t round) {
                    if (!alive.expired()) on_census(std::move(census), round);
                  });
}

namespace {

balance::Plan plan_of(const balance::Planner& planner, const std::vector<dataplane::InterfaceState>& interfaces,
                      const std::vector<balance::ServiceInput>& services, const PathSettings& settings) {
  balance::Plan plan = planner.plan(interfaces, services, balance::Clock::now());
  plan.state.timeouts = settings.timeouts;
  plan.state.new_flows_per_second = settings.new_flows_per_second;
  plan.state.answers_echo = settings.answers_echo;
  plan.state.port_sources = settings.port_sources;
  plan.state.closed_addresses = settings.closed;
  return plan;
}

}  // namespace

Result<std::vector<balance::RingReport>> PacketPath::publish(const std::vector<dataplane::InterfaceState>& interfaces,
                                                             const std::vector<balance::ServiceInput>& services,
                                                             const PathSettings& settings) {
  balance::Plan plan = plan_of(*planner_, interfaces, services, settings);
  FlowSync::Pause pause(sync_);
  restore_tables();  // the publisher goes by what it finds there
  if (auto checked = engine_->check_readers(); checked.has_error()) return checked.error();
  auto published = publish_or_undo(plan.state);
  if (published.has_error()) return published.error();
  pause.note_change();
  planner_->commit(plan);
  next_step_ = plan.next_step;
  tenths_ = std::move(plan.tenths);
  too_few_ = std::move(plan.too_few);
  runner_->give_up({});
  placed_ = std::move(published->services);
  published_ = std::move(plan.state);
  trusted_round_ = runner_->next_round();
  census_is_new_ = false;
  return std::move(plan.rings);
}

/// Where a packet does not come to its end meanwhile, the tables become what they were.
Result<dataplane::Published> PacketPath::publish_or_undo(const dataplane::DesiredState& state) {
  try {
    auto published = publisher_->publish(state);
    mirror_->take();
    return published;
  } catch (const std::runtime_error& error) {
    (void)mirror_->restore();
    // The publisher goes by what it had begun: until the next publication no census may give back what is in use.
    trusted_round_.reset();
    census_is_new_ = false;
    return Error{error.what(), "nothing was changed; try again"};
  }
}

Result<Forecast> PacketPath::foresee(const std::vector<dataplane::InterfaceState>& interfaces,
                                     const std::vector<balance::ServiceInput>& services, const PathSettings& settings,
                                     Room room) const {
  balance::Plan plan = plan_of(*planner_, interfaces, services, settings);
  if (room == Room::of_these_tables) {
    if (auto fits = publisher_->check(plan.state); fits.has_error()) return fits.error();
  }
  Forecast forecast{.now = plan.rings, .well = {}};
  if (is_all_known(services)) return forecast;
  balance::Planner next = *planner_;
  next.commit(plan);
  forecast.well = next.plan({}, made_well(services), balance::Clock::now()).rings;
  return forecast;
}

std::vector<balance::RingReport> PacketPath::foresee_well(const std::vector<balance::ServiceInput>& services) const {
  if (is_all_known(services)) return {};
  return planner_->plan({}, made_well(services), balance::Clock::now()).rings;
}

void PacketPath::restore_tables() {
  for (dataplane::Repair& repair : mirror_->restore()) repaired_.push_back(std::move(repair));
}

std::vector<dataplane::Repair> PacketPath::mend() {
  restore_tables();
  std::vector<dataplane::Repair> repairs = std::exchange(repaired_, {});
  for (dataplane::Repair& repair : engine_->mend()) repairs.push_back(std::move(repair));
  return repairs;
}

void PacketPath::follow_drops(std::uint32_t followers) {
  drop_followers_ = followers;
  __atomic_store_n(&tables().settings().shared.drop_followers, followers, __ATOMIC_RELAXED);
}

Result<void> PacketPath::change_to(const EngineOptions& options) {
  runner_.reset();  // while flows are copied, no census takes any away
  sync_.stop();     // nor does the other node add any
  auto opened = open_engine(options);
  if (opened.has_error()) {
    count_flows();
    return opened.error();
  }
  publisher_.reset();
  options_ = options;
  engine_ = std::move(opened->engine);
  origin_ = std::move(opened->origin);
  log_origin(origin_, options.instance);
  census_ = {};
  placed_.clear();
  begin();
  return {};
}

void PacketPath::watch_limit() {
  const std::uint64_t counted = tables().sum_event(core::FlowEvent::limited);
  switch (limit_watch_.see(counted, std::chrono::steady_clock::now())) {
    case LimitWatch::Change::began:
      log::warning("new flows are limited", {{"flows_per_second_and_cpu", published_.new_flows_per_second}});
      break;
    case LimitWatch::Change::ended:
      log::info("new flows are not limited any more", {{"not_written_down", limit_watch_.flows()}});
      break;
    case LimitWatch::Change::none:
      break;
  }
}

void PacketPath::on_census(dataplane::Census census, std::uint64_t round) {
  census_ = std::move(census);
  watch_limit();
  if (census_.given_up != 0) log::info("flows of removed backends given up", {{"flows", census_.given_up}});
  given_up_ += census_.given_up;
  if (census_.corrected != 0) log::info("counts of active flows corrected", {{"flows", census_.corrected}});
  census_is_new_ = trusted_round_ && round >= *trusted_round_;
  if (census_is_new_) release_unused();
  if (on_counted_) on_counted_();
}

/// Numbers that nobody wants and no flow holds are given back; only a census that began after the last publication can
/// tell.
void PacketPath::release_unused() {
  FlowSync::Pause pause(sync_);
  restore_tables();
  const std::size_t released = publisher_->release(
      [this](std::uint32_t number) { return census_.named[number] != 0 || sync_.wrote_lately(number); });
  if (released != 0) log::info("backends without flows released", {{"count", released}});
  const std::size_t given_back = publisher_->settle_sources(census_.ports);
  mirror_->take();
  if (released != 0 || given_back != 0) pause.note_change();
  if (given_back == 0) return;
  log::info("source addresses without connections released", {{"count", given_back}});
  if (on_sources_released_) on_sources_released_();
}

}  // namespace astil::app
