// The daemon: configuration, health, network and packet path, held together. Watchers and requests change what is
// wanted or known; one function, `reconcile`, makes the packet path and the service addresses follow.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <random>

#include "control/api/server.hpp"
#include "control/app/backend_orders.hpp"
#include "control/app/capture_feed.hpp"
#include "control/app/changes.hpp"
#include "control/app/confirmation.hpp"
#include "control/app/drain_watch.hpp"
#include "control/app/drop_feed.hpp"
#include "control/app/event_file.hpp"
#include "control/app/event_log.hpp"
#include "control/app/flow_walk.hpp"
#include "control/app/fragment_holder.hpp"
#include "control/app/history.hpp"
#include "control/app/inputs.hpp"
#include "control/app/instance_lock.hpp"
#include "control/app/name_server.hpp"
#include "control/app/pace.hpp"
#include "control/app/packet_path.hpp"
#include "control/app/pair.hpp"
#include "control/app/path_probes.hpp"
#include "control/app/removal_clock.hpp"
#include "control/app/repairs.hpp"
#include "control/app/retry.hpp"
#include "control/app/service_addresses.hpp"
#include "control/app/site_orders.hpp"
#include "control/app/site_reports.hpp"
#include "control/config/load.hpp"
#include "control/discovery/discoveries.hpp"
#include "control/health/asio_prober.hpp"
#include "control/health/suspicions.hpp"
#include "control/health/verdicts.hpp"
#include "control/net/network.hpp"

namespace astil::app {

struct DaemonOptions {
  std::string config_file;
  std::string state_directory;  ///< of the files that the daemon keeps; without a slash at its end
  std::string config_text;      ///< what the file holds
  xdp::Program program;
};

class Daemon final : public api::Daemon {
 public:
  /// Opens everything that can fail, attaches the packet path, and leaves nothing behind where it fails. `on_ready` is
  /// called once, on the loop, when traffic is served as the configuration says. `loop` must outlive the daemon.
  static Result<std::unique_ptr<Daemon>> start(boost::asio::io_context& loop, const DaemonOptions& options,
                                               config::Model model, std::function<void()> on_ready);
  ~Daemon() override;
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Applies the configuration file again; what is wrong with it is logged.
  void reload();

  [[nodiscard]] api::VersionView version() const override;
  [[nodiscard]] api::StatusView status() const override;
  [[nodiscard]] Result<api::DropsView> drops(const api::DropFilter& filter) const override;
  [[nodiscard]] Result<std::unique_ptr<api::DropFollower>> follow_drops(const api::DropFilter& filter) override;
  [[nodiscard]] Result<std::unique_ptr<api::FlowWalk>> flows(const api::FlowFilter& filter) const override;
  [[nodiscard]] Result<std::unique_ptr<api::Capture>> capture(const api::CaptureQuery& query) override;
  [[nodiscard]] Result<api::TraceView> trace(const api::TraceQuery& query) const override;
  [[nodiscard]] Result<api::DrainsView> backends(const api::BackendFilter& filter) const override;
  [[nodiscard]] Result<api::WhyView> why(const api::BackendFilter& filter) const override;
  [[nodiscard]] api::EventsView events(const api::EventFilter& filter, std::size_t limit) const override;
  [[nodiscard]] Result<std::unique_ptr<api::EventFollower>> follow_events(const api::EventFilter& filter,
                                                                          std::optional<std::uint64_t> after) override;
  [[nodiscard]] Result<api::DrainsView> order(const api::BackendFilter& filter, api::AdminState state,
                                              const api::Caller& by) override;
  [[nodiscard]] api::Applied plan(const api::Change& change) override;
  [[nodiscard]] api::Applied apply(const api::Change& change) override;
  [[nodiscard]] api::Awaited<api::HistoryEntry> confirm() override;
  [[nodiscard]] api::Applied rollback(std::optional<std::uint64_t> number, const api::Caller& by) override;
  [[nodiscard]] api::HistoryView history() const override;
  [[nodiscard]] api::Awaited<api::HandoverView> handover(const api::HandoverOrder& order) override;
  [[nodiscard]] api::ReportView report() const override;
  [[nodiscard]] Result<api::DnsExplainView> explain(const api::DnsQuestion& question) const override;
  [[nodiscard]] Result<api::DnsOrderView> order_site(const std::string& site, const std::string& state) override;
  [[nodiscard]] Result<> detach() override;
  void after_detach() override;

