#include "control/ha/vrrp/app/process.hpp"

#include <linux/rtnetlink.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <iterator>

#include "control/base/log.hpp"

namespace astil::ha {
namespace {

constexpr Time kReportInterval = std::chrono::seconds(1);
constexpr Time kProofInterval = milliseconds(100);
/// How long a process that was never configured waits for somebody to do so.
constexpr Time kIdleLimit = std::chrono::seconds(10);
constexpr std::array<int, 3> kGroups{RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};

timespec to_timespec(Time time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  return {.tv_sec = seconds.count(), .tv_nsec = (time - seconds).count()};
}

void take_earlier(std::optional<Time>& first, std::optional<Time> other) {
  if (other && (!first || *other < *first)) first = other;
}

}  // namespace

Process::Process(ChannelServer channel, base::Descriptor signals, std::unique_ptr<Guardian> guardian,
                 net::NetlinkSocket events, net::NetlinkSocket asks, Scheduling scheduling)
    : channel_(std::move(channel)),
      signals_(std::move(signals)),
      guardian_(std::move(guardian)),
      events_(std::move(events)),
      asks_(std::move(asks)),
      keeper_(asks_, *guardian_),
      devices_(asks_, *guardian_),
      scheduling_(scheduling),
      now_(monotonic_now()) {}

Result<std::unique_ptr<Process>> Process::start(ChannelServer channel, base::Descriptor signals,
                                                std::unique_ptr<Guardian> guardian, Scheduling scheduling) {
  auto events = net::NetlinkSocket::open(kGroups);
  if (events.has_error()) return events.error();
  auto asks = net::NetlinkSocket::open({});
  if (asks.has_error()) return asks.error();
  std::unique_ptr<Process> process(new Process(std::move(channel), std::move(signals), std::move(guardian),
                                               std::move(*events), std::move(*asks), scheduling));
  process->read_links();
  process->read_addresses();
  process->astild_gone_ = process->now_;
  return process;
}

void Process::run() {
  while (!leaving_) {
    wait();
    now_ = monotonic_now();
    receive_adverts();
    receive_heartbeats();
    receive_claims();
    on_signals();
    on_network();
    receive_messages();
    // By the time from before: all that had come by then is read, and nothing is taken for silence that waits unread
    // because this process had to wait itself.
    on_time();
    if (const std::uint64_t mark_now = mark(); mark_now != last_mark_) {
      last_mark_ = mark_now;
      say_states();
      report();
    } else if (now_ >= next_report_) {
      report();
    }
  }
}

void Process::wait() {
  ready_.clear();
  const auto add = [&](int descriptor) {
    if (descriptor >= 0) ready_.push_back({.fd = descriptor, .events = POLLIN, .revents = 0});
  };
  add(channel_.listener());
  add(channel_.peer());
  add(signals_.get());
  add(events_.descriptor());
  for (const auto& [key, socket] : adverts_) add(socket.descriptor());
  for (const auto& [ifindex, socket] : frames_) add(socket.descriptor());
  for (std::size_t i = 0; i < heartbeats_.size(); ++i) add(heartbeats_.descriptor(i));
  const std::optional<Time> until = deadline();
  const Time before = monotonic_now();
  const timespec limit = to_timespec(until ? std::max(Time{0}, *until - before) : kReportInterval);
  (void)::ppoll(ready_.data(), ready_.size(), &limit, nullptr);
  woke_late_ = until ? monotonic_now() - std::max(*until, before) : Time{0};
  late_ = std::max(late_, woke_late_);
}

std::optional<Time> Process::deadline() const {
  std::optional<Time> first = election_.deadline();
  for (const auto& group : groups_) take_earlier(first, group->deadline());
  take_earlier(first, heartbeats_.deadline());
  if (channel_.has_peer()) take_earlier(first, next_report_);
  if (astild_gone_) {
    take_earlier(first, *astild_gone_ + (configured_ ? Time(milliseconds(configuration_.settings.hold)) : kIdleLimit));
    take_earlier(first, next_proof_);
  }
  return first;
}

void Process::on_time() {
  heartbeats_.forgive(now_, woke_late_);
  election_.forgive(now_, woke_late_);
  if (heartbeats_.died(now_)) {
    log::warning("the other node's heartbeats are lost", {{"node", heartbeats_.heard().node}});
    // A node that lived sent the next heartbeat an interval later: an advert until then may have been its last word.
    const Time next_was_due = now_ - heartbeats_.silence() + milliseconds(configuration_.settings.heartbeat_interval);
    election_.on_peer_gone(now_, next_was_due, Cause::heartbeats_lost, std::exchange(peer_active_, {}));
  }
  election_.on_time(now_);
  for (const auto& group : groups_) group->on_time(now_);
  heartbeats_.say(own_heartbeat());
  heartbeats_.on_time(now_);
  if (!astild_gone_) return;
  if (now_ >= next_proof_) check_proof();
  if (now_ >= *astild_gone_ + (configured_ ? Time(milliseconds(configuration_.settings.hold)) : kIdleLimit)) {
    if (configured_) log::error("astild did not come back: the addresses are left to the other node");
    leave(Cause::astild_gone);
  }
}

/// While astild is not there, its programs' pins say whether packets are forwarded.
void Process::check_proof() {
  next_proof_ = now_ + kProofInterval;
  if (engine_.healthy == 0 || engine_.proof.view().empty()) return;
  if (::access(std::string(engine_.proof.view()).c_str(), F_OK) == 0) return;
  log::error("the engine is gone", {{"proof", engine_.proof.view()}});
  engine_.healthy = 0;
  election_.set_engine(now_, false, Cause::engine_down);
}

void Process::leave(Cause cause) {
  election_.set_engine(now_, false, cause);
  say_states();
  report();
  leaving_ = true;
}

void Process::on_signals() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo != SIGCHLD) {
      log::info("asked to end", {{"signal", info.ssi_signo}});
      leave(Cause::engine_down);
      continue;
    }
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
      if (auto restarted = guardian_->restart(); restarted.has_error())
        log::error("guardian not started again", {{"error", restarted.error().text()}});
    }
  }
}

