#include "control/ha/channel.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace astil::ha {
namespace {

template <class Record>
constexpr MessageType kTypeOf{};
template <>
constexpr MessageType kTypeOf<EngineRecord> = MessageType::engine;
template <>
constexpr MessageType kTypeOf<TableRecord> = MessageType::table;
template <>
constexpr MessageType kTypeOf<TracksRecord> = MessageType::tracks;
template <>
constexpr MessageType kTypeOf<StepDownRecord> = MessageType::step_down;
template <>
constexpr MessageType kTypeOf<DigestRecord> = MessageType::digest;

template <class T>
void append(Message& message, const T& record) {
  static_assert(std::is_trivially_copyable_v<T>);
  const auto bytes = std::as_bytes(std::span(&record, 1));
  message.insert(message.end(), bytes.begin(), bytes.end());
}

Message begin(MessageType type, std::uint32_t sequence) {
  Message message;
  append(message, Header{.type = type, .sequence = sequence});
  return message;
}

Message finish(Message message) {
  Header header;
  std::memcpy(&header, message.data(), sizeof header);
  header.length = static_cast<std::uint32_t>(message.size());
  std::memcpy(message.data(), &header, sizeof header);
  return message;
}

template <class Record>
Message simple(std::uint32_t sequence, const Record& record) {
  Message message = begin(kTypeOf<Record>, sequence);
  append(message, record);
  return finish(std::move(message));
}

/// Takes records from the front of what is left.
class Reader {
 public:
  explicit Reader(Bytes message) : rest_(message) {}

  template <class T>
  [[nodiscard]] bool read(T& record) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (rest_.size() < sizeof(T)) return false;
    std::memcpy(&record, rest_.data(), sizeof(T));
    rest_ = rest_.subspan(sizeof(T));
    return true;
  }

  template <class T>
  [[nodiscard]] bool read(std::vector<T>& records, std::size_t count) {
    if (rest_.size() / sizeof(T) < count) return false;
    records.resize(count);
    for (T& record : records) {
      if (!read(record)) return false;
    }
    return true;
  }

  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  Bytes rest_;
};

bool has_type(Bytes message, MessageType type) {
  const auto header = parse_header(message);
  return header && header->type == type;
}

bool is_sound(const AddressRecord& address) { return address.version == 4 || address.version == 6; }

/// What the process counts on without looking again: counts within the arrays, and values that mean something.
bool is_sound(const GroupRecord& group) {
  if (group.address_count == 0 || group.address_count > kMostChannelAddresses) return false;
  if (group.peer_count > kMostChannelPeers || group.track_count > kMostChannelTracks) return false;
  if (group.virtual_router_id == 0 || group.priority == 0) return false;
  if (group.advert_interval == 0 || group.advert_interval > 4095) return false;
  const std::uint8_t version = group.addresses.front().version;
  const auto fits = [&](const AddressRecord& address) { return is_sound(address) && address.version == version; };
  return std::all_of(group.addresses.begin(), group.addresses.begin() + group.address_count, fits) &&
         std::all_of(group.peers.begin(), group.peers.begin() + group.peer_count, fits);
}

bool is_sound(const PathRecord& path) {
  return is_sound(path.local) && is_sound(path.peer) && path.local.version == path.peer.version;
}

}  // namespace

Message message_of(std::uint32_t sequence, const Configuration& configuration) {
  Message message = begin(MessageType::configure, sequence);
  SettingsRecord settings = configuration.settings;
  settings.groups = static_cast<std::uint32_t>(configuration.groups.size());
  settings.paths = static_cast<std::uint32_t>(configuration.paths.size());
  append(message, settings);
  for (const GroupRecord& group : configuration.groups) append(message, group);
  for (const PathRecord& path : configuration.paths) append(message, path);
  return finish(std::move(message));
}

Message message_of(std::uint32_t sequence, const EngineRecord& engine) { return simple(sequence, engine); }
Message message_of(std::uint32_t sequence, const TableRecord& table) { return simple(sequence, table); }
Message message_of(std::uint32_t sequence, const TracksRecord& tracks) { return simple(sequence, tracks); }
Message message_of(std::uint32_t sequence, const StepDownRecord& order) { return simple(sequence, order); }
Message message_of(std::uint32_t sequence, const DigestRecord& digest) { return simple(sequence, digest); }

Message message_of(std::uint32_t sequence, const Report& report) {
  Message message = begin(MessageType::report, sequence);
  ReportRecord head = report.head;
  head.groups = static_cast<std::uint32_t>(report.groups.size());
  head.paths = static_cast<std::uint32_t>(report.paths.size());
  append(message, head);
  for (const GroupReport& group : report.groups) append(message, group);
  for (const PathReport& path : report.paths) append(message, path);
  return finish(std::move(message));
}