 private:
  using Applied = api::Applied;
  using Accepted = boost::system::result<config::Model, api::Refusal>;
  /// What `reconcile` did, and what it could not do while packets flow as wanted: a service address is not there.
  struct Reconciled {
    std::vector<balance::RingReport> rings;
    std::vector<Error> shortcomings;
  };

  Daemon(boost::asio::io_context& loop, DaemonOptions options, config::Model model, std::function<void()> on_ready);

  Result<void> open();
  Result<void> open_packet_path();
  Result<void> check_first_interfaces();
  Result<void> check_interfaces(const config::Model& model) const;
  Result<void> attach_interfaces();
  void detach_unused_interfaces();
  void follow_model();
  Result<void> follow_path_probes();
  config::Model exchange_model(config::Model next);
  [[nodiscard]] std::span<const dataplane::PlacedService> in_force() const;
  [[nodiscard]] config::Model with_found(config::Model model) const;
  [[nodiscard]] Result<config::Model> with_found_after(const config::Model& configured) const;
  [[nodiscard]] Result<void> check_set(config::Model model, const std::string& name, const discovery::Set& set) const;
  [[nodiscard]] Result<void> check_sets(const config::Model& configured) const;
  [[nodiscard]] Result<void> on_found(const std::string& service);
  void follow_sources();
  void follow_first_sources();
  [[nodiscard]] std::optional<api::DiscoveryView> discovery_view(const config::Service& service) const;
  void watch();
  void mend();
  void on_address_lost(const net::InterfaceAddress& lost);
  void on_next_hop_change(const config::address& host);
  void note_next_hops(const std::set<config::address>& hosts);
  [[nodiscard]] Repairs::Told told_repairs();
  void watch_events();
  void stop_watching_events();
  void await_settling();
  [[nodiscard]] bool all_known() const;
  void settle_when_known();
  void settle();

  void request_reconcile();
  void follow();
  Result<Reconciled> reconcile();
  Result<Reconciled> reconcile_once();
  [[nodiscard]] EngineOptions engine_for(const config::Model& model) const;
  Result<void> fit_tables();
  void note_applied();
  [[nodiscard]] std::vector<dataplane::InterfaceState> named_interfaces(const config::Model& model) const;
  [[nodiscard]] std::vector<dataplane::InterfaceState> interface_states(const config::Model& model) const;
  [[nodiscard]] std::set<PlacedAddress> wanted_port_sources() const;
  enum class PairStep { before_publication, after_publication };
  [[nodiscard]] Result<void> follow_pair(PairStep step);
  [[nodiscard]] std::vector<const config::VrrpGroup*> together_with(const config::VrrpGroup& group) const;
  [[nodiscard]] Result<std::vector<const config::VrrpGroup*>> groups_of(const api::HandoverOrder& order) const;
  [[nodiscard]] Result<bool> is_handed_over(const api::HandoverOrder& order,
                                            const std::vector<const config::VrrpGroup*>& groups) const;
  void note_handover(const Result<api::HandoverView>& ended);
  void note_pair();
  [[nodiscard]] Result<void> follow_sync();
  void note_peer_table();
  void tell_engine();
  [[nodiscard]] Result<void> is_peer_ready(const std::vector<const config::VrrpGroup*>& groups) const;
  [[nodiscard]] std::set<PlacedAddress> wanted_addresses() const;
  void remember_labels();

