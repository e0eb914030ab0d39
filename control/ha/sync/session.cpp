#include "control/ha/sync/session.hpp"

#include <algorithm>
#include <cstring>

namespace astil::ha::sync {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kAckEvery = 16;
constexpr milliseconds kAckDelay{5};
/// Later ones have come: so many of them, and it is lost.
constexpr std::uint64_t kReordered = 128;
constexpr milliseconds kShortestPatience{30};
constexpr milliseconds kLongestPatience{1000};
/// A salt answers hellos for so long at least, so that hellos that were recorded can not keep a session from beginning.
constexpr milliseconds kSaltLasts{200};
constexpr milliseconds kPathLasts{500};
constexpr std::int64_t kLeastBurst = 256 << 10;

}  // namespace

const char* to_string(Drop drop) {
  switch (drop) {
    case Drop::malformed:
      return "malformed";
    case Drop::unknown_key:
      return "unknown_key";
    case Drop::unauthenticated:
      return "unauthenticated";
    case Drop::stale:
      return "stale";
    case Drop::replayed:
      return "replayed";
    case Drop::unreadable:
      return "unreadable";
    case Drop::count:
      break;
  }
  return "";
}

Session::Session(Keyring keys, const SessionOptions& options, Surroundings around, Time now)
    : keys_(std::move(keys)),
      options_(options),
      around_(std::move(around)),
      hello_due_(now),
      path_heard_(options.paths, Time::min()),
      refilled_(now) {
  draw_next(now);
}

void Session::draw_next(Time now) {
  around_.random(next_);
  next_hello_ = around_.hello();
  next_sequence_ = 0;
  drawn_ = now;
}

bool Session::is_up(Time now) const { return established_ && now - heard_ < kSilence; }

void Session::restart(Time now) {
  established_ = false;
  under_way_.clear();
  waiting_ = 0;
  ack_due_ = Time::max();
  unacknowledged_ = 0;
  hello_due_ = now;
  draw_next(now);
}

void Session::begin(const Salt& peer, const Hello& hello, Time now) {
  established_ = true;
  own_ = next_;
  own_hello_ = next_hello_;
  sequence_ = next_sequence_;
  peer_ = peer;
  arrivals_ = {};
  under_way_.clear();
  waiting_ = 0;
  unacknowledged_ = 0;
  ack_due_ = Time::max();
  heard_ = now;
  ++counts_.sessions;
  draw_next(now);
  around_.began(own_hello_, hello);
}

void Session::receive(std::size_t path, Bytes datagram, Time now) {
  const auto envelope = parse_envelope(datagram);
  if (!envelope) return count(Drop::malformed);
  if (!keys_.knows(envelope->key_id)) return count(Drop::unknown_key);
  const Bytes sealed = datagram.subspan(sizeof(Envelope));
  opened_.resize(sealed.size() - kCodeBytes);
  if (!keys_.open(*envelope, sealed, opened_.data())) return count(Drop::unauthenticated);
  const auto body = parse_body(opened_);
  if (!body) return count(Drop::unreadable);
  // One's own, come back.
  if (envelope->sender == own_ || envelope->sender == next_) return count(Drop::stale);
  const bool of_session = established_ && envelope->sender == peer_ && envelope->receiver == own_;
  if (!of_session) {
    if (body->kind != Kind::hello) return count(Drop::stale);
    return hear_hello(path, *envelope, *body, now);
  }
  if (!arrivals_.take(host(envelope->sequence))) return count(Drop::replayed);
  ++counts_.received;
  counts_.received_bytes += datagram.size();
  heard_ = now;
  if (path < path_heard_.size()) path_heard_[path] = now;
  if ((body->flags & kReliable) != 0) {
    ++unacknowledged_;
    const bool at_once = (body->flags & kAckNow) != 0 || unacknowledged_ >= kAckEvery;
    ack_due_ = std::min(ack_due_, at_once ? now : now + kAckDelay);
  }
  if (body->kind == Kind::ack) {
    take_ack(record_at<Ack>(*body, 0), now);
  } else if (body->kind != Kind::hello) {
    around_.take(*body, now);
  }
}

