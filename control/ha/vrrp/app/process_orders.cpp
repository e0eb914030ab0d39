// What astild says, and what becomes of it.
#include <algorithm>
#include <map>

#include "control/base/log.hpp"
#include "control/ha/vrrp/app/process.hpp"

namespace astil::ha {
namespace {

RouterSettings settings_of(const GroupRecord& group, const SettingsRecord& settings) {
  return {.priority = group.priority,
          .advert_interval = group.advert_interval,
          .preempt = group.preempt != 0,
          .preempt_delay = milliseconds(group.preempt_delay),
          .takeover_limit = milliseconds(settings.takeover_limit),
          .startup_hold = milliseconds(settings.startup_hold)};
}

}  // namespace

void Process::receive_messages() {
  if (channel_.accept()) {
    if (astild_gone_ && configured_) log::info("astild is back");
    astild_gone_.reset();
    next_report_ = now_;
  }
  if (!channel_.has_peer() || channel_.receive([&](Bytes message) { take_message(message); })) return;
  lose_astild();
}

void Process::lose_astild() {
  channel_.close();
  astild_gone_ = now_;
  next_proof_ = now_;
  if (configured_) log::warning("astild is gone", {{"hold_ms", configuration_.settings.hold}});
}

void Process::take_message(Bytes bytes) {
  const auto header = parse_header(bytes);
  if (!header) {
    log::error("a message of another version: astild and astil-vrrp are not of one build");
    return;
  }
  if (const auto configuration = parse_configuration(bytes)) {
    configure(*configuration);
  } else if (const auto engine = parse_record<EngineRecord>(bytes)) {
    engine_ = *engine;
    election_.set_engine(now_, engine_.healthy != 0, Cause::engine_down);
  } else if (const auto table = parse_record<TableRecord>(bytes)) {
    election_.set_gate(table->complete != 0);
  } else if (const auto tracks = parse_record<TracksRecord>(bytes)) {
    for (std::size_t i = 0; i < groups_.size(); ++i) groups_[i]->tracks().tell(tracks->known[i], tracks->failing[i]);
    follow_tracks();
  } else if (const auto order = parse_record<StepDownRecord>(bytes)) {
    step_down(*order);
  } else if (const auto digest = parse_record<DigestRecord>(bytes)) {
    digest_ = digest->digest;
  } else if (header->type == MessageType::leave) {
    leave(Cause::engine_down);
  } else {
    log::error("a message makes no sense", {{"type", static_cast<int>(header->type)}});
    return;
  }
  channel_.send(done_message(header->sequence));
}

void Process::configure(const Configuration& configuration) {
  const KeyRing keys(configuration.settings.key, configuration.settings.previous_key, "astil vrrp advert 1");
  std::vector<std::unique_ptr<Group>> before = std::exchange(groups_, {});
  std::map<GroupKey, Group*> by_key;
  std::vector<GroupSetup> setups;
  for (const GroupRecord& record : configuration.groups) {
    const GroupKey key{.interface = std::string(record.interface.view()),
                       .version = record.addresses.front().version,
                       .virtual_router_id = record.virtual_router_id,
                       .virtual_mac = record.virtual_mac != 0};
    const auto kept =
        std::find_if(before.begin(), before.end(), [&](const auto& group) { return group && group->key() == key; });
    groups_.push_back(kept == before.end() ? std::make_unique<Group>(keeper_, devices_) : std::move(*kept));
    groups_.back()->configure(record, keys);
    by_key[key] = groups_.back().get();
    setups.push_back({.key = key,
                      .router = settings_of(record, configuration.settings),
                      .sync_group = std::string(record.sync_group.view())});
  }
  configuration_ = configuration;
  peer_active_.clear();
  peer_states_.clear();
  // Those that are not there any more shut down here, by sockets that are there still.
  election_.configure(now_, setups, [&](const GroupKey& key) -> Output& { return *by_key.at(key); });
  before.clear();
  heartbeats_.configure(now_, configuration.settings, configuration.paths);
  const bool is_first = !std::exchange(configured_, true);
  refresh_links();
  if (is_first) {
    for (const auto& group : groups_) group->clean();
  }
  follow_tracks();
}

/// What astild says, and the interfaces that are tracked here.
void Process::follow_tracks() {
  const auto is_up = [&](std::string_view interface) {
    const net::Link* link = links_.by_name(interface);
    return link != nullptr && link->up && link->carrier;
  };
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    TrackStates& tracks = groups_[i]->tracks();
    tracks.look(is_up);
    election_.set_penalty(now_, i, tracks.penalty());
  }
}

void Process::step_down(const StepDownRecord& order) {
  std::vector<std::size_t> groups;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if ((order.groups >> i & 1U) != 0) groups.push_back(i);
  }
  std::optional<milliseconds> for_so_long;
  if (order.milliseconds != kUntilItIsNeeded) for_so_long = milliseconds(order.milliseconds);
  election_.step_down(now_, groups, for_so_long);
}

}  // namespace astil::ha
