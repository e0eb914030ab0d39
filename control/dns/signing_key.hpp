// A key that a zone is signed with (RFC 4034 section 2, RFC 6605, RFC 8080): ECDSA P-256 or Ed25519, by OpenSSL.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "control/base/result.hpp"

namespace astil::dns {

/// IANA's numbers of DNSSEC algorithms; those that are taken here.
enum class Algorithm : std::uint8_t { ecdsa_p256_sha256 = 13, ed25519 = 15 };

/// `ECDSAP256SHA256`, `ED25519`.
[[nodiscard]] std::string_view algorithm_name(Algorithm algorithm);
/// By name in any case. None: another one.
[[nodiscard]] std::optional<Algorithm> algorithm_by_name(std::string_view name);

// Flags of a DNSKEY record, RFC 4034 section 2.1.1.
inline constexpr std::uint16_t kZoneKey = 0x0100;
inline constexpr std::uint16_t kEntryPoint = 0x0001;  ///< the parent's DS record is of this one

/// RFC 4034 appendix B. `dnskey` is the record's data.
[[nodiscard]] std::uint16_t key_tag(std::string_view dnskey);

/// The data of the DS record that the parent needs, with a SHA-256 digest (RFC 4509). `owner` is folded.
[[nodiscard]] std::string ds_of(std::string_view owner, std::string_view dnskey);

class SigningKey {
 public:
  /// `dnskey` is a DNSKEY record's data, `secret` the 32 bytes of the private key. Error: not a key of a zone, another
  /// algorithm, or they do not belong together.
  [[nodiscard]] static Result<SigningKey> make(std::string dnskey, std::string_view secret);

  /// A new one.
  [[nodiscard]] static Result<SigningKey> generate(Algorithm algorithm, std::uint16_t flags);

  [[nodiscard]] const std::string& dnskey() const { return dnskey_; }
  [[nodiscard]] std::uint16_t tag() const { return key_tag(dnskey_); }
  [[nodiscard]] Algorithm algorithm() const { return static_cast<Algorithm>(dnskey_[3]); }
  [[nodiscard]] bool is_entry_point() const { return (static_cast<unsigned char>(dnskey_[1]) & kEntryPoint) != 0; }

  /// The private key, 32 bytes. Error: OpenSSL can not give it.
  [[nodiscard]] Result<std::string> secret() const;

  /// 64 bytes, as the record has them. None: OpenSSL failed. Thread safe.
  [[nodiscard]] std::optional<std::string> sign(std::string_view bytes) const;

 private:
  SigningKey(std::string dnskey, EVP_PKEY* key) : dnskey_(std::move(dnskey)), key_(key, &EVP_PKEY_free) {}

  std::string dnskey_;
  std::shared_ptr<EVP_PKEY> key_;
};

}  // namespace astil::dns
