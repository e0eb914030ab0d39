// What astild and astil-vrrp tell each other, by a Unix socket of whole messages (SOCK_SEQPACKET) on one host: records
// of fixed size in host byte order, so each message is a header, its record, and the arrays that the record counts.
// Each type of message goes one way only. Both programs come from one build; a version that is not the own is refused,
// and the older process is asked to leave.
//
// A message from the other side is read with parse_*(), which never reads past the span, and gives nothing for one that
// is cut short, has counts beyond the limits, or another type.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace astil::ha {

using Bytes = std::span<const std::byte>;

inline constexpr std::uint32_t kChannelMagic = 0x41565250;  // "AVRP"
inline constexpr std::uint16_t kChannelVersion = 3;
inline constexpr std::size_t kMostChannelGroups = 64;
inline constexpr std::size_t kMostChannelAddresses = 90;  ///< of a group
inline constexpr std::size_t kMostChannelPeers = 8;       ///< of a group
inline constexpr std::size_t kMostChannelTracks = 8;      ///< of a group
inline constexpr std::size_t kMostChannelPaths = 8;
inline constexpr std::size_t kLongestMessage = 192U << 10U;

enum class MessageType : std::uint16_t {
  // From astild.
  configure = 1,  ///< Settings, groups, paths: all of them, each time. Answered with `done`.
  engine,         ///< whether packets of the services are forwarded. Answered with `done`.
  table,          ///< whether the peer's flows are here
  tracks,         ///< how what is tracked is, beside interfaces
  step_down,      ///< leave groups to the other node, and do not ask for them back
  digest,         ///< of the configuration, told to the peer
  leave,          ///< give up all addresses and end. Answered with `done`.
  // From astil-vrrp.
  done = 100,  ///< what was asked with that sequence number is so now
  report,      ///< the whole state; on each change, and each second
};

struct Header {
  std::uint32_t magic = kChannelMagic;
  std::uint16_t version = kChannelVersion;
  MessageType type = MessageType::configure;
  std::uint32_t sequence = 0;  ///< counts up on each side; of `done`, that of the message it answers
  std::uint32_t length = 0;    ///< of the whole message, bytes
};
static_assert(sizeof(Header) == 16);

/// Text with its end filled with 0; always ends in one.
template <std::size_t N>
struct FixedText {
  std::array<char, N> text{};

  FixedText() = default;
  FixedText(std::string_view from) {  // NOLINT(google-explicit-constructor): text is text
    from.substr(0, N - 1).copy(text.data(), N - 1);
  }
  [[nodiscard]] std::string_view view() const {
    const std::string_view all(text.data(), N - 1);
    return all.substr(0, all.find('\0'));
  }
  bool operator==(const FixedText&) const = default;
};
using Name = FixedText<64>;
using InterfaceName = FixedText<16>;

/// IPv4 in the first four bytes, or IPv6, in network byte order.
struct AddressRecord {
  std::array<std::uint8_t, 16> bytes{};
  std::uint8_t version = 0;  ///< 4 or 6; 0: none
  std::array<std::uint8_t, 3> unused{};
  bool operator==(const AddressRecord&) const = default;
};
static_assert(sizeof(AddressRecord) == 20);

struct KeyRecord {
  std::array<std::uint8_t, 32> secret{};
  std::uint8_t present = 0;  ///< 0 or 1
  std::array<std::uint8_t, 7> unused{};
  bool operator==(const KeyRecord&) const = default;
};

/// Times are in milliseconds.
struct SettingsRecord {
  Name node;
  std::uint32_t hold = 0;
  std::uint32_t startup_hold = 0;
  std::uint32_t takeover_limit = 0;
  std::uint32_t heartbeat_interval = 0;  ///< 0: no heartbeats
  std::uint16_t heartbeat_port = 0;
  std::uint8_t heartbeat_lost_after = 0;
  std::uint8_t unused = 0;
  std::uint32_t groups = 0;  ///< GroupRecords that follow
  std::uint32_t paths = 0;   ///< PathRecords that follow these
  std::uint32_t unused2 = 0;
  KeyRecord key, previous_key;
  bool operator==(const SettingsRecord&) const = default;
};

/// Something that takes from a group's priority while it is not well: an interface, which astil-vrrp follows, or what
/// astild looks at and tells.
struct TrackRecord {
  Name name;
  InterfaceName interface;  ///< empty: astild tells
  std::uint8_t subtract = 0;
  std::array<std::uint8_t, 3> unused{};
  bool operator==(const TrackRecord&) const = default;
};

