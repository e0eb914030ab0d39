#include "control/ha/vrrp/heartbeat.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace astil::ha {
namespace {

constexpr std::string_view kMagic = "ASHB";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kHead = 16;
constexpr std::size_t kGroup = 4;

std::uint8_t byte_at(Bytes bytes, std::size_t at) { return std::to_integer<std::uint8_t>(bytes[at]); }

}  // namespace

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
                              .priority = byte_at(group, 3)});
  }
  return message;
}

HeartbeatWatch::HeartbeatWatch(std::size_t paths, milliseconds interval, unsigned lost_after)
    : paths_(paths), silence_(interval * lost_after) {}

void HeartbeatWatch::heard(Time now, std::size_t path) {
  paths_[path].last = now;
  paths_[path].alive = true;
  alive_ = true;
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
