#include "control/app/flow_sync.hpp"

#include <boost/asio/post.hpp>

#include "control/base/log.hpp"

namespace astil::app {
namespace {

using std::chrono::milliseconds;

/// A census takes less, and its result comes soon after it.
constexpr std::chrono::seconds kCensusAge{30};
constexpr std::uint64_t kBytesPerMegabit = 125'000;

ha::sync::RunnerOptions runner_options(const config::Ha& ha) {
  ha::sync::RunnerOptions options{
      .port = ha.sync->port, .interval = ha.sync->interval, .bytes_per_second = ha.sync->bandwidth * kBytesPerMegabit};
  for (const config::PairPath& path : ha.paths) options.paths.push_back({.local = path.local, .peer = path.peer});
  return options;
}

}  // namespace

FlowSync::~FlowSync() { stop(); }

void FlowSync::stop() {
  if (!runner_) return;
  runner_.reset();
  alive_.reset();
  log::info("flow sync stopped");
}

Result<void> FlowSync::follow(const dataplane::Dataplane& engine, const config::Model& model,
                              std::function<void()> changed) {
  if (!model.ha || !model.ha->sync) {
    stop();
    return {};
  }
  auto keys = read_keys(*model.ha);
  if (keys.has_error()) return keys.error();
  Setup wanted{.engine = &engine, .options = runner_options(*model.ha), .secret = keys->current.secret, .previous = {}};
  if (keys->previous.present != 0) wanted.previous = keys->previous.secret;
  if (runner_ && wanted == setup_) return {};
  stop();
  alive_ = std::make_shared<bool>(true);
  const auto tell = [this, alive = std::weak_ptr(alive_), changed = std::move(changed)] {
    boost::asio::post(loop_, [alive, changed] {
      if (!alive.expired()) changed();
    });
  };
  auto runner =
      ha::sync::Runner::start(engine, ha::sync::Keyring(wanted.secret, wanted.previous), wanted.options, tell);
  if (runner.has_error()) return runner.error();
  runner_ = std::move(*runner);
  runner_->set_active(active_);
  setup_ = std::move(wanted);
  log::info("flow sync started", {{"paths", setup_.options.paths.size()}, {"port", setup_.options.port}});
  return {};
}

bool FlowSync::wrote_lately(std::uint32_t number) const {
  return runner_ && runner_->wrote_since(number, ha::sync::Clock::now() - kCensusAge);
}

void FlowSync::set_active(bool active) {
  if (std::exchange(active_, active) == active || !runner_) return;
  runner_->set_active(active);
}

Result<bool> FlowSync::told_since(ha::sync::Clock::time_point time) const {
  if (!runner_) return Error{"nothing brings flows to the other node", "set ha.sync on both nodes"};
  return runner_->told_since(time);
}

std::optional<ha::sync::PeerStatus> FlowSync::status() const {
  if (!runner_) return std::nullopt;
  return runner_->status();
}

}  // namespace astil::app
