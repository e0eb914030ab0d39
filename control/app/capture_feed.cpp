#include "control/app/capture_feed.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <map>
#include <utility>

#include "control/base/log.hpp"
#include "control/config/utf8.hpp"
#include "control/pcapng/writer.hpp"

namespace astil::app {
namespace {

/// Room for the last block of a file.
constexpr std::size_t kEndBytes = 512;

template <class Clock>
std::int64_t nanoseconds_of() {
  return std::chrono::nanoseconds(Clock::now().time_since_epoch()).count();
}

const char* name_of(core::CapturedBy by) {
  switch (by) {
    case core::CapturedBy::ring:
      return "ring";
    case core::CapturedBy::round_robin:
      return "round-robin";
    case core::CapturedBy::source_hash:
      return "source-hash";
    case core::CapturedBy::load:
      return "load";
    case core::CapturedBy::affinity:
      return "affinity";
    case core::CapturedBy::none:
      break;
  }
  return "";
}

bool has_slot(core::CapturedBy by) {
  return by == core::CapturedBy::ring || by == core::CapturedBy::round_robin || by == core::CapturedBy::source_hash;
}

const core::ReasonText& reason_of(const core::CapturedPacket& packet) {
  return core::kReasons[std::min<std::size_t>(packet.reason, std::size(core::kReasons) - 1)];
}

/// What became of the packet: the frame's place before or after that, or that there is no other.
const char* place_of(const core::CapturedPacket& packet) {
  switch (reason_of(packet).action) {
    case core::Action::pass:
      return "passed";
    case core::Action::hold:
      return "held";
    case core::Action::refuse:
    case core::Action::drop:
      return "dropped";
    case core::Action::transmit:
      break;
  }
  return "before";
}

/// In words that a display filter finds: `frame.comment contains "backend=web1"`.
std::string decision_of(const core::CapturedPacket& packet, const Names& names) {
  std::string text = std::string("reason=") + reason_of(packet).name;
  if (packet.service != core::kNoService) text += " service=" + names.service(packet.service);
  if (packet.backend != core::kNobody) text += " backend=" + names.backend(packet.backend);
  if (packet.flow != core::CapturedFlow::none)
    text += packet.flow == core::CapturedFlow::known ? " flow=known" : " flow=new";
  if (packet.by != core::CapturedBy::none) text += std::string(" by=") + name_of(packet.by);
  if (has_slot(packet.by)) text += " slot=" + std::to_string(packet.slot);
  return text;
}

std::string description_of(const api::CaptureQuery& query) {
  std::string text = "packets of " + query.service.value_or("any service");
  if (query.backend) text += ", of backend " + *query.backend;
  if (query.client)
    text += ", of client " + query.client->address.to_string() + "/" + std::to_string(query.client->bits);
  return text + "; at most " + std::to_string(query.rate) + " a second, " + std::to_string(query.snap) +
         " bytes of a frame";
}

}  // namespace

/// What the feed and the client's handle share.
class CaptureFeed::Running : public std::enable_shared_from_this<Running> {
 public:
  Running(CaptureFeed& feed, const api::CaptureQuery& query)
      : feed_(&feed),
        query_(query),
        to_wall_(nanoseconds_of<std::chrono::system_clock>() - nanoseconds_of<std::chrono::steady_clock>()) {
    add(pcapng::section_header("astil " ASTIL_VERSION, config::made_printable(description_of(query))));
    for (const std::uint32_t ifindex : feed.path_.interfaces()) (void)id_of(ifindex);
    if (ids_.empty()) (void)id_of(0);  // the end's statistics stand with the first
  }

  [[nodiscard]] const api::CaptureQuery& query() const { return query_; }
  [[nodiscard]] bool ended() const { return feed_ == nullptr; }
  [[nodiscard]] std::string take() { return std::exchange(held_, {}); }
  void on_ready(std::function<void()> ready) { ready_ = std::move(ready); }
  void end(const std::string& why) {
    if (feed_ != nullptr) feed_->end(why);
  }

  void hear(const dataplane::CapturedFrames& captured) {
    if (full_) return;
    if (held_.size() >= kHeld) {
      ++not_taken_;
      return;
    }
    const std::string blocks = blocks_of(captured);
    if (size_ + blocks.size() + kEndBytes > query_.size) {
      fill("it has its bytes");
      return;
    }
    ++packets_;
    add(blocks);
    if (packets_ == query_.count) fill("it has its packets");
  }

  void finish(const core::CaptureCounts& counts, const std::string& why) {
    feed_ = nullptr;
    const std::uint64_t lost = counts.no_room + not_taken_;
    add(pcapng::interface_statistics({.time = wall(nanoseconds_of<std::chrono::steady_clock>()),
                                      .delivered = packets_,
                                      .over_rate = counts.over_rate,
                                      .lost = lost,
                                      .comment = why}));
    log::info("capture ended",
              {{"why", why}, {"packets", packets_}, {"bytes", size_}, {"over_rate", counts.over_rate}, {"lost", lost}});
  }

