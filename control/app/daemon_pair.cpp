// The daemon as one of a pair: what the election and flow sync are told, and what they are asked for.
#include "control/app/daemon.hpp"
#include "control/base/log.hpp"
#include "control/config/digest.hpp"

namespace astil::app {
namespace {

/// The daemon answers nobody meanwhile; a change takes ha.sync.interval and the way there and back.
constexpr std::chrono::milliseconds kFlushLimit{1000};

}  // namespace

/// Before a publication the addresses of services that go are taken away; those of services that come are there only
/// after it.
Result<void> Daemon::follow_pair(PairStep step) {
  std::set<config::address> without;
  std::set<config::address> served;
  for (const config::Service& service : model_.services) {
    const bool is_withdrawn = withdrawn_.contains(service.name);
    const bool comes = step == PairStep::before_publication && !forwarded_.contains(service.host);
    if (!is_withdrawn && !comes) served.insert(service.host);
    if (is_withdrawn || comes) without.insert(service.host);
  }
  for (const config::address& host : served) without.erase(host);  // another service has it, and is well
  if (step == PairStep::before_publication) note_peer_table();
  return pair_->follow(model_, without);
}

/// So that each node knows whether the other one is configured alike.
void Daemon::tell_digest() {
  if (!model_.ha) return;
  const auto text = history_->text(history_->running());
  if (text.has_value()) pair_->set_digest(config::digest_of_shared(*text));
}

/// After the first publication, since flows come by the names of backends.
Result<void> Daemon::follow_sync() {
  auto followed = path_->sync().follow(path_->engine(), model_, [this] { note_peer_table(); });
  path_->sync().set_active(pair_->is_active());
  note_peer_table();
  return followed;
}

/// What waits for the other node's flows is told whether they are here.
void Daemon::note_peer_table() {
  const bool is_wanted = model_.ha && model_.ha->sync;
  const bool is_here = !is_wanted || (path_->sync().runs() && path_->sync().has_peer_table());
  pair_->gate().set(is_here ? TakeoverGate::Table::complete : TakeoverGate::Table::incomplete);
}

/// Flows first, then the addresses: what comes between is told within ha.sync.interval.
Result<api::HandoverView> Daemon::handover(std::chrono::seconds for_so_long) {
  if (!model_.ha) return Error{"this balancer is alone", "make it one of a pair with ha: in its configuration"};
  if (!pair_->is_active()) return Error{"this node is not active", "say it to the node that has the addresses"};
  const auto sync = path_->sync().status();
  if (!sync) return Error{"nothing brings flows to the other node", "set ha.sync on both nodes"};
  if (!sync->up) return Error{"the other node is not heard", "see astil ha status"};
  if (!sync->peer_has_table)
    return Error{"the other node has not got this node's flows yet", "try again soon; see astil ha status"};
  const auto begin = std::chrono::steady_clock::now();
  if (auto flushed = path_->sync().flush(kFlushLimit); flushed.has_error()) return flushed.error();
  api::HandoverView view;
  const auto& report = pair_->report();
  for (std::size_t i = 0; report && i < report->groups.size() && i < pair_->plan().groups.size(); ++i) {
    if (report->groups[i].state == ha::GroupState::active)
      view.groups.emplace_back(pair_->plan().groups[i].name.view());
  }
  if (auto left = pair_->step_down(for_so_long); left.has_error()) return left.error();
  view.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  log::info("handed over", {{"groups", view.groups.size()}, {"no_preemption_for_s", for_so_long.count()}});
  return view;
}

}  // namespace astil::app
