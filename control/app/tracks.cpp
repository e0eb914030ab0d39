#include "control/app/tracks.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "dataplane/base/descriptor.hpp"

namespace astil::app {
namespace {

using health::Health;

constexpr std::chrono::milliseconds kFilesInterval{500};

/// Why a file does not say that all is well; empty: it does.
std::string trouble_of(const std::string& path) {
  const base::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return std::generic_category().message(errno);
  char first = '0';
  const ssize_t size = ::read(file.get(), &first, 1);
  if (size < 0) return std::generic_category().message(errno);
  if (size == 0) return "it is empty";
  return first == '0' ? "it begins with 0" : "";
}

/// A link-local address means something on its interface alone.
config::address on_interface(const config::address& host, const std::string& interface) {
  if (!host.is_v6() || !host.to_v6().is_link_local()) return host;
  auto scoped = host.to_v6();
  scoped.scope_id(::if_nametoindex(interface.c_str()));
  return scoped;
}

health::Target target_of(const config::VrrpGroup& group, const config::Track& track) {
  health::Target target{.key = {.service = group.name, .backend = track.name}, .host = {}, .check = {}};
  if (track.type == config::TrackType::gateway) {
    target.host = on_interface(track.address, group.interface.value_or(""));
    target.check.probe = config::IcmpCheck{};
  } else {
    target.check.probe = config::ExecCheck{track.command};
  }
  target.check.interval = track.interval;
  target.check.timeout = track.timeout;
  target.check.rise = track.rise;
  target.check.fall = track.fall;
  return target;
}

}  // namespace

Tracks::Tracks(health::Prober& prober, health::Alarm& probe_alarm, health::Alarm& file_alarm,
               health::Checks::Random random, std::function<void()> changed)
    : file_alarm_(file_alarm),
      changed_(std::move(changed)),
      checks_(prober, probe_alarm, std::move(random),
              [this](const health::TargetKey& /*key*/, const health::State& /*state*/) { changed_(); }) {}

void Tracks::follow(const config::Ha& ha) {
  std::vector<health::Target> targets;
  std::map<Key, File> files;
  for (const config::VrrpGroup& group : ha.groups) {
    for (const config::Track& track : group.track) {
      if (track.type == config::TrackType::interface) continue;
      if (track.type != config::TrackType::file) {
        targets.push_back(target_of(group, track));
        continue;
      }
      const auto before = files_.find({group.name, track.name});
      File& file = files[{group.name, track.name}];
      if (before != files_.end() && before->second.path == track.file) file = before->second;
      file.path = track.file;
      (void)look_at(file);  // whoever asked for this reads what is known afterwards
    }
  }
  checks_.configure(targets);
  const bool was_idle = files_.empty();
  files_ = std::move(files);
  if (files_.empty()) {
    file_alarm_.clear();
  } else if (was_idle) {
    file_alarm_.set(file_alarm_.now() + kFilesInterval, [this] { look_at_files(); });
  }
}

void Tracks::rest() {
  checks_.configure({});
  files_.clear();
  file_alarm_.clear();
}

/// True: its state is another.
bool Tracks::look_at(File& file) const {
  file.known.error = trouble_of(file.path);
  const Health now = file.known.error.empty() ? Health::up : Health::down;
  if (std::exchange(file.known.health, now) == now) return false;
  ++file.known.counters.transitions;
  return true;
}

void Tracks::look_at_files() {
  file_alarm_.set(file_alarm_.now() + kFilesInterval, [this] { look_at_files(); });
  bool changed = false;
  for (auto& [key, file] : files_) changed = look_at(file) || changed;
  if (changed) changed_();
}

Tracks::Known Tracks::known(const std::string& group, const std::string& track) const {
  if (const auto file = files_.find({group, track}); file != files_.end()) return file->second.known;
  const health::TargetKey key{.service = group, .backend = track};
  const auto state = checks_.state(key);
  if (!state) return {};
  return {.health = state->health,
          .error = state->last_error,
          .counters = checks_.counters(key).value_or(health::Counters{})};
}

ha::TracksRecord Tracks::record(const config::Ha& ha, const ha::Configuration& plan) const {
  ha::TracksRecord record;
  for (std::size_t i = 0; i < plan.groups.size() && i < record.known.size(); ++i) {
    const auto group = std::find_if(ha.groups.begin(), ha.groups.end(),
                                    [&](const auto& one) { return one.name == plan.groups[i].name.view(); });
    if (group == ha.groups.end()) continue;
    for (std::size_t t = 0; t < group->track.size(); ++t) {
      const Health health = known(group->name, group->track[t].name).health;
      const auto bit = static_cast<std::uint8_t>(1U << t);
      if (health != Health::unknown) record.known[i] |= bit;
      if (health == Health::down) record.failing[i] |= bit;
    }
  }
  return record;
}

std::string subject_of(const config::Track& track) {
  switch (track.type) {
    case config::TrackType::interface:
      return track.interface;
    case config::TrackType::file:
      return track.file;
    case config::TrackType::gateway:
      return track.address.to_string();
    case config::TrackType::exec:
      break;
  }
  std::string words;
  for (const std::string& word : track.command) words += (words.empty() ? "" : " ") + word;
  return words;
}

}  // namespace astil::app
