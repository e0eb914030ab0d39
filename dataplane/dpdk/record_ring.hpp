// A ring of records in shared memory, with one writer and one reader in different processes. Nobody waits: what finds
// no room is not written. Either of them may be killed at any moment: a record is there as a whole or not at all.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace astil::dpdk {

/// Where both of them are, in bytes since the ring was made.
struct RingPlaces {
  alignas(64) std::uint64_t written;  ///< the writer's
  alignas(64) std::uint64_t read;     ///< the reader's
};

/// Either side's view. `room` is a power of two, and aligned to 8 bytes.
class RecordRing {
 public:
  RecordRing(RingPlaces& places, std::span<std::byte> room) : places_(&places), room_(room) {}

  /// Place for a record of `bytes`; empty: there is none. It is not there for the reader before `publish`.
  [[nodiscard]] std::span<std::byte> reserve(std::size_t bytes);
  /// As much of it as is wanted.
  void publish(std::size_t bytes);
  /// Both. False: there is no room.
  bool write(std::span<const std::byte> record);

  /// The oldest record; empty: there is none. It stays until `drop`.
  [[nodiscard]] std::span<const std::byte> front();
  void drop();
  /// Of the reader: everything that is there so far is gone.
  void clear();
  [[nodiscard]] bool empty() const {
    return __atomic_load_n(&places_->written, __ATOMIC_ACQUIRE) == __atomic_load_n(&places_->read, __ATOMIC_ACQUIRE);
  }

 private:
  using Length = std::uint64_t;
  /// In the place of a length: the next record stands at the begin of the room.
  static constexpr Length kGoesOnAtBegin = ~Length{0};
  static constexpr std::size_t taken(std::size_t bytes) { return sizeof(Length) + (bytes + 7) / 8 * 8; }
  void reset();
  [[nodiscard]] std::size_t at(std::uint64_t place) const { return place & (room_.size() - 1); }
  /// Are the places those of a ring? Whoever else can write there is no writer of this version.
  [[nodiscard]] bool is_sound() const {
    const std::uint64_t read = places_->read;
    return read % sizeof(Length) == 0 && __atomic_load_n(&places_->written, __ATOMIC_ACQUIRE) - read <= room_.size();
  }
  /// Of the record at `read`, or kGoesOnAtBegin; none: it would leave the room.
  [[nodiscard]] std::optional<Length> length_at(std::uint64_t read) const {
    Length length = 0;
    std::memcpy(&length, &room_[at(read)], sizeof(length));
    const bool fits = length == kGoesOnAtBegin || length <= room_.size() - at(read) - sizeof(Length);
    return fits ? std::optional(length) : std::nullopt;
  }

  RingPlaces* places_;
  std::span<std::byte> room_;
};

inline std::span<std::byte> RecordRing::reserve(std::size_t bytes) {
  std::uint64_t written = places_->written;
  const std::uint64_t free = room_.size() - (written - __atomic_load_n(&places_->read, __ATOMIC_ACQUIRE));
  const std::size_t behind = room_.size() - at(written);
  const std::size_t lost = behind < taken(bytes) ? behind : 0;  // at the end of the room
  if (free > room_.size() || lost + taken(bytes) > free) return {};
  if (lost != 0) {
    std::memcpy(&room_[at(written)], &kGoesOnAtBegin, sizeof(kGoesOnAtBegin));
    written += lost;
    __atomic_store_n(&places_->written, written, __ATOMIC_RELEASE);
  }
  return room_.subspan(at(written) + sizeof(Length), bytes);
}

inline void RecordRing::publish(std::size_t bytes) {
  const std::uint64_t written = places_->written;
  const Length length = bytes;
  std::memcpy(&room_[at(written)], &length, sizeof(length));
  __atomic_store_n(&places_->written, written + taken(bytes), __ATOMIC_RELEASE);
}

inline bool RecordRing::write(std::span<const std::byte> record) {
  const std::span<std::byte> place = reserve(record.size());
  if (place.data() == nullptr) return false;
  std::ranges::copy(record, place.begin());
  publish(record.size());
  return true;
}

inline std::span<const std::byte> RecordRing::front() {
  while (!empty()) {
    const std::uint64_t read = places_->read;
    const auto length = is_sound() ? length_at(read) : std::nullopt;
    if (!length) {
      reset();
    } else if (*length == kGoesOnAtBegin) {
      __atomic_store_n(&places_->read, read + room_.size() - at(read), __ATOMIC_RELEASE);
    } else {
      return room_.subspan(at(read) + sizeof(Length), *length);
    }
  }
  return {};
}

inline void RecordRing::drop() {
  const std::uint64_t read = places_->read;
  const auto length = is_sound() ? length_at(read) : std::nullopt;
  if (!length || *length == kGoesOnAtBegin) return reset();
  __atomic_store_n(&places_->read, read + taken(*length), __ATOMIC_RELEASE);
}

/// What stands there is not what a writer of this version has left. A place that is no multiple of a length's never
/// comes right by itself.
inline void RecordRing::reset() {
  const std::uint64_t written = __atomic_load_n(&places_->written, __ATOMIC_ACQUIRE);
  __atomic_store_n(&places_->written, written / sizeof(Length) * sizeof(Length), __ATOMIC_RELEASE);
  clear();
}

inline void RecordRing::clear() {
  __atomic_store_n(&places_->read, __atomic_load_n(&places_->written, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
}

}  // namespace astil::dpdk
