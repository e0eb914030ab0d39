// The packet path as the daemon drives it: the engine, what was published to it, the census of it. It is told complete
// inputs and makes the tables follow; it knows nothing of files, checks or netlink.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>

#include "control/app/census_runner.hpp"
#include "control/app/engines.hpp"
#include "control/app/flow_sync.hpp"
#include "control/app/inputs.hpp"
#include "control/app/limit_watch.hpp"
#include "control/balance/planner.hpp"
#include "dataplane/mirror.hpp"
#include "dataplane/publisher.hpp"

namespace astil::app {

/// Rings that a publication changes, and that change after it once all backends are well.
struct Forecast {
  std::vector<balance::RingReport> now;
  std::vector<balance::RingReport> well;
};

/// Whether there is room in the tables can be told of those in force, and not of others to come.
enum class Room { of_these_tables, of_others };

class PacketPath {
 public:
  /// Takes over what is there, or makes tables anew (open_engine). `loop` must outlive this.
  static Result<std::unique_ptr<PacketPath>> open(boost::asio::io_context& loop, const EngineOptions& options);

  /// What the packet path did when it was opened: services and rings that an earlier daemon left.
  [[nodiscard]] const dataplane::DesiredState& inherited() const { return inherited_; }
  [[nodiscard]] const dataplane::Origin& origin() const { return origin_; }

  /// All or nothing. Services are then found by their place in `services`.
  Result<std::vector<balance::RingReport>> publish(const std::vector<dataplane::InterfaceState>& interfaces,
                                                   const std::vector<balance::ServiceInput>& services,
                                                   const PathSettings& settings);

  /// What `publish` would do, which it does not: the rings that would change, or why it would be refused.
  [[nodiscard]] Result<Forecast> foresee(const std::vector<dataplane::InterfaceState>& interfaces,
                                         const std::vector<balance::ServiceInput>& services,
                                         const PathSettings& settings, Room room) const;
  /// Rings that change yet, from what is published on, once all backends are well.
  [[nodiscard]] std::vector<balance::RingReport> foresee_well(const std::vector<balance::ServiceInput>& services) const;

  /// What is in force, as it was asked for.
  [[nodiscard]] const EngineOptions& options() const { return options_; }

  /// Is called when source addresses of full NAT that are not wanted any more have had their last connection.
  void on_sources_released(std::function<void()> call) { on_sources_released_ = std::move(call); }

  /// When the rings are to be planned anew, though nothing else has changed.
  [[nodiscard]] std::optional<balance::Clock::time_point> next_step() const { return next_step_; }

  /// Has a service, by place, fewer backends in rotation than it must have?
  [[nodiscard]] bool has_too_few(std::size_t service) const { return too_few_[service]; }

  /// Of its weight, what a backend has that perhaps starts slowly; both by place.
  [[nodiscard]] double weight_share(std::size_t service, std::size_t backend) const {
    return static_cast<double>(tenths_[service][backend]) / balance::kTenths;
  }

  /// From the next census on, these retired numbers' flows are forgotten, until the next publication.
  void give_up(std::vector<std::uint32_t> numbers) { runner_->give_up(std::move(numbers)); }
  /// How many flows were, since the daemon started.
  [[nodiscard]] std::uint64_t given_up() const { return given_up_; }

  /// Is called after each census.
  void on_counted(std::function<void()> call) { on_counted_ = std::move(call); }

  /// Puts right what somebody else has changed of the engine's attachments and pins, and in the tables since the last
  /// publication.
  std::vector<dataplane::Repair> mend();

  /// How many want to hear of single drops.
  void follow_drops(std::uint32_t followers);

  /// Moves to tables of other sizes, to another engine, or to other ports and workers, flows and all.
  Result<void> change_to(const EngineOptions& options);

  /// What brings the other node's flows to these tables. Stopped by `change_to`: who wants it, lets it follow again.
  [[nodiscard]] FlowSync& sync() { return sync_; }
  [[nodiscard]] const FlowSync& sync() const { return sync_; }

  [[nodiscard]] dataplane::Dataplane& engine() { return *engine_; }
  [[nodiscard]] const dataplane::Dataplane& engine() const { return *engine_; }
  [[nodiscard]] const dataplane::Tables& tables() const { return engine_->tables(); }

  /// In the order of the last publication.
  [[nodiscard]] const std::vector<dataplane::PlacedService>& placed() const { return placed_; }
  [[nodiscard]] const dataplane::DesiredState& published() const { return published_; }
  [[nodiscard]] std::vector<dataplane::Retired> retired() const { return publisher_->retired(); }
  [[nodiscard]] const dataplane::Census& census() const { return census_; }
  /// Did the census begin after the last publication?
  [[nodiscard]] bool census_is_new() const { return census_is_new_; }
  /// Was the limit of new flows met lately?
  [[nodiscard]] bool limits_new_flows() const { return limit_watch_.is_met(); }
  [[nodiscard]] std::uint32_t active_flows(std::uint32_t backend) const {
    return backend < census_.flows.size() ? census_.flows[backend] : 0;
  }
  /// Of them, those that are not closing.
  [[nodiscard]] std::uint32_t open_flows(std::uint32_t backend) const {
    return backend < census_.active.size() ? census_.active[backend] : 0;
  }
  /// Of a backend under nat: flows that it has not answered.
  [[nodiscard]] std::uint32_t half_open(std::uint32_t backend) const {
    return backend < census_.half_open.size() ? census_.half_open[backend] : 0;
  }

 private:
  PacketPath(boost::asio::io_context& loop, EngineOptions options, OpenedEngine opened);
  void begin();
  void count_flows();
  void on_census(dataplane::Census census, std::uint64_t round);
  void release_unused();
  void watch_limit();
  Result<dataplane::Published> publish_or_undo(const dataplane::DesiredState& state);
  void restore_tables();

  boost::asio::io_context& loop_;
  EngineOptions options_;
  std::unique_ptr<dataplane::Dataplane> engine_;
  dataplane::Origin origin_;
  std::optional<dataplane::Publisher> publisher_;
  std::optional<dataplane::Mirror> mirror_;
  std::vector<dataplane::Repair> repaired_;  ///< in tables, before a publication; to be told by `mend`
  dataplane::DesiredState inherited_;
  std::optional<balance::Planner> planner_;
  std::vector<dataplane::PlacedService> placed_;
  dataplane::DesiredState published_;
  dataplane::Census census_;
  LimitWatch limit_watch_;
  std::uint32_t drop_followers_ = 0;
  std::function<void()> on_sources_released_;
  std::function<void()> on_counted_;
  bool census_is_new_ = false;
  std::optional<balance::Clock::time_point> next_step_;
  std::vector<std::vector<std::uint32_t>> tenths_;
  std::vector<bool> too_few_;
  std::uint64_t given_up_ = 0;
  /// A census before this one knows less than the last publication; none: nobody has said yet what is wanted.
  std::optional<std::uint64_t> trusted_round_;
  std::shared_ptr<bool> alive_;  ///< of the current census thread: its last results may arrive after it
  std::optional<CensusRunner> runner_;
  FlowSync sync_;  ///< goes before the engine
};

}  // namespace astil::app