 private:
  [[nodiscard]] std::uint64_t wall(std::int64_t monotonic) const {
    return static_cast<std::uint64_t>(monotonic + to_wall_);
  }

  void add(const std::string& blocks) {
    const bool first = held_.empty();
    size_ += blocks.size();
    held_ += blocks;
    if (first && ready_) ready_();
  }

  /// The first packet of an interface has its description before it. `ids_` is changed for good, so what is described
  /// is added at once.
  std::uint32_t id_of(std::uint32_t ifindex) {
    const auto [place, is_new] = ids_.emplace(ifindex, static_cast<std::uint32_t>(ids_.size()));
    if (is_new) {
      const std::string name = ifindex == 0 ? "none" : feed_->names_.interface(ifindex);
      add(pcapng::interface_description({.name = name, .snap = query_.snap}));
    }
    return place->second;
  }

  std::string blocks_of(const dataplane::CapturedFrames& captured) {
    const core::CapturedPacket& packet = captured.packet;
    const std::string decision = decision_of(packet, feed_->names_);
    std::string why = place_of(packet) + (": " + decision);
    if (reason_of(packet).action != core::Action::transmit) why += std::string(" (") + reason_of(packet).text + ")";
    pcapng::Frame frame{.interface = id_of(packet.ingress),
                        .time = wall(static_cast<std::int64_t>(packet.time)),
                        .bytes = captured.arrived,
                        .length = packet.length,
                        .direction = pcapng::Direction::inbound,
                        .packet_id = packets_ + 1,
                        .comment = why};
    std::string blocks = pcapng::enhanced_packet(frame);
    if (captured.left.empty()) return blocks;
    const std::string after = "after: " + decision;
    frame.interface = id_of(packet.egress);
    frame.bytes = captured.left;
    frame.length = packet.left_length;
    frame.direction = pcapng::Direction::outbound;
    frame.comment = after;
    return blocks + pcapng::enhanced_packet(frame);
  }

  /// The packet path must not be told to stop while it gives out packets.
  void fill(const std::string& why) {
    full_ = true;
    boost::asio::post(feed_->loop_, [weak = weak_from_this(), why] {
      if (const auto self = weak.lock()) self->end(why);
    });
  }

  CaptureFeed* feed_;  ///< null: it has ended
  api::CaptureQuery query_;
  std::int64_t to_wall_;  ///< from the monotonic clock to the wall's, nanoseconds
  std::map<std::uint32_t, std::uint32_t> ids_;
  std::string held_;
  std::uint64_t size_ = 0;  ///< bytes so far, those that are taken included
  std::uint64_t packets_ = 0;
  std::uint64_t not_taken_ = 0;
  bool full_ = false;
  std::function<void()> ready_;
};

class CaptureFeed::Handle final : public api::Capture {
 public:
  explicit Handle(std::shared_ptr<Running> running) : running_(std::move(running)) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() override {
    running_->on_ready(nullptr);
    running_->end(kLeft);
  }

  std::string take() override { return running_->take(); }
  void on_ready(std::function<void()> ready) override { running_->on_ready(std::move(ready)); }
  void end() override { running_->end(kLeft); }
  [[nodiscard]] bool ended() const override { return running_->ended(); }

 private:
  static constexpr const char* kLeft = "its client wanted no more";
  std::shared_ptr<Running> running_;
};

CaptureFeed::CaptureFeed(boost::asio::io_context& loop, Path path, Names names)
    : loop_(loop), path_(std::move(path)), names_(std::move(names)), deadline_(loop) {}

CaptureFeed::~CaptureFeed() { end("the daemon ended"); }

Result<std::unique_ptr<api::Capture>> CaptureFeed::begin(const api::CaptureQuery& query,
                                                         const core::CaptureFilter& filter) {
  if (running_) {
    return Error{"a capture runs already, and there is one at a time",
                 "end the other one: 'ss -xp' tells who is connected to the daemon's socket"};
  }
  const auto running = std::make_shared<Running>(*this, query);
  const auto take = [running](const dataplane::CapturedFrames& captured) { running->hear(captured); };
  if (auto started = path_.start(filter, take); started.has_error()) return started.error();
  running_ = running;
  deadline_.expires_after(std::chrono::seconds(query.seconds));
  deadline_.async_wait([this, weak = std::weak_ptr(running)](boost::system::error_code error) {
    if (!error && !weak.expired()) end("its time was over");
  });
  log::info("capture started", {{"of", description_of(query)}, {"seconds", query.seconds}});
  return std::make_unique<Handle>(running);
}

std::optional<api::CaptureQuery> CaptureFeed::query() const {
  return running_ ? std::optional(running_->query()) : std::nullopt;
}

void CaptureFeed::end(const std::string& why) {
  const auto running = std::exchange(running_, nullptr);
  if (!running) return;
  deadline_.cancel();
  const auto counts = path_.stop();
  if (counts.has_error()) log::error("capture not taken off every interface", {{"error", counts.error().text()}});
  running->finish(counts.has_value() ? *counts : core::CaptureCounts{}, why);
}

}  // namespace astil::app
