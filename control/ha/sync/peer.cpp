#include "control/ha/sync/peer.hpp"

#include <algorithm>
#include <utility>

namespace astil::ha::sync {
namespace {

using std::chrono::milliseconds;

/// So many datagrams in one call of `run`, so that what comes in has its turn.
constexpr int kAtOnce = 32;
/// A walk may take this part of a core.
constexpr int kWalkShare = 10;
constexpr std::uint64_t kWantsToken = std::uint64_t{1} << 63U;

milliseconds in_milliseconds(Clock::duration time) { return std::chrono::duration_cast<milliseconds>(time); }

std::uint32_t capped(std::uint64_t value) { return static_cast<std::uint32_t>(std::min<std::uint64_t>(value, ~0U)); }

}  // namespace

Peer::Peer(const dataplane::Tables& tables, Keyring keys, const PeerOptions& options, Surroundings around)
    : tables_(tables),
      options_(options),
      around_(std::move(around)),
      known_(tables),
      outgoing_(tables, known_, names_),
      incoming_(tables, known_, names_),
      session_(std::move(keys), options.session,
               {.send = around_.send,
                .random = around_.random,
                .hello = [this] { return hello(); },
                .began = [this](const Hello& own, const Hello& peer) { begin(own, peer); },
                .take = [this](const Body& body, Time now) { take(body, now); },
                .acknowledged =
                    [this](std::uint64_t token) {
                      if ((token & kWantsToken) != 0) wants_.erase(token);
                      if ((token & kWantsToken) == 0) outgoing_.acknowledged(token);
                    },
                .lost =
                    [this](std::uint64_t token) {
                      if ((token & kWantsToken) == 0) return outgoing_.lost(token);
                      if (const auto found = wants_.find(token); found != wants_.end()) {
                        wants_to_send_.insert(wants_to_send_.end(), found->second.begin(), found->second.end());
                        wants_.erase(found);
                      }
                    }},
               around_.clock()) {
  names_changed();
}

std::uint32_t Peer::seconds_of(Time time) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count()) +
         1;
}

Hello Peer::hello() const {
  Hello hello{.flows = be64(count_flows(tables_)), .hash_key = {}};
  for (std::size_t i = 0; i < core::kHashKeys; ++i) hello.hash_key[i] = be64(tables_.settings().hash_key[i]);
  return hello;
}

/// Both sides judge by the same two hellos, so one of them takes the other's key, and not both.
void Peer::begin(const Hello& own, const Hello& peer) {
  outgoing_.restart();
  incoming_.restart();
  wants_.clear();
  wants_to_send_.clear();
  walked_ = complete_ = peer_complete_ = more_ = false;
  peer_state_ = {};
  synced_until_ = Time::min();
  began_ = walk_due_ = state_due_ = around_.clock();
  std::array<std::uint64_t, core::kHashKeys> own_key{};
  std::array<std::uint64_t, core::kHashKeys> peer_key{};
  for (std::size_t i = 0; i < core::kHashKeys; ++i) {
    own_key[i] = host(own.hash_key[i]);
    peer_key[i] = host(peer.hash_key[i]);
  }
  key_to_take_.reset();
  if (own_key == peer_key) return;
  const std::uint64_t own_flows = host(own.flows);
  const std::uint64_t peer_flows = host(peer.flows);
  if (own_flows < peer_flows || (own_flows == peer_flows && own_key < peer_key)) key_to_take_ = peer_key;
}

void Peer::take_peer_key() {
  const Rekeyed done = rekey(tables_, *key_to_take_, around_.tick());
  key_to_take_.reset();
  ++rekeyed_;
  rekey_lost_ += done.lost;
  known_.forget();
  session_.restart(around_.clock());
}

void Peer::names_changed() {
  names_.read(tables_);
  outgoing_.names_changed();
  incoming_.names_changed();
  ring_digest_ = ring_digest(tables_);
}

void Peer::receive(std::size_t path, Bytes datagram) { session_.receive(path, datagram, around_.clock()); }

void Peer::take(const Body& body, Time now) {
  switch (body.kind) {
    case Kind::names:
      return incoming_.take_names(body);
    case Kind::flows4:
    case Kind::flows6:
    case Kind::ports4:
    case Kind::ports6:
      return incoming_.take_records(body, around_.tick(), seconds_of(now));
    case Kind::state:
      peer_state_ = record_at<State>(body, 0);
      if (peer_state_.complete == 1 && !std::exchange(peer_complete_, true)) full_took_ = now - began_;
      return;
    case Kind::wants: {
      std::vector<std::uint32_t> ids;
      for (std::size_t i = 0; i < body.count; ++i) ids.push_back(core::host(record_at<Be32>(body, i)));
      return outgoing_.wanted(ids);
    }
    case Kind::hello:
    case Kind::ack:
      return;
  }
}