void Process::receive_adverts() {
  for (auto& [key, socket] : adverts_) {
    const bool is_v4 = key.second;
    socket.receive([&, &from = socket](const Received& packet) { take_advert(from, is_v4, packet); });
  }
}

void Process::take_advert(const AdvertSocket& socket, bool is_v4, const Received& packet) {
  const auto id = peek_router_id(packet.payload);
  const auto group = std::find_if(groups_.begin(), groups_.end(), [&](const auto& one) {
    return id && one->ifindex() == socket.ifindex() && one->is_v4() == is_v4 && one->record().virtual_router_id == *id;
  });
  if (group == groups_.end()) {
    ++drops_[static_cast<std::size_t>(id ? AdvertDrop::unknown_router : AdvertDrop::truncated)];
    return;
  }
  if (packet.source == (*group)->local()) return;  // this node's own, from another socket
  const auto index = static_cast<std::size_t>(group - groups_.begin());
  const bool is_owner = (*group)->record().priority == kOwnerPriority;
  const auto advert = (*group)->check(packet, is_owner);
  if (advert) election_.on_advert(now_, index, *advert, packet.source);
}

void Process::receive_heartbeats() {
  for (std::size_t i = 0; i < heartbeats_.size(); ++i)
    heartbeats_.receive(i, now_, [&](const HeartbeatMessage& message) { take_heartbeat(message); });
}

/// The nodes may call their interfaces otherwise: which group is which is said by their numbers and addresses.
void Process::take_heartbeat(const HeartbeatMessage& message) {
  const std::vector<std::size_t> before = std::exchange(peer_active_, {});
  const std::vector<HeartbeatGroup> here = own_heartbeat().groups;
  const auto matches = match_groups(here, message.groups);
  peer_states_.assign(groups_.size(), kPeerHasNone);
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (!matches[i]) continue;
    const GroupState there = message.groups[*matches[i]].state;
    peer_states_[i] = static_cast<std::uint8_t>(static_cast<unsigned>(there) + 1U);
    const bool active = there == GroupState::active;
    if (active) peer_active_.push_back(i);
    election_.on_peer_state(now_, i, active ? VirtualRouter::PeerState::active : VirtualRouter::PeerState::other);
  }
  std::vector<std::size_t> left;
  std::set_difference(before.begin(), before.end(), peer_active_.begin(), peer_active_.end(), std::back_inserter(left));
  // What it sent as the active one, it sent before it said this.
  if (!left.empty()) election_.on_peer_gone(now_, now_, Cause::left, left);
}