  [[nodiscard]] Accepted accept(const std::string& yaml, const std::string& file_name) const;
  [[nodiscard]] FlowCounts flow_counts() const;
  [[nodiscard]] Facts facts_after() const;
  [[nodiscard]] balance::Intake intake_of(const config::Service& service, const config::Backend& backend) const;
  void choose_start();
  void tell_digest();
  [[nodiscard]] Applied apply_by(const api::Change& change, api::ChangedBy by);
  [[nodiscard]] bool runs(const std::string& text) const;
  [[nodiscard]] Result<> promise(const api::Change& change);
  [[nodiscard]] Applied go_back(std::uint64_t number, api::HistoryEntry entry);
  [[nodiscard]] bool take_back_unconfirmed();
  [[nodiscard]] api::ConfigView config_view() const;
  [[nodiscard]] Error refuse_change(const config::Model& wanted) const;
  [[nodiscard]] api::Refusal refuse(api::Refusal refusal);
  [[nodiscard]] Applied change_to(config::Model wanted);
  /// What a change is taken back to.
  struct Before {
    config::Model configured;
    discovery::Discoveries::Sets found;
    config::Model model;  ///< as it was followed
    std::uint64_t publications;
    bool is_placed;
  };
  [[nodiscard]] Applied take_back(Before before, const Error& why);
  [[nodiscard]] Facts facts() const;
  [[nodiscard]] Labels labels_of(std::uint32_t backend) const;
  [[nodiscard]] std::string service_name(std::uint32_t id) const;
  [[nodiscard]] std::optional<std::uint32_t> service_id(const std::string& name) const;
  [[nodiscard]] Names names() const;
  void on_health_change(const health::TargetKey& key, const health::State& state);
  [[nodiscard]] static bool is_of_name(const health::TargetKey& key);
  void add_site_targets(std::vector<health::Subject>& subjects) const;
  [[nodiscard]] AddressFact fact_of(const config::Service& service) const;
  [[nodiscard]] AddressFact fact_of(const std::string& name, const config::DnsSite& site,
                                    const config::address& host) const;
  [[nodiscard]] std::uint64_t connections_of(std::size_t service) const;
  [[nodiscard]] std::optional<std::uint64_t> capacity_now(std::size_t service) const;
  [[nodiscard]] std::optional<dns::SiteLoad> load_of(const config::DnsSite& site) const;
  [[nodiscard]] SiteFacts site_facts() const;
  [[nodiscard]] Orders orders_of_sites() const;
  void learn_of_sites();
  void watch_drains();
  void watch_signs();
  void give_up_retired();
  [[nodiscard]] std::set<std::string> withdrawn_services() const;
  void note_withdrawn();
  void recall_events();
  void note_states();
  void note_interfaces();
  void note_configuration(const api::HistoryEntry& entry);
  [[nodiscard]] std::string why_in_or_out(std::size_t service, std::size_t backend) const;
  [[nodiscard]] bool is_in_rotation(std::size_t service, std::size_t backend) const;
  [[nodiscard]] api::EventLogView event_log_view() const;
  void await_next_step();
  [[nodiscard]] Result<std::vector<BackendOrders::Key>> named(const api::BackendFilter& filter) const;
  [[nodiscard]] api::DrainView drain_view(const BackendOrders::Key& key) const;
  [[nodiscard]] std::set<std::string> service_names() const;
  [[nodiscard]] Result<void> check_names(const api::FlowFilter& filter) const;
  [[nodiscard]] Result<void> check_names(const api::DropFilter& filter) const;
  [[nodiscard]] Result<core::CaptureFilter> capture_filter(const api::CaptureQuery& query) const;
  [[nodiscard]] CaptureFeed::Path capture_path();
  void on_fragment(std::uint32_t ifindex, std::span<const std::byte> frame);
  void retry_fragments();
  FragmentHolder::Path fragment_path();
  void lose_fragment(std::uint32_t ifindex, std::span<const std::byte> frame);
  void on_drop(const core::DropEvent& drop);
  void on_neighbour_wanted(const core::NeighbourWanted& wanted);

  friend class StatusBuilder;

  std::optional<InstanceLock> lock_;  ///< goes last
  std::optional<EventFile> event_file_;
  EventLog event_log_{std::chrono::system_clock::now,
                      [this](const api::EventView& event) { event_file_->append(event); }};
  boost::asio::io_context& loop_;
  DaemonOptions options_;
  config::Model configured_;  ///< as it was loaded
  config::Model model_;       ///< with the backends that are found
  std::function<void()> on_ready_;
  api::TimePoint started_at_;
  api::ConfigView config_view_;
  bool adopted_ = false;                ///< a running packet path was taken over at the start
  std::set<std::string> started_with_;  ///< interfaces that were there then, or with an earlier daemon

