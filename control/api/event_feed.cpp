#include "control/api/event_feed.hpp"

#include <boost/json/serialize.hpp>

#include "control/api/json.hpp"

namespace astil::api {
namespace {

class EventFeed final : public Feed {
 public:
  explicit EventFeed(std::unique_ptr<EventFollower> follower) : follower_(std::move(follower)) {}

  std::string take() override {
    std::string text;
    if (!std::exchange(begun_, true)) {
      text = ": events of astil\n\n";  // so that a client knows that it follows
      if (const std::uint64_t missing = follower_->missing(); missing != 0)
        text += "event: gap\ndata: {\"missing\":" + std::to_string(missing) + "}\n\n";
    }
    for (const EventView& event : follower_->take()) {
      text += "id: " + std::to_string(event.number) + "\nevent: " + to_string(event.kind) +
              "\ndata: " + boost::json::serialize(to_json(event)) + "\n\n";
    }
    if (text.empty() && follower_->fell_behind() && !std::exchange(told_, true)) text = "event: behind\ndata: {}\n\n";
    return text;
  }
  void on_ready(std::function<void()> ready) override { follower_->on_ready(std::move(ready)); }
  [[nodiscard]] bool ended() const override { return follower_->fell_behind(); }
  [[nodiscard]] std::optional<Heartbeat> heartbeat() const override { return Heartbeat{kEventHeartbeat, ":\n\n"}; }
  [[nodiscard]] std::optional<std::chrono::milliseconds> patience() const override { return kEventPatience; }
  void lose_patience() override { follower_->give_up(); }

 private:
  std::unique_ptr<EventFollower> follower_;
  bool begun_ = false;
  bool told_ = false;
};

}  // namespace

std::shared_ptr<Feed> make_event_feed(std::unique_ptr<EventFollower> follower) {
  return std::make_shared<EventFeed>(std::move(follower));
}

}  // namespace astil::api