void Process::receive_claims() {
  for (auto& [ifindex, socket] : frames_)
    socket.receive([&, on = ifindex](const Claim& claim) { take_claim(on, claim); });
}

void Process::take_claim(std::uint32_t ifindex, const Claim& claim) {
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const Group& group = *groups_[i];
    if (group.ifindex() != ifindex || !group.is_foreign(claim.mac) || !group.has(claim.host)) continue;
    election_.on_foreign_announcement(now_, i);
  }
}

HeartbeatMessage Process::own_heartbeat() const {
  HeartbeatMessage message{.node = std::string(configuration_.settings.node.view()), .digest = digest_, .groups = {}};
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const GroupKey& key = election_.key(i);
    message.groups.push_back({.virtual_router_id = key.virtual_router_id,
                              .version = key.version,
                              .state = election_.state(i),
                              .priority = election_.router(i).priority(),
                              .mark = groups_[i]->mark()});
  }
  return message;
}

void Process::say_states() {
  heartbeats_.say(own_heartbeat());
  heartbeats_.send();
}

std::uint64_t Process::mark() const {
  std::uint64_t mark = heartbeats_.is_alive() ? 1 : 0;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const VirtualRouter& router = election_.router(i);
    mark = mark * 31 + router.transitions() * 4 + (router.two_active(now_) ? 2U : 0U) +
           (router.waits_for_flows() ? 1U : 0U);
    mark = mark * 31 + static_cast<std::uint64_t>(election_.state(i)) + router.priority();
    mark = mark * 31 + groups_[i]->tracks().failing() * 2U + (router.hears_active() ? 1U : 0U);
    mark = mark * 31 + (i < peer_states_.size() ? peer_states_[i] : 0U);
  }
  for (std::size_t i = 0; i < heartbeats_.size(); ++i) mark = mark * 31 + heartbeats_.report(i).alive;
  return mark;
}

void Process::report() {
  next_report_ = now_ + kReportInterval;
  if (channel_.has_peer()) channel_.send(message_of(++sequence_, make_report()));
}

Report Process::make_report() const {
  Report report;
  report.head.real_time = scheduling_ == Scheduling::real_time ? 1 : 0;
  report.head.heartbeats_alive = heartbeats_.is_alive() ? 1 : 0;
  report.head.late_nanoseconds = static_cast<std::uint64_t>(late_.count());
  report.head.peer_digest = heartbeats_.heard().digest;
  report.head.peer_node = Name(heartbeats_.heard().node);
  report.head.drops = drops_;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const VirtualRouter& router = election_.router(i);
    GroupReport group;
    groups_[i]->fill(group);
    group.state = election_.state(i);
    group.cause = router.cause();
    group.priority = router.priority();
    group.configured_priority = groups_[i]->record().priority;
    group.peer_priority = router.peer_priority();
    group.waits_for_table = router.waits_for_flows() ? 1 : 0;
    group.two_active = router.two_active(now_) ? 1 : 0;
    group.peer_is_active = router.hears_active() ? 1 : 0;
    group.peer_state = heartbeats_.is_alive() && i < peer_states_.size() ? peer_states_[i] : kPeerStateUnknown;
    group.held_back = election_.is_held_back(i, now_) ? 1 : 0;
    group.since = static_cast<std::uint64_t>(router.since().count());
    group.transitions = router.transitions();
    group.takeovers = router.takeovers();
    group.takeover_nanoseconds = static_cast<std::uint64_t>(router.takeover_time().count());
    group.table_limits = router.table_limits();
    group.conflicts = router.conflicts();
    report.groups.push_back(group);
  }
  for (std::size_t i = 0; i < heartbeats_.size(); ++i) report.paths.push_back(heartbeats_.report(i));
  return report;
}

}  // namespace astil::ha