struct GroupRecord {
  Name name;
  Name sync_group;  ///< empty: none
  InterfaceName interface;
  std::uint8_t virtual_router_id = 0;
  std::uint8_t priority = 0;
  std::uint8_t preempt = 0;
  std::uint8_t unicast = 0;
  std::uint8_t plain_checksum = 0;
  std::uint8_t authenticate = 0;
  std::uint16_t advert_interval = 0;   ///< centiseconds, 1 to 4095
  std::uint32_t preempt_delay = 0;     ///< milliseconds
  std::uint32_t announce_refresh = 0;  ///< milliseconds; 0: never
  std::uint16_t address_count = 0;
  std::uint8_t peer_count = 0;
  std::uint8_t track_count = 0;
  std::uint8_t virtual_mac = 0;
  std::array<std::uint8_t, 3> unused{};
  std::array<AddressRecord, kMostChannelAddresses> addresses{};
  std::array<AddressRecord, kMostChannelPeers> peers{};
  std::array<TrackRecord, kMostChannelTracks> tracks{};
  bool operator==(const GroupRecord&) const = default;
};

struct PathRecord {
  Name name;
  AddressRecord local, peer;
  bool operator==(const PathRecord&) const = default;
};

struct Configuration {
  SettingsRecord settings;
  std::vector<GroupRecord> groups;
  std::vector<PathRecord> paths;
  bool operator==(const Configuration&) const = default;
};

struct EngineRecord {
  std::uint8_t healthy = 0;  ///< 1: packets of all services are forwarded, and the addresses may come
  std::array<std::uint8_t, 3> unused{};
  /// While astild is not there, the engine counts as healthy as long as this file exists: a pin of its programs. Empty:
  /// as long as `hold`.
  FixedText<108> proof;
};

struct TableRecord {
  std::uint8_t complete = 0;  ///< 1: the peer's flows are here, or nobody asks for them
  std::array<std::uint8_t, 7> unused{};
};

/// In the order of the configuration's groups; a bit for each of a group's tracks, in their order. What is not known is
/// as it was: well, or not well in a group that astil-vrrp has just made.
struct TracksRecord {
  std::array<std::uint8_t, kMostChannelGroups> known{};
  std::array<std::uint8_t, kMostChannelGroups> failing{};  ///< of those that are known
};

struct StepDownRecord {
  /// For so long this node does not preempt; kUntilItIsNeeded: not before it was active again.
  std::uint32_t milliseconds = 0;
  std::uint32_t unused = 0;
  std::uint64_t groups = 0;  ///< a bit for each, in the order of the configuration's
};
inline constexpr std::uint32_t kUntilItIsNeeded = 0xffff'ffff;
static_assert(kMostChannelGroups <= 64);

struct DigestRecord {
  std::uint64_t digest = 0;  ///< 0: not known
};

/// The states of RFC 9568 section 6.4, and one for what keeps a group out of it.
enum class GroupState : std::uint8_t {
  stopped,  ///< Initialize: the engine does not forward yet, or any more
  fault,    ///< Initialize: its interface, or one of its sync group, is down
  backup,
  active,
};

/// Why an advert was dropped, in the order of RFC 9568 section 7.1. The names are those of the metrics.
enum class AdvertDrop : std::uint8_t {
  truncated,  ///< shorter than its header, or than its count of addresses
  ttl,        ///< TTL or Hop Limit is not 255
  version,    ///< is not 3
  type,       ///< is not ADVERTISEMENT
  checksum,
  checksum_kind,     ///< right for the other kind of checksum (VrrpChecksum)
  unknown_router,    ///< VRID of no group here
  own_priority_255,  ///< this node is the owner too
  addresses,         ///< not those of the group: counted, and not dropped for it
  interval,          ///< Max Advertise Interval of 0
  foreign_sender,    ///< unicast, and not from one of the peers
  unauthenticated,   ///< no code, or by a key that is not known
  wrong_code,        ///< its code is not right
  replayed,          ///< not newer than the last one
};
inline constexpr std::size_t kAdvertDrops = 14;
[[nodiscard]] std::string_view to_string(AdvertDrop drop);

/// Why a heartbeat was dropped.
enum class HeartbeatDrop : std::uint8_t {
  unauthentic,  ///< by a key that is not known, damaged, or of another version
  replayed,     ///< not newer than the last one
  own_name,     ///< authentic, and from a node that calls itself as this one does; or this node's own, sent back
};
inline constexpr std::size_t kHeartbeatDrops = 3;
[[nodiscard]] std::string_view to_string(HeartbeatDrop drop);

/// What the other node's heartbeats say of a group: nothing, or a GroupState plus 1, or that it has no such group.
inline constexpr std::uint8_t kPeerStateUnknown = 0;
inline constexpr std::uint8_t kPeerHasNone = 5;
[[nodiscard]] std::string_view to_string(GroupState state);

