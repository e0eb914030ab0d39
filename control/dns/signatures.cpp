#include "control/dns/signatures.hpp"

#include <array>
#include <cstring>

namespace astil::dns {
namespace {

template <class T>
void add_raw(std::string& key, T value) {
  std::array<char, sizeof(T)> bytes;
  std::memcpy(bytes.data(), &value, sizeof(T));
  key.append(bytes.data(), bytes.size());
}

}  // namespace

/// Two generations: when the recent one is full it is the one before, and what that had is gone.
Signatures::Entry& Signatures::entry_of(Room& room, const std::string& key) {
  if (const auto found = room.recent.find(key); found != room.recent.end()) return found->second;
  if (room.recent.size() >= most_) {
    room.before = std::move(room.recent);
    room.recent = Map();
  }
  Entry& entry = room.recent[key];
  if (const auto found = room.before.find(key); found != room.before.end()) {
    entry = std::move(found->second);
    room.before.erase(found);
  }
  return entry;
}

const std::vector<std::string>* Signatures::of(const Signer& signer, const SetToSign& set, OwnerKind kind,
                                               std::uint32_t now, Counters& counters) {
  key_.clear();
  add_raw(key_, signer.identity());
  add_raw(key_, set.type);
  add_raw(key_, set.ttl);
  key_ += set.owner;
  for (const std::string_view data : set.data) {
    add_raw(key_, static_cast<std::uint16_t>(data.size()));
    key_ += data;
  }
  Entry& entry = entry_of(kind == OwnerKind::of_zone ? of_zone_ : of_client_, key_);
  // A clock that was set back makes what was signed later invalid.
  const bool holds = !entry.data.empty() && now < signer.refresh_after(entry.made) && now + kSignedBefore > entry.made;
  if (holds) {
    counters.add(Counter::signatures_kept);
    return &entry.data;
  }
  entry.data = signer.sign(set, now);
  entry.made = now;
  counters.add(entry.data.empty() ? Counter::signatures_failed : Counter::signatures_made);
  return entry.data.empty() ? nullptr : &entry.data;
}

}  // namespace astil::dns
