#include "control/dns/cookies.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <sstream>

namespace astil::dns {
namespace {

constexpr std::size_t kHashed = 16;  ///< the client's cookie, version, reserved bytes and time: all but the hash
constexpr std::byte kVersion{1};

// RFC 9018 section 4.3.
constexpr std::uint32_t kOldest = 3600;
constexpr std::uint32_t kNewest = 300;
constexpr std::uint32_t kRenewed = 1800;

using Hash = std::array<std::byte, crypto_shorthash_BYTES>;
static_assert(sizeof(Hash) == 8 && sizeof(CookieSecret) == crypto_shorthash_KEYBYTES);

/// SipHash-2-4 over the cookie's first 16 bytes and the client's address, RFC 9018 section 4.4.
Hash hash_of(const CookieSecret& secret, std::span<const std::byte> begin, std::span<const std::byte> address) {
  std::array<std::byte, kHashed + 16> bytes{};
  std::memcpy(bytes.data(), begin.data(), kHashed);
  std::memcpy(bytes.data() + kHashed, address.data(), address.size());
  Hash hash;
  crypto_shorthash(reinterpret_cast<unsigned char*>(hash.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                   kHashed + address.size(), reinterpret_cast<const unsigned char*>(secret.data()));
  return hash;
}

}  // namespace

Result<CookieSecrets> parse_cookie_secrets(const std::string& text) {
  CookieSecrets secrets;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    CookieSecret secret;
    std::size_t size = 0;
    const char* end = nullptr;
    const int read = sodium_hex2bin(reinterpret_cast<unsigned char*>(secret.data()), secret.size(), word.data(),
                                    word.size(), nullptr, &size, &end);
    if (read != 0 || size != secret.size() || end != word.data() + word.size())
      return Error{"a cookie secret is not 32 hexadecimal digits", "make one by: openssl rand -hex 16"};
    secrets.push_back(secret);
  }
  constexpr std::size_t kMost = 2;
  if (secrets.empty() || secrets.size() > kMost)
    return Error{"there are " + std::to_string(secrets.size()) + " cookie secrets",
                 "one is needed, or the new and the old"};
  return secrets;
}

CookieSecret random_cookie_secret() {
  CookieSecret secret;
  randombytes_buf(secret.data(), secret.size());
  return secret;
}

std::array<std::byte, kWholeCookie> make_cookie(const CookieSecret& secret, std::span<const std::byte> client_cookie,
                                                std::span<const std::byte> address, std::uint32_t now) {
  std::array<std::byte, kWholeCookie> cookie{};
  std::memcpy(cookie.data(), client_cookie.data(), kClientCookie);
  cookie[kClientCookie] = kVersion;
  for (std::size_t i = 0; i < 4; ++i) cookie[12 + i] = static_cast<std::byte>(now >> (24U - 8U * i) & 0xffU);
  const Hash hash = hash_of(secret, cookie, address);
  std::memcpy(cookie.data() + kHashed, hash.data(), hash.size());
  return cookie;
}

CookieState check_cookie(const CookieSecrets& secrets, std::span<const std::byte> cookie,
                         std::span<const std::byte> address, std::uint32_t now) {
  if (cookie.size() != kWholeCookie || cookie[kClientCookie] != kVersion) return CookieState::none;
  std::uint32_t made = 0;
  for (std::size_t i = 12; i < kHashed; ++i) made = made << 8U | std::to_integer<std::uint32_t>(cookie[i]);
  // In serial arithmetic, RFC 9018 section 4.3.
  const auto age = static_cast<std::int32_t>(now - made);
  if (age > static_cast<std::int32_t>(kOldest) || age < -static_cast<std::int32_t>(kNewest)) return CookieState::none;
  for (const CookieSecret& secret : secrets) {
    const Hash hash = hash_of(secret, cookie, address);
    if (sodium_memcmp(hash.data(), cookie.data() + kHashed, hash.size()) != 0) continue;
    const bool is_first = &secret == secrets.data();
    return is_first && age < static_cast<std::int32_t>(kRenewed) ? CookieState::good : CookieState::aging;
  }
  return CookieState::none;
}

}  // namespace astil::dns
