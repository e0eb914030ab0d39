#include "control/app/drop_feed.hpp"

#include <algorithm>
#include <deque>
#include <set>

#include "control/api/json.hpp"
#include "control/app/inputs.hpp"
#include "dataplane/core/headers.hpp"

namespace astil::app {

struct DropFeed::Followers {
  std::set<Follower*> all;
  OnFollowers on_change;  ///< none: the feed is gone

  void changed() const {
    if (on_change) on_change(static_cast<std::uint32_t>(all.size()));
  }
};

class DropFeed::Follower final : public api::DropFollower {
 public:
  Follower(std::shared_ptr<Followers> followers, api::DropFilter filter)
      : followers_(std::move(followers)), filter_(std::move(filter)) {
    followers_->all.insert(this);
    followers_->changed();
  }
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;
  ~Follower() override {
    followers_->all.erase(this);
    followers_->changed();
  }

  std::vector<api::DropEventView> take() override {
    std::vector<api::DropEventView> drops(held_.begin(), held_.end());
    held_.clear();
    if (!drops.empty()) drops.front().lost = std::exchange(lost_, 0);
    return drops;
  }

  void on_ready(std::function<void()> ready) override { ready_ = std::move(ready); }

  void hear(const api::DropEventView& drop) {
    const bool wanted =
        (!filter_.service || *filter_.service == drop.service) && (!filter_.reason || *filter_.reason == drop.reason);
    if (!wanted) return;
    if (held_.size() == kHeld) {
      held_.pop_front();
      ++lost_;
    }
    held_.push_back(drop);
    if (held_.size() == 1 && ready_) ready_();
  }

 private:
  std::shared_ptr<Followers> followers_;
  api::DropFilter filter_;
  std::deque<api::DropEventView> held_;
  std::uint64_t lost_ = 0;
  std::function<void()> ready_;
};

DropFeed::DropFeed(OnFollowers on_followers) : followers_(std::make_shared<Followers>()) {
  followers_->on_change = std::move(on_followers);
}

DropFeed::~DropFeed() { followers_->on_change = nullptr; }

Result<std::unique_ptr<api::DropFollower>> DropFeed::follow(const api::DropFilter& filter) {
  if (followers_->all.size() >= kMostFollowers) {
    return Error{std::to_string(kMostFollowers) + " follow drops already, which is the most",
                 "end one of the others: 'ss -xp' tells who is connected to the daemon's socket"};
  }
  return std::make_unique<Follower>(followers_, filter);
}

void DropFeed::publish(const api::DropEventView& drop) {
  for (Follower* follower : followers_->all) follower->hear(drop);
}

namespace {

std::string protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case core::kProtocolTcp:
      return "tcp";
    case core::kProtocolUdp:
      return "udp";
    case core::kProtocolIcmp:
      return "icmp";
    case core::kProtocolIcmpv6:
      return "ipv6-icmp";
    default:
      return std::to_string(protocol);
  }
}

}  // namespace

api::DropEventView view_of(const core::DropEvent& event, const DropNames& names, api::TimePoint now,
                           std::uint64_t monotonic_now) {
  const std::chrono::nanoseconds ago(static_cast<std::int64_t>(monotonic_now - event.time));
  const auto time = now - std::chrono::duration_cast<api::TimePoint::duration>(ago);
  const std::size_t reason = std::min<std::size_t>(event.reason, std::size(core::kReasons) - 1);
  return {.time = api::to_rfc3339_micro(time),
          .reason = core::kReasons[reason].name,
          .service = names.service,
          .protocol = protocol_name(event.protocol),
          .source = {from_core(event.source), host(event.source_port)},
          .destination = {from_core(event.destination), host(event.destination_port)},
          .length = event.length,
          .interface = names.interface};
}

}  // namespace astil::app