/// A hello that names the salt of the session to come is of a peer that lives: the session begins. Any other one is
/// answered with that salt, and changes nothing.
void Session::hear_hello(std::size_t path, const Envelope& envelope, const Body& body, Time now) {
  if (envelope.receiver == next_) {
    const Salt own = next_;
    begin(envelope.sender, record_at<Hello>(body, 0), now);
    (void)arrivals_.take(host(envelope.sequence));
    if (path < path_heard_.size()) path_heard_[path] = now;
    // The peer may not know yet that it was heard.
    send_hello(path, own, own_hello_, peer_, now);
    return;
  }
  if (envelope.receiver != Salt{}) return count(Drop::stale);
  if (envelope.sender != heard_salt_ && now - drawn_ >= kSaltLasts) draw_next(now);
  heard_salt_ = envelope.sender;
  send_hello(path, next_, next_hello_, envelope.sender, now);
}

void Session::run(Time now) {
  if (established_ && now - heard_ >= kSilence) restart(now);
  lose_old(now);
  if (established_ && ack_due_ <= now) {
    const Ack ack = arrivals_.ack();
    ack_due_ = Time::max();
    unacknowledged_ = 0;
    send_once(Kind::ack, 1, std::as_bytes(std::span(&ack, 1)), now);
  }
  if (!established_ && hello_due_ <= now) {
    hello_due_ = now + kHelloInterval;
    for (std::size_t path = 0; path < options_.paths; ++path) send_hello(path, next_, next_hello_, Salt{}, now);
  }
}

Time Session::due(Time now) const {
  if (!established_) return std::max(hello_due_, now);
  Time due = std::min(ack_due_, heard_ + kSilence);
  if (!under_way_.empty()) due = std::min(due, under_way_.front().sent + patience());
  return std::max(due, now);
}

Clock::duration Session::patience() const {
  return std::clamp<Clock::duration>(4 * round_trip_, kShortestPatience, kLongestPatience);
}

void Session::refill(Time now) {
  if (now <= refilled_) return;
  const auto rate = static_cast<double>(options_.bytes_per_second);
  const double more =
      std::chrono::duration<double>(std::min<Clock::duration>(now - refilled_, milliseconds(1000))).count() * rate;
  if (more < 1.0) return;
  const std::int64_t most = std::max<std::int64_t>(kLeastBurst, static_cast<std::int64_t>(rate / 1000 * 2));
  budget_ = std::min(budget_ + static_cast<std::int64_t>(more), most);
  refilled_ = now;
}

bool Session::has_room(Time now) {
  if (!established_) return false;
  refill(now);
  const bool out_of_bytes = budget_ <= 0;
  if (out_of_bytes && !held_back_) ++counts_.held_back;
  held_back_ = out_of_bytes;
  if (out_of_bytes) return false;
  // What is acknowledged must be told of by the peer's ack, and its window must tell all of it apart.
  return under_way_.empty() || sequence_ - under_way_.front().sequence < kMostUnderWay;
}

void Session::send_reliable(Kind kind, std::size_t count, Bytes records, std::uint64_t token, bool ack_now, Time now) {
  const auto flags = static_cast<std::uint8_t>(kReliable | (ack_now ? kAckNow : 0));
  const Envelope envelope{.sender = own_, .receiver = peer_, .sequence = be64(++sequence_)};
  under_way_.push_back({.sequence = sequence_, .token = token, .sent = now, .settled = false});
  ++waiting_;
  send_sealed(best_path(now), envelope, kind, flags, count, records, now);
}

void Session::send_once(Kind kind, std::size_t count, Bytes records, Time now) {
  const Envelope envelope{.sender = own_, .receiver = peer_, .sequence = be64(++sequence_)};
  send_sealed(best_path(now), envelope, kind, 0, count, records, now);
}

