#include "control/ha/vrrp/app/heartbeats.hpp"

#include <algorithm>

#include "control/base/log.hpp"
#include "control/ha/vrrp/app/group.hpp"

namespace astil::ha {
namespace {

constexpr Time kOpenAgain = std::chrono::seconds(1);

}  // namespace

void Heartbeats::configure(Time now, const SettingsRecord& settings, const std::vector<PathRecord>& paths) {
  const bool same_port = port_ == settings.heartbeat_port;
  std::vector<Path> before = std::exchange(paths_, {});
  port_ = settings.heartbeat_port;
  const Time interval = milliseconds(settings.heartbeat_interval);
  const bool same = interval == interval_ && lost_after_ == settings.heartbeat_lost_after && same_port &&
                    std::equal(paths.begin(), paths.end(), before.begin(), before.end(),
                               [](const PathRecord& record, const Path& path) { return record == path.record; });
  interval_ = interval;
  lost_after_ = settings.heartbeat_lost_after;
  keys_ = KeyRing(settings.key, settings.previous_key, "astil heartbeat 1");
  if (interval_ == Time{0}) {
    watch_ = {};
    return;
  }
  for (const PathRecord& record : paths) {
    const auto kept =
        std::find_if(before.begin(), before.end(), [&](const Path& path) { return path.record == record; });
    if (same_port && kept != before.end() && kept->socket) {
      paths_.push_back(std::move(*kept));
      kept->socket.reset();
      continue;
    }
    paths_.push_back({.record = record, .socket = {}});
  }
  open_missing();
  next_open_ = now + kOpenAgain;
  if (same) return;
  watch_ = HeartbeatWatch(paths_.size(), std::chrono::duration_cast<milliseconds>(interval_), lost_after_);
  next_ = now;
}

/// What fails is told once, and when it has come about after all.
void Heartbeats::open_missing() {
  for (Path& path : paths_) {
    if (path.socket) continue;
    auto socket = HeartbeatSocket::open(to_address(path.record.local), to_address(path.record.peer), port_);
    const bool failed = socket.has_error();
    const bool had_failed = std::exchange(path.failed, failed);
    if (failed) {
      if (!had_failed)
        log::error("path not opened", {{"path", path.record.name.view()}, {"error", socket.error().text()}});
      continue;
    }
    if (had_failed) log::info("path opened", {{"path", path.record.name.view()}});
    path.socket.emplace(std::move(*socket));
  }
}

bool Heartbeats::misses_any() const {
  return std::ranges::any_of(paths_, [](const Path& path) { return !path.socket; });
}

int Heartbeats::descriptor(std::size_t path) const {
  return paths_[path].socket ? paths_[path].socket->descriptor() : -1;
}

void Heartbeats::send() {
  if (!is_on()) return;
  const std::vector<std::byte> plain = build_heartbeat(message_);
  for (Path& path : paths_) send_on(path, plain);
}

void Heartbeats::send_on(Path& path, Bytes message) {
  if (!path.socket) return;
  const std::vector<std::byte> sealed = keys_.seal(message, {}, counter_.next(real_now()));
  if (path.socket->send(sealed) == 0) ++path.sent;
}

void Heartbeats::receive(std::size_t index, Time now, const std::function<void(const HeartbeatMessage&)>& take) {
  Path& path = paths_[index];
  if (!path.socket) return;
  path.socket->receive([&](Bytes sealed) {
    const auto drop = [&](HeartbeatDrop reason) { ++path.drops[static_cast<std::size_t>(reason)]; };
    const auto opened = keys_.open(sealed, {});
    const auto message = opened.has_error() ? std::nullopt : parse_heartbeat(opened->bytes);
    if (!message) return drop(HeartbeatDrop::unauthentic);
    if (message->node == message_.node) return drop(HeartbeatDrop::own_name);
    if (opened->counter <= path.last_counter) return drop(HeartbeatDrop::replayed);
    path.last_counter = opened->counter;
    ++path.received;
    watch_.heard(now, index);
    // By a slower path comes what was so before.
    if (opened->counter <= newest_) return;
    newest_ = opened->counter;
    heard_ = *message;
    take(*message);
  });
}

void Heartbeats::on_time(Time now) {
  if (is_on() && now >= next_open_ && misses_any()) {
    open_missing();
    next_open_ = now + kOpenAgain;
  }
  if (!is_on() || now < next_) return;
  send();
  next_ += interval_;
  if (next_ <= now) next_ = now + interval_;
}

std::optional<Time> Heartbeats::deadline() const {
  if (!is_on() || paths_.empty()) return std::nullopt;
  Time first = std::min(next_, watch_.deadline().value_or(next_));
  if (misses_any()) first = std::min(first, next_open_);
  return first;
}

PathReport Heartbeats::report(std::size_t index) const {
  const Path& path = paths_[index];
  return {.alive = watch_.is_alive(index) ? std::uint8_t{1} : std::uint8_t{0},
          .last_heard = static_cast<std::uint64_t>(watch_.last_heard(index).count()),
          .sent = path.sent,
          .received = path.received,
          .losses = watch_.losses(index),
          .drops = path.drops};
}

}  // namespace astil::ha