/// Why a group changed its state last.
enum class Cause : std::uint8_t {
  none,
  start,       ///< the engine forwards, or the interface is up again
  no_adverts,  ///< Active_Down_Timer
  heartbeats_lost,
  left,       ///< the active one sent priority 0
  preempted,  ///< this node's priority is higher: taken over; or lower: given up
  owner,
  stepped_down,  ///< as ordered
  engine_down,
  interface_down,
  sync_group,  ///< with another group of its sync group
  reconfigured,
  astild_gone,  ///< longer than `hold`
};
[[nodiscard]] std::string_view to_string(Cause cause);

/// Times are CLOCK_MONOTONIC in nanoseconds, 0: never.
struct GroupReport {
  GroupState state = GroupState::stopped;
  Cause cause = Cause::none;
  std::uint8_t priority = 0;  ///< the one in force
  std::uint8_t configured_priority = 0;
  std::uint8_t peer_priority = 0;    ///< of the last advert
  std::uint8_t waits_for_table = 0;  ///< 1: would take over, and waits for the flows
  std::uint8_t two_active = 0;       ///< 1: another node is active too
  std::uint8_t failing_tracks = 0;   ///< a bit for each of its tracks that takes from the priority
  AddressRecord peer;                ///< sender of the last advert
  std::uint8_t peer_is_active = 0;   ///< 1: backup, and an advert of another active node has come since it is
  std::uint8_t peer_state = kPeerStateUnknown;
  std::uint8_t held_back = 0;  ///< 1: would take over, but another of its sync group hears who is active
  std::array<std::uint8_t, 1> unused{};
  std::uint64_t since = 0;                 ///< of the state
  std::uint64_t transitions = 0;           ///< changes of state
  std::uint64_t takeovers = 0;             ///< changes to active
  std::uint64_t takeover_nanoseconds = 0;  ///< last one: from the last sign of the peer to the addresses being here
  std::uint64_t adverts_sent = 0;
  std::uint64_t adverts_received = 0;
  std::uint64_t send_errors = 0;
  std::uint64_t announcements = 0;   ///< gratuitous ARP and neighbour advertisements sent
  std::uint64_t table_limits = 0;    ///< takeovers although the flows were not here
  std::uint64_t conflicts = 0;       ///< times that another node was active too
  std::uint64_t address_errors = 0;  ///< addresses that could not be added or removed
  std::array<std::uint64_t, kAdvertDrops> drops{};
};

struct PathReport {
  std::uint8_t alive = 0;
  std::array<std::uint8_t, 7> unused{};
  std::uint64_t last_heard = 0;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t losses = 0;  ///< times that it was alive and is not
  std::array<std::uint64_t, kHeartbeatDrops> drops{};
};

struct ReportRecord {
  std::uint32_t groups = 0;    ///< GroupReports that follow
  std::uint32_t paths = 0;     ///< PathReports that follow these
  std::uint8_t real_time = 0;  ///< 1: SCHED_FIFO and locked memory
  std::uint8_t heartbeats_alive = 0;
  std::array<std::uint8_t, 6> unused{};
  std::uint64_t late_nanoseconds = 0;               ///< the most that a timer was late, since the start
  std::uint64_t peer_digest = 0;                    ///< 0: not known
  std::array<std::uint64_t, kAdvertDrops> drops{};  ///< of packets that are no group's
  Name peer_node;                                   ///< as its heartbeats say; empty: not known
};

struct Report {
  ReportRecord head;
  std::vector<GroupReport> groups;
  std::vector<PathReport> paths;
};

/// A whole message, ready to be sent.
using Message = std::vector<std::byte>;

[[nodiscard]] Message message_of(std::uint32_t sequence, const Configuration& configuration);
[[nodiscard]] Message message_of(std::uint32_t sequence, const EngineRecord& engine);
[[nodiscard]] Message message_of(std::uint32_t sequence, const TableRecord& table);
[[nodiscard]] Message message_of(std::uint32_t sequence, const TracksRecord& tracks);
[[nodiscard]] Message message_of(std::uint32_t sequence, const StepDownRecord& order);
[[nodiscard]] Message message_of(std::uint32_t sequence, const DigestRecord& digest);
[[nodiscard]] Message message_of(std::uint32_t sequence, const Report& report);
[[nodiscard]] Message leave_message(std::uint32_t sequence);
[[nodiscard]] Message done_message(std::uint32_t answered);

/// None: it is no message of this channel and version.
[[nodiscard]] std::optional<Header> parse_header(Bytes message);
/// Of a message whose header was parsed.
[[nodiscard]] std::optional<Configuration> parse_configuration(Bytes message);
[[nodiscard]] std::optional<Report> parse_report(Bytes message);
/// Records without arrays behind them: EngineRecord, TableRecord, TracksRecord, StepDownRecord, DigestRecord.
template <class Record>
[[nodiscard]] std::optional<Record> parse_record(Bytes message);

/// Where astil-vrrp of an instance listens: /run/astil/INSTANCE.vrrp.sock.
[[nodiscard]] std::string channel_path(std::string_view instance);

}  // namespace astil::ha
