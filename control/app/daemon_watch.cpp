// The watch: looks again and again whether all is still as the daemon has made it, and puts right what is not. What
// the kernel tells of by itself (links, addresses, neighbours) comes as an event, and is only counted here.
#include "control/app/daemon.hpp"
#include "control/base/log.hpp"
#include "control/base/notify.hpp"

namespace astil::app {
namespace {

/// What is changed is noticed within a second, on a busy machine too.
constexpr std::chrono::milliseconds kWatchInterval = Pair::kLookInterval;

}  // namespace

void Daemon::watch() {
  watch_timer_.expires_after(kWatchInterval);
  watch_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    if (!detached_) mend();
    base::notify("WATCHDOG=1");
    watch();
  });
}

void Daemon::mend() {
  const bool failed = !repairs_.failing().empty();
  repairs_.see(path_->mend());
  if (path_probes_) {
    const std::size_t before = path_probes_->mended();
    (void)follow_path_probes();  // what fails, `reconcile` tells
    if (path_probes_ && path_probes_->mended() != before)
      repairs_.repaired("probe", "somebody else had detached the program of probes through the forwarding path");
  }
  // An interface that another program has is tried again by `reconcile`, which tells of it, too.
  if (failed != !repairs_.failing().empty()) request_reconcile();
  tell_engine();
  pair_->look();
}

void Daemon::on_address_lost(const net::InterfaceAddress& lost) {
  addresses_->lost(lost.host);
  repairs_.repaired("address", "the address " + lost.host.to_string() + " was gone");
  request_reconcile();
}

void Daemon::on_next_hop_change(const config::address& host) {
  const auto hop = network_->next_hop(host);
  if (hop.has_value()) {
    const std::string mac = net::to_string(hop->neighbour_mac);
    std::string& known = known_macs_[host];
    if (settled_ && !known.empty() && known != mac)
      repairs_.repaired("next-hop", "the way to " + host.to_string() + " leads to " + mac + ", and led to " + known);
    known = mac;
  }
  request_reconcile();
}

/// What is known already when it is tracked comes with no event.
void Daemon::note_next_hops(const std::set<config::address>& hosts) {
  std::map<config::address, std::string> known;
  for (const config::address& host : hosts) {
    const auto before = known_macs_.find(host);
    const auto hop = network_->next_hop(host);
    if (before != known_macs_.end()) {
      known.insert(*before);
    } else if (hop.has_value()) {
      known.emplace(host, net::to_string(hop->neighbour_mac));
    }
  }
  known_macs_ = std::move(known);
}

Repairs::Told Daemon::told_repairs() {
  return {.repaired =
              [this](const std::string& kind, const std::string& what) {
                log::warning("put right", {{"kind", kind}, {"what", what}});
                event_log_.add(api::EventKind::repair, {.after = kind, .reason = what});
              },
          .failed =
              [this](const std::string& kind, const std::string& what, const std::string& why) {
                log::error("not put right", {{"kind", kind}, {"what", what}, {"error", why}});
                event_log_.add(api::EventKind::repair, {.after = "failed", .reason = what + ": " + why});
              }};
}

}  // namespace astil::app
