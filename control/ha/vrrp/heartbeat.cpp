#include "control/ha/vrrp/heartbeat.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace astil::ha {
namespace {

constexpr std::string_view kMagic = "ASHB";
constexpr std::uint8_t kVersion = 2;
constexpr std::size_t kHead = 16;
constexpr std::size_t kGroup = 8;

std::uint8_t byte_at(Bytes bytes, std::size_t at) { return std::to_integer<std::uint8_t>(bytes[at]); }

std::uint32_t word_at(Bytes bytes, std::size_t at) {
  std::uint32_t word = 0;
  for (std::size_t i = at; i < at + 4; ++i) word = word << 8U | byte_at(bytes, i);
  return word;
}

}  // namespace

std::uint32_t mark_of(std::span<const AddressRecord> addresses) {
  std::uint32_t mark = 0;
  for (const AddressRecord& address : addresses) {
    std::uint32_t hash = 0x811c9dc5U;  // FNV-1a
    for (const std::uint8_t byte : address.bytes) hash = (hash ^ byte) * 0x01000193U;
    mark += hash;
  }
  return mark;
}

std::vector<std::optional<std::size_t>> match_groups(std::span<const HeartbeatGroup> here,
                                                     std::span<const HeartbeatGroup> there) {
  std::vector<std::optional<std::size_t>> matches(here.size());
  std::vector<bool> taken(there.size());
  const auto match = [&](auto&& fits) {
    for (std::size_t i = 0; i < here.size(); ++i) {
      for (std::size_t j = 0; j < there.size() && !matches[i]; ++j) {
        const bool same =
            here[i].virtual_router_id == there[j].virtual_router_id && here[i].version == there[j].version;
        if (taken[j] || !same || !fits(here[i], there[j])) continue;
        taken[j] = true;
        matches[i] = j;
      }
    }
  };
  match([](const HeartbeatGroup& one, const HeartbeatGroup& other) { return one.mark == other.mark; });
  match([](const HeartbeatGroup&, const HeartbeatGroup&) { return true; });
  return matches;
}

std::vector<std::byte> build_heartbeat(const HeartbeatMessage& message) {
  std::vector<std::byte> out;
  const auto append = [&](std::uint64_t value) { out.push_back(static_cast<std::byte>(value & 0xffU)); };
  for (const char letter : kMagic) append(static_cast<unsigned char>(letter));
  append(kVersion);
  append(message.groups.size());
  append(message.node.size());
  append(0);
  for (unsigned shift = 64; shift > 0; shift -= 8) append(message.digest >> (shift - 8));
  for (const char letter : message.node) append(static_cast<unsigned char>(letter));
  for (const HeartbeatGroup& group : message.groups) {
    append(group.virtual_router_id);
    append(group.version);
    append(static_cast<std::uint8_t>(group.state));
    append(group.priority);
    for (unsigned shift = 32; shift > 0; shift -= 8) append(group.mark >> (shift - 8));
  }
  return out;
}

std::optional<HeartbeatMessage> parse_heartbeat(Bytes bytes) {
  if (bytes.size() < kHead) return std::nullopt;
  const bool ours = std::equal(kMagic.begin(), kMagic.end(), bytes.begin(),
                               [](char letter, std::byte byte) { return std::byte(letter) == byte; });
  if (!ours || byte_at(bytes, 4) != kVersion) return std::nullopt;
  const std::size_t groups = byte_at(bytes, 5);
  const std::size_t name = byte_at(bytes, 6);
  if (name == 0 || name > 63 || groups > kMostChannelGroups) return std::nullopt;
  if (bytes.size() != kHead + name + groups * kGroup) return std::nullopt;
  HeartbeatMessage message;
  for (std::size_t i = 8; i < kHead; ++i) message.digest = message.digest << 8U | byte_at(bytes, i);
  for (const std::byte letter : bytes.subspan(kHead, name)) message.node += static_cast<char>(letter);
  for (std::size_t i = 0; i < groups; ++i) {
    const Bytes group = bytes.subspan(kHead + name + i * kGroup, kGroup);
    if (byte_at(group, 2) > static_cast<std::uint8_t>(GroupState::active)) return std::nullopt;
    message.groups.push_back({.virtual_router_id = byte_at(group, 0),
                              .version = byte_at(group, 1),
                              .state = static_cast<GroupState>(byte_at(group, 2)),
                              .priority = byte_at(group, 3),
                              .mark = word_at(group, 4)});
  }
  return message;
}

HeartbeatWatch::HeartbeatWatch(std::size_t paths, milliseconds interval, unsigned lost_after)
    : paths_(paths), interval_(interval), silence_(interval * lost_after) {}

void HeartbeatWatch::heard(Time now, std::size_t path) {
  paths_[path].last = now;
  paths_[path].alive = true;
  alive_ = true;
  forgiven_ = false;
}

void HeartbeatWatch::forgive(Time now, Time late) {
  if (late < interval_ / 2 || forgiven_) return;
  for (Path& path : paths_) {
    if (!path.alive || now < *path.last + silence_) continue;
    path.last = now + interval_ - silence_;
    forgiven_ = true;
  }
}

bool HeartbeatWatch::died(Time now) {
  for (Path& path : paths_) {
    if (!path.alive || now < *path.last + silence_) continue;
    path.alive = false;
    ++path.losses;
  }
  const bool any = std::any_of(paths_.begin(), paths_.end(), [](const Path& path) { return path.alive; });
  if (any || !alive_) return false;
  alive_ = false;
  return true;
}

std::optional<Time> HeartbeatWatch::deadline() const {
  std::optional<Time> first;
  for (const Path& path : paths_) {
    if (path.alive && (!first || *path.last + silence_ < *first)) first = *path.last + silence_;
  }
  return first;
}

}  // namespace astil::ha