Message leave_message(std::uint32_t sequence) { return finish(begin(MessageType::leave, sequence)); }
Message done_message(std::uint32_t answered) { return finish(begin(MessageType::done, answered)); }

std::optional<Header> parse_header(Bytes message) {
  Header header;
  if (!Reader(message).read(header)) return std::nullopt;
  const bool ours = header.magic == kChannelMagic && header.version == kChannelVersion;
  if (!ours || header.length != message.size() || message.size() > kLongestMessage) return std::nullopt;
  return header;
}

std::optional<Configuration> parse_configuration(Bytes message) {
  if (!has_type(message, MessageType::configure)) return std::nullopt;
  Reader reader(message.subspan(sizeof(Header)));
  Configuration configuration;
  SettingsRecord& settings = configuration.settings;
  if (!reader.read(settings)) return std::nullopt;
  if (settings.groups > kMostChannelGroups || settings.paths > kMostChannelPaths) return std::nullopt;
  if (!reader.read(configuration.groups, settings.groups)) return std::nullopt;
  if (!reader.read(configuration.paths, settings.paths) || !reader.at_end()) return std::nullopt;
  const auto sound = [](const auto& record) { return is_sound(record); };
  const bool all_sound = std::all_of(configuration.groups.begin(), configuration.groups.end(), sound) &&
                         std::all_of(configuration.paths.begin(), configuration.paths.end(), sound);
  if (!all_sound) return std::nullopt;
  return configuration;
}

std::optional<Report> parse_report(Bytes message) {
  if (!has_type(message, MessageType::report)) return std::nullopt;
  Reader reader(message.subspan(sizeof(Header)));
  Report report;
  if (!reader.read(report.head)) return std::nullopt;
  if (report.head.groups > kMostChannelGroups || report.head.paths > kMostChannelPaths) return std::nullopt;
  if (!reader.read(report.groups, report.head.groups)) return std::nullopt;
  if (!reader.read(report.paths, report.head.paths) || !reader.at_end()) return std::nullopt;
  return report;
}

template <class Record>
std::optional<Record> parse_record(Bytes message) {
  if (!has_type(message, kTypeOf<Record>)) return std::nullopt;
  Reader reader(message.subspan(sizeof(Header)));
  Record record;
  if (!reader.read(record) || !reader.at_end()) return std::nullopt;
  return record;
}

template std::optional<EngineRecord> parse_record<EngineRecord>(Bytes message);
template std::optional<TableRecord> parse_record<TableRecord>(Bytes message);
template std::optional<TracksRecord> parse_record<TracksRecord>(Bytes message);
template std::optional<StepDownRecord> parse_record<StepDownRecord>(Bytes message);
template std::optional<DigestRecord> parse_record<DigestRecord>(Bytes message);

std::string channel_path(std::string_view instance) { return "/run/astil/" + std::string(instance) + ".vrrp.sock"; }

std::string_view to_string(AdvertDrop drop) {
  constexpr std::array<std::string_view, kAdvertDrops> kNames{
      "truncated", "ttl",       "version",  "type",           "checksum",        "checksum_kind", "unknown_router",
      "owner",     "addresses", "interval", "foreign_sender", "unauthenticated", "wrong_code",    "replayed"};
  const auto index = static_cast<std::size_t>(drop);
  return index < kNames.size() ? kNames[index] : "unknown";
}

std::string_view to_string(HeartbeatDrop drop) {
  constexpr std::array<std::string_view, kHeartbeatDrops> kNames{"unauthentic", "replayed", "own_name"};
  const auto index = static_cast<std::size_t>(drop);
  return index < kNames.size() ? kNames[index] : "unknown";
}

std::string_view to_string(GroupState state) {
  constexpr std::array<std::string_view, 4> kNames{"stopped", "fault", "backup", "active"};
  const auto index = static_cast<std::size_t>(state);
  return index < kNames.size() ? kNames[index] : "unknown";
}

std::string_view to_string(Cause cause) {
  constexpr std::array<std::string_view, 13> kNames{
      "none",         "start",       "no_adverts",     "heartbeats_lost", "peer_left",    "priority",   "owner",
      "stepped_down", "engine_down", "interface_down", "sync_group",      "reconfigured", "astild_gone"};
  const auto index = static_cast<std::size_t>(cause);
  return index < kNames.size() ? kNames[index] : "unknown";
}

}  // namespace astil::ha