void Session::send_hello(std::size_t path, const Salt& own, const Hello& hello, const Salt& peer, Time now) {
  std::uint64_t& sequence = own == next_ ? next_sequence_ : sequence_;
  const Envelope envelope{.sender = own, .receiver = peer, .sequence = be64(++sequence)};
  send_sealed(path, envelope, Kind::hello, 0, 1, std::as_bytes(std::span(&hello, 1)), now);
}

void Session::send_sealed(std::size_t path, Envelope envelope, Kind kind, std::uint8_t flags, std::size_t count,
                          Bytes records, Time /*now*/) {
  envelope.magic = core::be32(kMagic);
  envelope.version = kWireVersion;
  envelope.key_id = keys_.id();
  const BodyHeader header{.kind = kind, .flags = flags, .count = core::be16(static_cast<std::uint16_t>(count))};
  plain_.resize(sizeof(header) + records.size());
  std::memcpy(plain_.data(), &header, sizeof(header));
  if (!records.empty()) std::memcpy(plain_.data() + sizeof(header), records.data(), records.size());
  datagram_.resize(sizeof(envelope) + plain_.size() + kCodeBytes);
  std::memcpy(datagram_.data(), &envelope, sizeof(envelope));
  keys_.seal(envelope, plain_, datagram_.data() + sizeof(envelope));
  budget_ -= static_cast<std::int64_t>(datagram_.size());
  if (!around_.send(path, datagram_)) {
    ++counts_.send_errors;
    return;
  }
  ++counts_.sent;
  counts_.sent_bytes += datagram_.size();
}

/// The first, in their order, that was heard lately.
std::size_t Session::best_path(Time now) const {
  std::size_t best = 0;
  for (std::size_t path = 0; path < path_heard_.size(); ++path) {
    if (path_heard_[path] != Time::min() && now - path_heard_[path] < kPathLasts) return path;
    if (path_heard_[path] > path_heard_[best]) best = path;
  }
  return best;
}

void Session::take_ack(const Ack& ack, Time now) {
  const std::uint64_t highest = host(ack.highest);
  if (highest > sequence_) return;  // of nothing that was sent
  std::vector<std::uint64_t> lost;
  for (Waiting& waiting : under_way_) {
    if (waiting.sequence > highest) break;
    if (waiting.settled) continue;
    const std::uint64_t behind = highest - waiting.sequence;
    const bool has_come =
        behind == 0 || (behind <= kAckBits && ((ack.before[(behind - 1) / 8] >> ((behind - 1) % 8)) & 1U) != 0);
    if (has_come) {
      if (behind < kAckEvery) round_trip_ = (7 * round_trip_ + (now - waiting.sent)) / 8;
      waiting.settled = true;
      --waiting_;
      around_.acknowledged(waiting.token);
    } else if (behind >= kReordered) {
      waiting.settled = true;
      --waiting_;
      lost.push_back(waiting.token);
    }
  }
  settle_front();
  counts_.lost += lost.size();
  for (const std::uint64_t token : lost) around_.lost(token);
}

void Session::settle_front() {
  while (!under_way_.empty() && under_way_.front().settled) under_way_.pop_front();
}

void Session::lose_old(Time now) {
  const auto limit = patience();
  std::vector<std::uint64_t> lost;
  for (Waiting& waiting : under_way_) {
    if (now - waiting.sent < limit) break;
    if (waiting.settled) continue;
    waiting.settled = true;
    --waiting_;
    lost.push_back(waiting.token);
  }
  settle_front();
  if (!lost.empty()) round_trip_ = std::min<Clock::duration>(round_trip_ * 2, kLongestPatience);
  counts_.lost += lost.size();
  for (const std::uint64_t token : lost) around_.lost(token);
}

}  // namespace astil::ha::sync
