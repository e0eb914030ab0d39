#include "control/dns/signing_key.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "control/base/free.hpp"
#include "control/dns/name.hpp"

namespace astil::dns {
namespace {

constexpr std::size_t kHead = 4;  ///< flags, protocol, algorithm
constexpr char kProtocol = 3;
constexpr std::size_t kSecretSize = 32;
constexpr std::size_t kPointSize = 64;         ///< of P-256: two coordinates, RFC 6605 section 4
constexpr std::size_t kNumberSize = 32;        ///< of a signature of P-256
constexpr std::size_t kLongestSignature = 80;  ///< DER of two such numbers

using Number = std::unique_ptr<BIGNUM, base::Free<BN_clear_free>>;
using Context = std::unique_ptr<EVP_PKEY_CTX, base::Free<EVP_PKEY_CTX_free>>;
using Digest = std::unique_ptr<EVP_MD_CTX, base::Free<EVP_MD_CTX_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, base::Free<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, base::Free<OSSL_PARAM_free>>;
using Pair = std::unique_ptr<ECDSA_SIG, base::Free<ECDSA_SIG_free>>;
using Key = std::unique_ptr<EVP_PKEY, base::Free<EVP_PKEY_free>>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

/// Null: they do not belong together.
Key make_p256(std::string_view point, std::string_view secret) {
  const std::string whole = '\4' + std::string(point);  // uncompressed, SEC 1 section 2.3.3
  const Number number(BN_bin2bn(bytes_of(secret), static_cast<int>(secret.size()), nullptr));
  const Builder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1, 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, whole.data(), whole.size());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, number.get());
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  const Context context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* made = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_KEYPAIR, parameters.get()) != 1)
    return nullptr;
  Key key(made);
  const Context check(EVP_PKEY_CTX_new_from_pkey(nullptr, made, nullptr));
  return EVP_PKEY_pairwise_check(check.get()) == 1 ? std::move(key) : nullptr;
}

Key make_ed25519(std::string_view point, std::string_view secret) {
  Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bytes_of(secret), secret.size()));
  std::array<unsigned char, kSecretSize> own{};
  std::size_t size = own.size();
  if (!key || EVP_PKEY_get_raw_public_key(key.get(), own.data(), &size) != 1) return nullptr;
  return std::equal(own.begin(), own.end(), bytes_of(point), bytes_of(point) + point.size()) ? std::move(key) : nullptr;
}

std::size_t point_size(Algorithm algorithm) { return algorithm == Algorithm::ed25519 ? kSecretSize : kPointSize; }

/// The public key as DNSKEY has it; empty: OpenSSL failed.
std::string point_of(Algorithm algorithm, EVP_PKEY* key) {
  std::array<unsigned char, 1 + kPointSize> room{};
  std::size_t size = room.size();
  const bool got =
      algorithm == Algorithm::ed25519
          ? EVP_PKEY_get_raw_public_key(key, room.data(), &size) == 1
          : EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, room.data(), room.size(), &size) == 1;
  const std::size_t skipped = algorithm == Algorithm::ed25519 ? 0 : 1;
  if (!got || size != skipped + point_size(algorithm)) return {};
  return {reinterpret_cast<const char*>(room.data()) + skipped, size - skipped};
}

}  // namespace

std::string_view algorithm_name(Algorithm algorithm) {
  return algorithm == Algorithm::ed25519 ? "ED25519" : "ECDSAP256SHA256";
}

std::optional<Algorithm> algorithm_by_name(std::string_view name) {
  for (const Algorithm algorithm : {Algorithm::ecdsa_p256_sha256, Algorithm::ed25519}) {
    const std::string_view known = algorithm_name(algorithm);
    if (std::equal(name.begin(), name.end(), known.begin(), known.end(),
                   [](char a, char b) { return folded(a) == folded(b); }))
      return algorithm;
  }
  return std::nullopt;
}

std::uint16_t key_tag(std::string_view dnskey) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < dnskey.size(); ++i) {
    const auto byte = static_cast<unsigned char>(dnskey[i]);
    sum += i % 2 == 0 ? byte * 256U : byte;
  }
  return static_cast<std::uint16_t>(sum + (sum >> 16U));
}

