// The session between two balancers: authentic datagrams that are fresh, acknowledged where that is asked for, and
// within a bandwidth. It brings no datagram twice and repeats none: of one that is lost its sender hears, and says anew
// what is true by then.
//
// A session has a salt of each side, drawn at random, and every datagram names both. Who has the other's salt from a
// hello, and hears its own next one back, has a peer that lives now: what was recorded of an earlier session names a
// salt that is no more. Each new session takes a new salt of both.
//
// No sockets, clock or randomness of its own. Not for several threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "control/ha/sync/arrivals.hpp"
#include "control/ha/sync/keyring.hpp"

namespace astil::ha::sync {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

/// Why a datagram was dropped. The names are those of the metric astil_sync_dropped_total.
enum class Drop : std::uint8_t {
  malformed,        ///< not of this protocol and version, or too short
  unknown_key,      ///< its key id is of no key here
  unauthenticated,  ///< its code is not right
  stale,            ///< of another session: recorded, or late
  replayed,         ///< has come already
  unreadable,       ///< authentic, and its records do not fill it
  count,
};
[[nodiscard]] const char* to_string(Drop drop);

struct SessionOptions {
  std::size_t paths = 1;
  std::uint64_t bytes_per_second = 125'000'000;  ///< of datagrams; not 0
};

struct SessionCounts {
  std::uint64_t sessions = 0;  ///< that began
  std::uint64_t sent = 0, sent_bytes = 0, send_errors = 0;
  std::uint64_t received = 0, received_bytes = 0;  ///< authentic and fresh
  std::uint64_t lost = 0;                          ///< own datagrams that were to be acknowledged and were not
  std::uint64_t held_back = 0;                     ///< times that the bandwidth was used up
  std::array<std::uint64_t, static_cast<std::size_t>(Drop::count)> dropped{};
};

class Session {
 public:
  /// What the session asks of whoever has it. `send` is false where the datagram could not be sent.
  struct Surroundings {
    std::function<bool(std::size_t path, Bytes datagram)> send;
    std::function<void(std::span<std::uint8_t>)> random;
    /// What the next session's hello is to say; asked for each salt once, so that both sides judge by the same.
    std::function<Hello()> hello;
    std::function<void(const Hello& own, const Hello& peer)> began;
    std::function<void(const Body& body, Time now)> take;
    std::function<void(std::uint64_t token)> acknowledged;
    std::function<void(std::uint64_t token)> lost;
  };

  Session(Keyring keys, const SessionOptions& options, Surroundings around, Time now);

  void receive(std::size_t path, Bytes datagram, Time now);
  /// Sends what is due: hellos, acks; and notices what is lost.
  void run(Time now);
  /// When `run` has something to do at the latest.
  [[nodiscard]] Time due(Time now) const;

  /// Is there a session, and was the peer heard lately?
  [[nodiscard]] bool is_up(Time now) const;
  /// Ends the session; the next one begins with the next hello.
  void restart(Time now);

  /// May a reliable datagram be sent now? Not when so many are under way already, or the bandwidth is used up.
  [[nodiscard]] bool has_room(Time now);
  /// While a session is up. `token` comes back once, by `acknowledged` or `lost`; not after a restart.
  void send_reliable(Kind kind, std::size_t count, Bytes records, std::uint64_t token, bool ack_now, Time now);
  void send_once(Kind kind, std::size_t count, Bytes records, Time now);
  [[nodiscard]] std::size_t under_way() const { return waiting_; }

  [[nodiscard]] const SessionCounts& counts() const { return counts_; }
  [[nodiscard]] Time heard() const { return heard_; }

  static constexpr std::chrono::milliseconds kHelloInterval{100};
  /// So long without a datagram, and the session counts as broken.
  static constexpr std::chrono::milliseconds kSilence{3000};
  static constexpr std::size_t kMostUnderWay = 896;

 private:
  struct Waiting {
    std::uint64_t sequence;
    std::uint64_t token;
    Time sent;
    bool settled;
  };

  void count(Drop drop) { ++counts_.dropped[static_cast<std::size_t>(drop)]; }
  void draw_next(Time now);
  void begin(const Salt& peer, const Hello& hello, Time now);
  void hear_hello(std::size_t path, const Envelope& envelope, const Body& body, Time now);
  void take_ack(const Ack& ack, Time now);
  void settle_front();
  void lose_old(Time now);
  void refill(Time now);
  void send_hello(std::size_t path, const Salt& own, const Hello& hello, const Salt& peer, Time now);
  void send_sealed(std::size_t path, Envelope envelope, Kind kind, std::uint8_t flags, std::size_t count, Bytes records,
                   Time now);
  [[nodiscard]] std::size_t best_path(Time now) const;
  [[nodiscard]] Clock::duration patience() const;

  Keyring keys_;
  SessionOptions options_;
  Surroundings around_;
  SessionCounts counts_;

  bool established_ = false;
  Salt own_{}, peer_{};  ///< of the session
  Salt next_{};          ///< own, of the session to come
  Salt heard_salt_{};    ///< of the peer's last hello that was of no session
  Hello own_hello_{}, next_hello_{};
  std::uint64_t sequence_ = 0;       ///< of the session
  std::uint64_t next_sequence_ = 0;  ///< of hellos with `next_`
  Arrivals arrivals_;
  std::deque<Waiting> under_way_;
  std::size_t waiting_ = 0;
  std::size_t unacknowledged_ = 0;  ///< of the peer's that were to be
  Time ack_due_ = Time::max();
  Time hello_due_{};
  Time drawn_{};
  Time heard_{};
  std::vector<Time> path_heard_;
  std::int64_t budget_ = 0;  ///< bytes
  Time refilled_{};
  bool held_back_ = false;
  Clock::duration round_trip_ = std::chrono::milliseconds(20);
  std::vector<std::byte> opened_, plain_, datagram_;
};

}  // namespace astil::ha::sync
