// Who may speak for the pair: codes by HMAC-SHA256 (RFC 2104) behind adverts and heartbeats, made with keys that are
// derived from the pair's secret, and counters that let nothing be sent again. Pure.
//
// Behind an authenticated advert stands (its checksum does not cover it; all numbers in network byte order):
//   key id, 4 bytes | counter, 8 bytes | code, 32 bytes
// The code covers the packet's source address, the VRRP message, key id and counter.
#pragma once

#include <array>
#include <boost/system/result.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "control/ha/channel.hpp"
#include "control/ha/vrrp/wire.hpp"

namespace astil::ha {

using Secret = std::array<std::uint8_t, 32>;
using Code = std::array<std::uint8_t, 32>;
inline constexpr std::size_t kTrailer = 4 + 8 + 32;

/// A key for one purpose. Its id tells the receiver which of two keys it is, and nothing of the key.
class Key {
 public:
  /// HMAC-SHA256 of the purpose's name by the secret.
  Key(const Secret& secret, std::string_view purpose);

  [[nodiscard]] std::uint32_t id() const { return id_; }
  [[nodiscard]] Code code_of(Bytes bytes) const;
  /// In constant time.
  [[nodiscard]] bool is_right(const Code& code, Bytes bytes) const;

 private:
  Secret key_{};
  std::uint32_t id_ = 0;
};

/// The key that is used, and the one that is taken still.
class KeyRing {
 public:
  KeyRing() = default;
  KeyRing(const KeyRecord& current, const KeyRecord& previous, std::string_view purpose);

  [[nodiscard]] const Key* current() const { return keys_.empty() ? nullptr : &keys_.front(); }
  [[nodiscard]] const Key* find(std::uint32_t id) const;

  /// The bytes with key id, counter and code behind them; `context` is covered and not sent. There must be a key.
  [[nodiscard]] std::vector<std::byte> seal(Bytes bytes, Bytes context, std::uint64_t counter) const;

  enum class Fault { unauthenticated, wrong_code };
  struct Opened {
    Bytes bytes;  ///< within what was given
    std::uint64_t counter = 0;
  };
  /// What `seal` made: the last bytes of `sealed` are the trailer.
  [[nodiscard]] boost::system::result<Opened, Fault> open(Bytes sealed, Bytes context) const;

 private:
  std::vector<Key> keys_;
};

/// Counters that only grow, also over a restart as long as the clock does: nanoseconds of the real time.
class Counter {
 public:
  /// `now`: nanoseconds since 1970.
  [[nodiscard]] std::uint64_t next(std::uint64_t now) { return last_ = now > last_ ? now : last_ + 1; }

 private:
  std::uint64_t last_ = 0;
};

/// The last counter of each sender: what is not newer is not taken. Kept for senders with a right code alone.
class ReplayGuard {
 public:
  /// Whether it is newer; then it is the last one from now on.
  [[nodiscard]] bool is_new(const address& sender, std::uint64_t counter);

 private:
  std::map<address, std::uint64_t> last_;
};

/// For `seal` and `open`.
[[nodiscard]] std::vector<std::byte> bytes_of(const address& host);

}  // namespace astil::ha