  BackendOrders orders_;
  std::uint64_t orders_ok_ = 0;
  std::uint64_t orders_refused_ = 0;
  std::set<std::string> withdrawn_;  ///< services, by the last publication
  DrainWatch drains_;
  health::Suspicions suspicions_;
  RemovalClock removal_clock_;
  std::set<BackendOrders::Key> drained_;  ///< ordered out, and told to be without flows

  std::unique_ptr<net::Network> network_;
  std::unique_ptr<PathProbes> path_probes_;  ///< while a check wants them
  health::AsioProber prober_;
  health::AsioAlarm alarm_;
  std::mt19937_64 random_;
  health::AsioAlarm hold_alarm_{loop_};
  std::optional<health::Verdicts> checks_;
  std::optional<ServiceAddresses> addresses_;
  std::optional<Pair> pair_;
  std::uint64_t handovers_ = 0;
  std::uint64_t handovers_failed_ = 0;
  std::set<config::address> forwarded_;  ///< service addresses, by the last publication or an earlier daemon's
  std::unique_ptr<PacketPath> path_;
  Repairs repairs_{told_repairs()};
  std::map<config::address, std::string> known_macs_;  ///< of next hops, since they were last known
  boost::asio::steady_timer watch_timer_{loop_};
  std::unique_ptr<api::Server> server_;
  std::optional<discovery::Discoveries> discoveries_;
  NameServer name_server_;
  mutable std::map<std::string, AddressFact> last_facts_;  ///< of services, while their model was in force
  SiteReports site_reports_{loop_, [this] { learn_of_sites(); }};
  SiteOrders site_orders_;
  boost::asio::steady_timer learn_timer_{loop_};
  std::optional<boost::asio::posix::stream_descriptor> events_;
  FragmentHolder held_fragments_{fragment_path()};
  DropFeed drop_feed_{[this](std::uint32_t followers) { path_->follow_drops(followers); }};
  CaptureFeed capture_feed_{loop_, capture_path(), names()};
  boost::asio::steady_timer fragment_timer_{loop_};
  boost::asio::steady_timer settle_timer_;
  boost::asio::steady_timer step_timer_{loop_};  ///< of backends that start slowly
  health::AsioAlarm retry_alarm_;
  Retry retry_;
  health::AsioAlarm history_alarm_{loop_};
  std::optional<History> history_;
  health::AsioAlarm confirmation_alarm_{loop_};
  Confirmation confirmation_{confirmation_alarm_, [this] { return take_back_unconfirmed(); }};
  std::optional<Error> started_instead_;  ///< why not with the file, as long as nothing has been applied

  bool is_settling_ = false;
  std::uint64_t publications_ = 0;                                       ///< and exchanges of the tables
  std::optional<std::chrono::steady_clock::time_point> forwarded_last_;  ///< when the engine was seen to
  bool engine_was_dead_ = false;                                         ///< at the last look
  bool is_placed_ = false;                                               ///< what was published last is `model_`
  bool settled_ = false;  ///< health and next hops are known, or had their time: the packet path follows from now on
  bool ready_ = false;    ///< all was as wanted once
  bool reconcile_requested_ = false;
  Pace pace_;
  boost::asio::steady_timer pace_timer_{loop_};
  bool detached_ = false;
  std::vector<Error> failures_;    ///< of the last `reconcile`; none: all is as wanted
  std::uint64_t tables_made_ = 0;  ///< how often other sizes made new tables
  std::chrono::steady_clock::time_point resolving_since_{};
  std::set<config::address> resolving_;                 ///< neighbours that were asked for since then
  std::map<std::uint32_t, Labels> labels_;              ///< by backend number, of those in the configuration
  std::map<std::uint32_t, std::string> service_names_;  ///< by service id
};

}  // namespace astil::app