std::string ds_of(std::string_view owner, std::string_view dnskey) {
  constexpr char kSha256 = 2;
  const std::string hashed = std::string(owner) + std::string(dnskey);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(bytes_of(hashed), hashed.size(), digest.data());
  const std::uint16_t tag = key_tag(dnskey);
  std::string data{static_cast<char>(tag >> 8U), static_cast<char>(tag & 0xffU), dnskey[3], kSha256};
  return data.append(digest.begin(), digest.end());
}

Result<SigningKey> SigningKey::make(std::string dnskey, std::string_view secret) {
  if (dnskey.size() < kHead || (static_cast<unsigned char>(dnskey[0]) & (kZoneKey >> 8U)) == 0 ||
      dnskey[2] != kProtocol)
    return Error{"the DNSKEY record is not of a zone's key", "its flags are 256 or 257, its protocol is 3"};
  const auto algorithm = static_cast<Algorithm>(dnskey[3]);
  if (algorithm != Algorithm::ecdsa_p256_sha256 && algorithm != Algorithm::ed25519) {
    return Error{"algorithm " + std::to_string(static_cast<unsigned char>(dnskey[3])) + " is not known here",
                 "use ECDSAP256SHA256 (13) or ED25519 (15)"};
  }
  if (dnskey.size() != kHead + point_size(algorithm) || secret.size() != kSecretSize)
    return Error{"the key has a wrong length", "make a new one: astil dns keys generate ZONE"};
  const std::string_view point = std::string_view(dnskey).substr(kHead);
  Key key = algorithm == Algorithm::ed25519 ? make_ed25519(point, secret) : make_p256(point, secret);
  if (!key)
    return Error{"the public and the private key do not belong together", "put the right files beside each other"};
  return SigningKey(std::move(dnskey), key.release());
}

Result<SigningKey> SigningKey::generate(Algorithm algorithm, std::uint16_t flags) {
  Key key(algorithm == Algorithm::ed25519 ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519") : EVP_EC_gen("P-256"));
  const std::string point = key ? point_of(algorithm, key.get()) : std::string();
  if (point.empty()) return Error{"OpenSSL can not make a key", {}};
  std::string dnskey{static_cast<char>(flags >> 8U), static_cast<char>(flags & 0xffU), kProtocol,
                     static_cast<char>(algorithm)};
  return SigningKey(dnskey + point, key.release());
}

Result<std::string> SigningKey::secret() const {
  std::array<unsigned char, kSecretSize> room{};
  std::size_t size = room.size();
  bool got = false;
  if (algorithm() == Algorithm::ed25519) {
    got = EVP_PKEY_get_raw_private_key(key_.get(), room.data(), &size) == 1;
  } else {
    BIGNUM* number = nullptr;
    got = EVP_PKEY_get_bn_param(key_.get(), OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1;
    const Number owned(number);
    got = got && BN_bn2binpad(number, room.data(), static_cast<int>(room.size())) >= 0;
  }
  if (!got) return Error{"OpenSSL can not give the private key", {}};
  return Result<std::string>(boost::system::in_place_value, reinterpret_cast<const char*>(room.data()), room.size());
}

std::optional<std::string> SigningKey::sign(std::string_view bytes) const {
  const Digest digest(EVP_MD_CTX_new());
  const EVP_MD* hash = algorithm() == Algorithm::ed25519 ? nullptr : EVP_sha256();
  std::array<unsigned char, kLongestSignature> room{};
  std::size_t size = room.size();
  if (!digest || EVP_DigestSignInit(digest.get(), nullptr, hash, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(digest.get(), room.data(), &size, bytes_of(bytes), bytes.size()) != 1)
    return std::nullopt;
  if (algorithm() == Algorithm::ed25519) return std::string(reinterpret_cast<const char*>(room.data()), size);
  // RFC 6605 section 4: the two numbers behind each other, not in DER.
  const unsigned char* at = room.data();
  const Pair pair(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
  std::string signature(2 * kNumberSize, '\0');
  auto* out = reinterpret_cast<unsigned char*>(signature.data());
  if (!pair || BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), out, kNumberSize) < 0 ||
      BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), out + kNumberSize, kNumberSize) < 0)
    return std::nullopt;
  return signature;
}

}  // namespace astil::dns
