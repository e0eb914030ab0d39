// What signs a zone's record sets (RFC 4034 section 3): its keys, and how long a signature holds. Nothing is remembered
// here: see signatures.hpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/dns/protocol.hpp"
#include "control/dns/signing_key.hpp"

namespace astil::dns {

/// Records of a name and type, in the canonical form of RFC 4034 section 6.
struct SetToSign {
  std::string_view owner;  ///< folded
  Type type{};
  std::uint32_t ttl = 0;                   ///< the original one: answers may have less, RFC 4035 section 5.3.3
  std::span<const std::string_view> data;  ///< in order, each once; names within are folded where RFC 4034 has them so
};

class Signer {
 public:
  /// `apex` is folded. Keys that are entry points sign the DNSKEY set, the others the rest; where there are only ones
  /// of a kind, those sign all. `published` are DNSKEY data of keys that do not sign (yet, or any more). `validity` is
  /// in seconds.
  Signer(std::string apex, std::vector<SigningKey> keys, std::vector<std::string> published, std::uint32_t validity);

  /// Data of one RRSIG record for each key that signs such sets. Empty: OpenSSL failed. `now` is in seconds since 1970.
  [[nodiscard]] std::vector<std::string> sign(const SetToSign& set, std::uint32_t now) const;

  /// When a signature that was made then is to be made again: it holds for half of its time from there on.
  [[nodiscard]] std::uint32_t refresh_after(std::uint32_t made) const { return made + validity_ / 2; }

  /// Differs from that of another signer whose signatures are others.
  [[nodiscard]] std::uint64_t identity() const { return identity_; }
  /// Data of the zone's DNSKEY records.
  [[nodiscard]] const std::vector<std::string>& dnskeys() const { return dnskeys_; }
  [[nodiscard]] const std::vector<SigningKey>& keys() const { return keys_; }
  [[nodiscard]] const std::string& apex() const { return apex_; }

 private:
  [[nodiscard]] bool signs(const SigningKey& key, Type type) const;

  std::string apex_;
  std::vector<SigningKey> keys_;
  std::vector<std::string> dnskeys_;
  std::uint32_t validity_;
  std::uint64_t identity_ = 0;
  bool is_split_ = false;  ///< there are entry points, and others for the rest
};

/// How far a signature reaches back, for clocks that are late: seconds.
inline constexpr std::uint32_t kSignedBefore = 3600;

}  // namespace astil::dns
