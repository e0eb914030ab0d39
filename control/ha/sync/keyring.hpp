// The pair's secret as flow sync uses it: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03, by libsodium) under a key
// derived from it, and a key id by which the other side finds the same one while the secret is exchanged for another.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "control/ha/sync/wire.hpp"

namespace astil::ha::sync {

inline constexpr std::size_t kSecretBytes = 32;
using Secret = std::array<std::uint8_t, kSecretBytes>;

class Keyring {
 public:
  /// `previous` is taken, and never used for what is sent.
  explicit Keyring(const Secret& current, const std::optional<Secret>& previous = std::nullopt);

  [[nodiscard]] Be32 id() const { return keys_.front().id; }
  [[nodiscard]] bool knows(Be32 id) const { return find(id) != nullptr; }

  /// Writes the body's cipher text and its code behind it; `out` has kCodeBytes more than `plain`.
  void seal(const Envelope& envelope, Bytes plain, std::byte* out) const;
  /// False: not authentic. `plain` has kCodeBytes less than `sealed`.
  [[nodiscard]] bool open(const Envelope& envelope, Bytes sealed, std::byte* plain) const;

 private:
  struct Key {
    Be32 id;
    std::array<std::uint8_t, 32> bytes;
  };
  [[nodiscard]] static Key derive(const Secret& secret);
  [[nodiscard]] const Key* find(Be32 id) const;

  std::vector<Key> keys_;  ///< the current one first
};

}  // namespace astil::ha::sync
