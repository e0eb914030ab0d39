// What has changed in the balancer's state, when and why: the last events of each backend, for `astil why`, and the
// last of all, for those who follow them. Memory is bounded whatever happens: a backend that flaps pushes out its own
// events only, and a follower has no queue of its own, but a place in the common one: who falls so far behind that his
// place is gone is dropped, and counted.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/api/view.hpp"
#include "control/base/result.hpp"

namespace astil::app {

class EventLog {
 public:
  static constexpr std::size_t kHeldOfBackend = 32;
  static constexpr std::size_t kHeld = 32'768;  ///< of all: 10,000 backends that go down at once, and more
  static constexpr std::size_t kMostFollowers = 16;
  static constexpr std::size_t kMostRemoved = 1024;  ///< backends that are not in the configuration any more

  using Key = std::pair<std::string, std::string>;  ///< service, backend
  /// What becomes of an event besides.
  using Keep = std::function<void(const api::EventView& event)>;

  /// `now` is the wall's clock.
  EventLog(std::function<api::TimePoint()> now, Keep keep, std::size_t held = kHeld);
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  /// An event of an earlier daemon's, in their order, before all others.
  void restore(api::EventView event);

  /// The state of something, by kind, service, backend, interface, group and track, is `after` now. Nothing happens
  /// where it was so before; `usual` is what a thing is of which nothing was heard, so that only what is unusual is
  /// told at first.
  void change(api::EventKind kind, api::EventView event, std::string_view usual = {});
  /// Something has happened, whatever was before.
  void add(api::EventKind kind, api::EventView event);
  /// Those not among `configured` are removed now.
  void keep_only(const std::set<Key>& configured);

  /// Of a backend; empty: not known.
  [[nodiscard]] std::string_view state(api::EventKind kind, const Key& backend) const;
  [[nodiscard]] std::vector<api::EventView> of_backend(const Key& key) const;
  /// All of which something is remembered.
  [[nodiscard]] std::vector<Key> backends() const;
  [[nodiscard]] std::vector<api::EventView> last(const api::EventFilter& filter, std::size_t limit) const;

  /// From the event after number `after` on, else what comes. An error where kMostFollowers follow already.
  [[nodiscard]] Result<std::unique_ptr<api::EventFollower>> follow(const api::EventFilter& filter,
                                                                   std::optional<std::uint64_t> after);

  [[nodiscard]] std::uint64_t number() const { return shared_->last; }
  [[nodiscard]] std::size_t followers() const { return shared_->followers.size(); }
  /// That fell behind.
  [[nodiscard]] std::uint64_t slow() const { return shared_->slow; }

 private:
  class Follower;
  /// What followers need, and keep where they outlive this.
  struct Shared {
    std::deque<api::EventView> events;  ///< by number, without a gap
    std::uint64_t last = 0;             ///< number
    std::uint64_t slow = 0;
    std::set<Follower*> followers;
  };
  struct Backend {
    std::deque<api::EventView> events;
    bool removed = false;
  };
  /// By kind, service, backend, interface, group and track.
  using Subject = std::tuple<api::EventKind, std::string, std::string, std::string, std::string, std::string>;

  [[nodiscard]] static Subject subject_of(api::EventKind kind, const api::EventView& event);
  void take_in(const api::EventView& event);
  void forget_removed();

  std::function<api::TimePoint()> now_;
  Keep keep_;
  std::size_t held_;
  std::shared_ptr<Shared> shared_;
  std::map<Key, Backend> backends_;
  std::map<Subject, std::string> states_;
  std::deque<Key> removed_;  ///< the longest ago first
};

}  // namespace astil::app