void Peer::run() {
  const Time now = around_.clock();
  if (key_to_take_) take_peer_key();
  session_.run(now);
  if (!session_.is_up(now)) return;
  send_wants(now);
  note_settled(now);
  if (walk_due_ <= now) {
    walk_at_ = now;
    outgoing_.walk(around_.tick());
    walked_ = true;
    walk_took_ = around_.clock() - now;
    walk_due_ = now + std::max<Clock::duration>(options_.interval, walk_took_ * kWalkShare);
  }
  tell(now);
  note_settled(now);
  if (state_due_ > now) return;
  state_due_ = now + std::max<milliseconds>(options_.interval / 2, milliseconds(10));
  const State state{.ring_digest = be64(ring_digest_),
                    .pending = core::be32(capped(outgoing_.pending())),
                    .lag_milliseconds = core::be32(capped(static_cast<std::uint64_t>(status().lag.count()))),
                    .complete = static_cast<std::uint8_t>(complete_ ? 1 : 0),
                    .reserved = {}};
  session_.send_once(Kind::state, 1, std::as_bytes(std::span(&state, 1)), now);
}

void Peer::tell(Time now) {
  more_ = false;
  for (int i = 0; i < kAtOnce; ++i) {
    if (!session_.has_room(now)) return;
    if (!outgoing_.next(around_.tick(), batch_)) return;
    const bool ack_now = batch_.kind == Kind::names || outgoing_.pending() == 0;
    session_.send_reliable(batch_.kind, batch_.count, batch_.records, batch_.token, ack_now, now);
  }
  more_ = true;
}

void Peer::note_settled(Time /*now*/) {
  if (!walked_ || !outgoing_.is_settled() || synced_until_ == walk_at_) return;
  synced_until_ = walk_at_;
  if (std::exchange(complete_, true)) return;
  state_due_ = around_.clock();
}

void Peer::send_wants(Time now) {
  for (const std::uint32_t id : incoming_.take_wanted()) wants_to_send_.push_back(core::be32(id));
  while (!wants_to_send_.empty() && session_.has_room(now)) {
    const std::size_t count = std::min(wants_to_send_.size(), most_records(Kind::wants));
    std::vector<Be32> ids(wants_to_send_.end() - static_cast<std::ptrdiff_t>(count), wants_to_send_.end());
    wants_to_send_.resize(wants_to_send_.size() - count);
    const std::uint64_t token = kWantsToken | ++last_wants_;
    session_.send_reliable(Kind::wants, count, std::as_bytes(std::span(ids)), token, false, now);
    wants_.emplace(token, std::move(ids));
  }
}

Time Peer::due() const {
  const Time now = around_.clock();
  Time due = session_.due(now);
  if (key_to_take_ || more_) return now;
  if (!session_.is_up(now)) return due;
  due = std::min({due, walk_due_, state_due_});
  // Held back by the bandwidth or the window: acks wake it sooner.
  if (outgoing_.pending() != 0) due = std::min(due, now + std::chrono::milliseconds(1));
  return due;
}

PeerStatus Peer::status() const {
  const Time now = around_.clock();
  PeerStatus status{.up = session_.is_up(now)};
  status.session = session_.counts();
  status.outgoing = outgoing_.counts();
  for (std::size_t i = 0; i < status.records.size(); ++i) status.records[i] = incoming_.count(static_cast<Fate>(i));
  status.full = in_milliseconds(full_took_);
  status.ring_digest = ring_digest_;
  status.rekeyed = rekeyed_;
  status.rekey_lost = rekey_lost_;
  status.walk_nanoseconds = static_cast<std::uint64_t>(std::chrono::nanoseconds(walk_took_).count());
  if (!status.up) return status;
  status.has_peer_table = peer_complete_;
  status.peer_has_table = complete_;
  status.pending = outgoing_.pending();
  status.lag = in_milliseconds(now - (synced_until_ == Time::min() ? began_ : synced_until_));
  status.peer_pending = core::host(peer_state_.pending);
  status.peer_lag = milliseconds(core::host(peer_state_.lag_milliseconds));
  status.peer_ring_digest = host(peer_state_.ring_digest);
  status.since_heard = in_milliseconds(now - session_.heard());
  return status;
}

}  // namespace astil::ha::sync
