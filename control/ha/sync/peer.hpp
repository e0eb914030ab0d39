// Flow sync with the other node of a pair: what changes in this node's tables is told, what the other one tells is
// written into them. All of it without sockets, threads or a clock of its own; whoever has it calls `receive` and
// `run`, never while the tables are being published to.
#pragma once

#include <memory>
#include <unordered_map>

#include "control/ha/sync/incoming.hpp"
#include "control/ha/sync/outgoing.hpp"
#include "control/ha/sync/rekey.hpp"
#include "control/ha/sync/session.hpp"

namespace astil::ha::sync {

struct PeerOptions {
  SessionOptions session;
  /// Between two walks over the tables: what changes is told so much later, at most.
  std::chrono::milliseconds interval{50};
};

/// What is shown of it.
struct PeerStatus {
  bool up = false;                  ///< there is a session
  bool has_peer_table = false;      ///< all that the peer had when the session began is here
  bool peer_has_table = false;      ///< and the other way round
  std::uint64_t pending = 0;        ///< entries that are to be sent yet
  std::chrono::milliseconds lag{};  ///< the peer has what was here so long ago
  std::uint64_t peer_pending = 0;   ///< the same two of the peer
  std::chrono::milliseconds peer_lag{};
  std::chrono::milliseconds full{};                     ///< how long the last full transfer to here took; 0: none yet
  std::uint64_t ring_digest = 0, peer_ring_digest = 0;  ///< 0: not known
  std::uint64_t rekeyed = 0;                            ///< times that this node took the peer's hash key
  std::uint64_t rekey_lost = 0;                         ///< connections that had no place then
  std::uint64_t walk_nanoseconds = 0;                   ///< of the last walk
  std::chrono::milliseconds since_heard{};
  SessionCounts session;
  OutgoingCounts outgoing;
  std::array<std::uint64_t, static_cast<std::size_t>(Fate::count)> records{};
};

class Peer {
 public:
  struct Surroundings {
    std::function<bool(std::size_t path, Bytes datagram)> send;
    std::function<void(std::span<std::uint8_t>)> random;
    std::function<std::uint32_t()> tick;  ///< of flow ages
    std::function<Time()> clock;
  };

  /// `tables` must outlive it.
  Peer(const dataplane::Tables& tables, Keyring keys, const PeerOptions& options, Surroundings around);

  void receive(std::size_t path, Bytes datagram);
  /// Does what is due, a limited amount of it.
  void run();
  /// When `run` has something to do at the latest.
  [[nodiscard]] Time due() const;

  /// Services, backends or source addresses may have other numbers now.
  void names_changed();

  /// Whether clients' packets come to this node (Incoming::set_active).
  void set_active(bool active) { incoming_.set_active(active); }

  /// The peer has acknowledged all that was here at `time`.
  [[nodiscard]] bool told_since(Time time) const { return synced_until_ >= time; }
  [[nodiscard]] bool has_peer_table() const { return session_.is_up(around_.clock()) && peer_complete_; }
  [[nodiscard]] bool wrote_since(std::uint32_t number, Time time) const {
    return incoming_.wrote_since(number, seconds_of(time));
  }
  [[nodiscard]] PeerStatus status() const;

 private:
  [[nodiscard]] static std::uint32_t seconds_of(Time time);
  [[nodiscard]] Hello hello() const;
  void begin(const Hello& own, const Hello& peer);
  void take(const Body& body, Time now);
  void take_peer_key();
  void tell(Time now);
  void send_wants(Time now);
  void note_settled(Time now);

  const dataplane::Tables& tables_;
  PeerOptions options_;
  Surroundings around_;
  LocalNames names_;
  Known known_;
  Outgoing outgoing_;
  Incoming incoming_;
  Session session_;

  std::optional<std::array<std::uint64_t, core::kHashKeys>> key_to_take_;
  std::unordered_map<std::uint64_t, std::vector<Be32>> wants_;  ///< under way, by token
  std::vector<Be32> wants_to_send_;
  std::uint64_t last_wants_ = 0;
  bool walked_ = false;    ///< in this session
  bool complete_ = false;  ///< the peer has had all once, in this session
  bool peer_complete_ = false;
  bool more_ = false;  ///< there was more to send than was sent
  Time walk_at_{}, walk_due_{}, state_due_{}, synced_until_ = Time::min(), began_{};
  Clock::duration walk_took_{};
  Clock::duration full_took_{};
  State peer_state_{};
  std::uint64_t ring_digest_ = 0;
  std::uint64_t rekeyed_ = 0, rekey_lost_ = 0;
  Batch batch_;
};

}  // namespace astil::ha::sync
