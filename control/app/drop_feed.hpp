// Drops as they happen, from the packet path to those who follow them. The packet path tells of drops only while there
// is a follower.
#pragma once

#include <functional>
#include <memory>

#include "control/api/view.hpp"
#include "control/base/result.hpp"
#include "dataplane/core/events.hpp"

namespace astil::app {

class DropFeed {
 public:
  /// For one follower; when more come before they are taken, the oldest are lost.
  static constexpr std::size_t kHeld = 1024;
  static constexpr std::size_t kMostFollowers = 16;

  /// Is told how many follow, whenever that changes.
  using OnFollowers = std::function<void(std::uint32_t followers)>;

  explicit DropFeed(OnFollowers on_followers);
  DropFeed(const DropFeed&) = delete;
  DropFeed& operator=(const DropFeed&) = delete;
  /// Followers that are left hear of nothing more.
  ~DropFeed();

  /// An error where kMostFollowers follow already.
  [[nodiscard]] Result<std::unique_ptr<api::DropFollower>> follow(const api::DropFilter& filter);

  /// Gives a drop to those who want it.
  void publish(const api::DropEventView& drop);

 private:
  class Follower;
  struct Followers;
  std::shared_ptr<Followers> followers_;
};

/// What the packet path does not know of a drop: its time on the wall's clock, and names.
struct DropNames {
  std::string service;  ///< empty: of none
  std::string interface;
};

/// `now` and `monotonic_now` are the same moment; the latter in nanoseconds, as DropEvent::time.
[[nodiscard]] api::DropEventView view_of(const core::DropEvent& event, const DropNames& names, api::TimePoint now,
                                         std::uint64_t monotonic_now);

}  // namespace astil::app
