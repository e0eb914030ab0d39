#include "control/app/event_log.hpp"

#include <algorithm>

#include "control/api/json.hpp"

namespace astil::app {
namespace {

/// By one call of a follower's: what it takes is sent before it takes more.
constexpr std::size_t kTakenAtOnce = 256;
constexpr const char* kRemoved = "removed";

bool matches(const api::EventFilter& filter, const api::EventView& event) {
  return (!filter.service || *filter.service == event.service) && (!filter.backend || *filter.backend == event.backend);
}

}  // namespace

class EventLog::Follower final : public api::EventFollower {
 public:
  Follower(std::shared_ptr<Shared> shared, api::EventFilter filter, std::optional<std::uint64_t> after)
      : shared_(std::move(shared)), filter_(std::move(filter)), next_(after.value_or(shared_->last) + 1) {
    next_ = std::min(next_, shared_->last + 1);
    const std::uint64_t first = first_held();
    if (next_ < first) missing_ = first - std::exchange(next_, first);
    shared_->followers.insert(this);
  }
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;
  ~Follower() override { shared_->followers.erase(this); }

  std::vector<api::EventView> take() override {
    std::vector<api::EventView> taken;
    if (behind_) return taken;
    const std::uint64_t first = first_held();
    for (; next_ <= shared_->last && taken.size() < kTakenAtOnce; ++next_) {
      const api::EventView& event = shared_->events[next_ - first];
      if (matches(filter_, event)) taken.push_back(event);
    }
    return taken;
  }

  void on_ready(std::function<void()> ready) override { ready_ = std::move(ready); }
  [[nodiscard]] bool fell_behind() const override { return behind_; }
  [[nodiscard]] std::uint64_t missing() const override { return missing_; }
  void give_up() override {
    if (!std::exchange(behind_, true)) ++shared_->slow;
  }

  /// Of the event that came last.
  void hear(const api::EventView& event) {
    if (behind_) return;
    if (next_ < first_held()) {
      give_up();
      if (ready_) ready_();
      return;
    }
    if (!matches(filter_, event)) {
      if (next_ == event.number) ++next_;  // nothing to take, before and after
      return;
    }
    if (ready_) ready_();
  }

 private:
  [[nodiscard]] std::uint64_t first_held() const { return shared_->last + 1 - shared_->events.size(); }

  std::shared_ptr<Shared> shared_;
  api::EventFilter filter_;
  std::uint64_t next_;  ///< number of the event to be looked at next
  std::uint64_t missing_ = 0;
  bool behind_ = false;
  std::function<void()> ready_;
};

EventLog::EventLog(std::function<api::TimePoint()> now, Keep keep, std::size_t held)
    : now_(std::move(now)), keep_(std::move(keep)), held_(held), shared_(std::make_shared<Shared>()) {}

EventLog::~EventLog() = default;

void EventLog::restore(api::EventView event) {
  if (event.number <= shared_->last) return;
  // Numbers that the file lacks are taken as never given: what is held has no gap.
  if (event.number != shared_->last + 1) shared_->events.clear();
  shared_->last = event.number;
  take_in(event);
}

EventLog::Subject EventLog::subject_of(api::EventKind kind, const api::EventView& event) {
  return {kind, event.service, event.backend, event.interface, event.group, event.track};
}

void EventLog::change(api::EventKind kind, api::EventView event, std::string_view usual) {
  const auto state = states_.find(subject_of(kind, event));
  const std::string before = state == states_.end() ? std::string(usual) : state->second;
  if (before == event.after) return;
  event.before = before;
  add(kind, std::move(event));
}

void EventLog::add(api::EventKind kind, api::EventView event) {
  event.kind = kind;
  event.number = ++shared_->last;
  event.time = api::to_rfc3339_micro(now_());
  take_in(event);
  keep_(event);
  // A follower may leave when it is told.
  const std::vector<Follower*> told(shared_->followers.begin(), shared_->followers.end());
  for (Follower* follower : told) {
    if (shared_->followers.contains(follower)) follower->hear(event);
  }
}

void EventLog::take_in(const api::EventView& event) {
  states_[subject_of(event.kind, event)] = event.after;
  shared_->events.push_back(event);
  if (shared_->events.size() > held_) shared_->events.pop_front();
  if (event.backend.empty()) return;
  const Key key(event.service, event.backend);
  Backend& backend = backends_[key];
  backend.events.push_back(event);
  if (backend.events.size() > kHeldOfBackend) backend.events.pop_front();
  const bool removed = event.kind == api::EventKind::rotation && event.after == kRemoved;
  if (removed == std::exchange(backend.removed, removed)) return;
  if (!removed) {
    std::erase(removed_, key);
    return;
  }
  removed_.push_back(key);
  forget_removed();
}

void EventLog::keep_only(const std::set<Key>& configured) {
  std::vector<Key> gone;
  for (const auto& [key, backend] : backends_) {
    if (!backend.removed && !configured.contains(key)) gone.push_back(key);
  }
  for (const Key& key : gone) {
    change(api::EventKind::rotation,
           {.service = key.first, .backend = key.second, .after = kRemoved, .reason = "not in the configuration"});
  }
}

void EventLog::forget_removed() {
  while (removed_.size() > kMostRemoved) {
    const Key key = removed_.front();
    removed_.pop_front();
    backends_.erase(key);
    std::erase_if(states_, [&](const auto& state) {
      return std::get<1>(state.first) == key.first && std::get<2>(state.first) == key.second;
    });
  }
}

std::string_view EventLog::state(api::EventKind kind, const Key& backend) const {
  const auto found = states_.find(Subject(kind, backend.first, backend.second, {}, {}, {}));
  return found == states_.end() ? std::string_view() : std::string_view(found->second);
}

std::vector<api::EventView> EventLog::of_backend(const Key& key) const {
  const auto found = backends_.find(key);
  if (found == backends_.end()) return {};
  return {found->second.events.begin(), found->second.events.end()};
}

std::vector<EventLog::Key> EventLog::backends() const {
  std::vector<Key> keys;
  for (const auto& [key, backend] : backends_) keys.push_back(key);
  return keys;
}

std::vector<api::EventView> EventLog::last(const api::EventFilter& filter, std::size_t limit) const {
  std::vector<api::EventView> found;
  for (auto event = shared_->events.rbegin(); event != shared_->events.rend() && found.size() < limit; ++event) {
    if (matches(filter, *event)) found.push_back(*event);
  }
  std::ranges::reverse(found);
  return found;
}

Result<std::unique_ptr<api::EventFollower>> EventLog::follow(const api::EventFilter& filter,
                                                             std::optional<std::uint64_t> after) {
  if (shared_->followers.size() >= kMostFollowers) {
    return Error{std::to_string(kMostFollowers) + " follow events already, which is the most",
                 "end one of the others: 'ss -xp' tells who is connected to the daemon's socket"};
  }
  return std::make_unique<Follower>(shared_, filter, after);
}

}  // namespace astil::app
