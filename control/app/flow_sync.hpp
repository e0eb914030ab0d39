// Flow sync with the other node as the daemon drives it: started and stopped as the configuration says, out of the way
// of whoever publishes to the tables. On the daemon's loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "control/app/pair_plan.hpp"
#include "control/config/model.hpp"
#include "control/ha/sync/runner.hpp"

namespace astil::app {

class FlowSync {
 public:
  explicit FlowSync(boost::asio::io_context& loop) : loop_(loop) {}
  ~FlowSync();
  FlowSync(const FlowSync&) = delete;
  FlowSync& operator=(const FlowSync&) = delete;

  /// Runs over this engine as the model says; anew only where that has changed. The engine must outlive it, or `stop`
  /// comes first. `changed` is called on the loop when `has_peer_table` changes.
  [[nodiscard]] Result<void> follow(const dataplane::Dataplane& engine, const config::Model& model,
                                    std::function<void()> changed);
  void stop();

  /// While it lives, nothing of the peer's is written. To be held while tables are published to.
  class Pause {
   public:
    explicit Pause(FlowSync& sync) : sync_(sync) {
      if (sync_.runner_) guard_.emplace(*sync_.runner_);
    }
    ~Pause() {
      if (guard_ && changed_) sync_.runner_->names_changed();
    }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

    /// Backends, services or source addresses have other numbers now.
    void note_change() { changed_ = true; }

   private:
    FlowSync& sync_;
    bool changed_ = false;
    std::optional<ha::sync::Runner::TablesGuard> guard_;
  };

  /// During a Pause: may flows of this number have come since the last census looked?
  [[nodiscard]] bool wrote_lately(std::uint32_t number) const;

  /// Whether clients' packets come to this node.
  void set_active(bool active);
  [[nodiscard]] bool runs() const { return runner_ != nullptr; }
  /// All that the peer had is here; also where nobody brings flows.
  [[nodiscard]] bool has_peer_table() const { return !runner_ || runner_->has_peer_table(); }
  /// Whether the peer has all flows that were here then; an error where nobody brings them.
  [[nodiscard]] Result<bool> told_since(ha::sync::Clock::time_point time) const;
  /// None: it does not run.
  [[nodiscard]] std::optional<ha::sync::PeerStatus> status() const;

 private:
  struct Setup {
    const dataplane::Dataplane* engine = nullptr;
    ha::sync::RunnerOptions options;
    ha::sync::Secret secret{};
    std::optional<ha::sync::Secret> previous;
    bool operator==(const Setup&) const = default;
  };

  boost::asio::io_context& loop_;
  Setup setup_;
  bool active_ = false;
  std::shared_ptr<bool> alive_;  ///< of the current thread: its word may come after it
  std::unique_ptr<ha::sync::Runner> runner_;
};

}  // namespace astil::app
