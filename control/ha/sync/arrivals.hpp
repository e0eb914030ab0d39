// Which sequence numbers of the other side have come: the replay window, as RFC 6479 has it, and what an ack says.
#pragma once

#include <array>
#include <cstdint>

#include "control/ha/sync/wire.hpp"

namespace astil::ha::sync {

class Arrivals {
 public:
  static constexpr std::uint64_t kWindow = 2048;

  /// False: it has come already, or is too old to tell.
  [[nodiscard]] bool take(std::uint64_t sequence) {
    if (sequence == 0 || (sequence <= highest_ && highest_ - sequence >= kWindow)) return false;
    if (sequence > highest_) {
      const std::uint64_t forget = sequence - highest_ < kWindow ? sequence - highest_ : kWindow;
      for (std::uint64_t i = 0; i < forget; ++i) bit(sequence - i, false);
      highest_ = sequence;
    } else if (has(sequence)) {
      return false;
    }
    bit(sequence, true);
    return true;
  }

  [[nodiscard]] std::uint64_t highest() const { return highest_; }

  [[nodiscard]] Ack ack() const {
    Ack ack{.highest = be64(highest_), .before = {}};
    for (std::uint64_t i = 0; i < kAckBits && highest_ > i + 1; ++i) {
      if (has(highest_ - 1 - i)) ack.before[i / 8] |= static_cast<std::uint8_t>(1U << (i % 8));
    }
    return ack;
  }

 private:
  [[nodiscard]] bool has(std::uint64_t sequence) const {
    const std::uint64_t at = sequence % kWindow;
    return ((words_[at / 64] >> (at % 64)) & 1U) != 0;
  }
  void bit(std::uint64_t sequence, bool value) {
    const std::uint64_t at = sequence % kWindow;
    const std::uint64_t mask = std::uint64_t{1} << (at % 64);
    words_[at / 64] = value ? words_[at / 64] | mask : words_[at / 64] & ~mask;
  }

  std::uint64_t highest_ = 0;
  std::array<std::uint64_t, kWindow / 64> words_{};
};

}  // namespace astil::ha::sync
