// DNS cookies: what shows that a client by UDP is where it says it is (RFC 7873), in the form that all servers of a
// name can have in common (RFC 9018).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/base/result.hpp"

namespace astil::dns {

using CookieSecret = std::array<std::byte, 16>;
inline constexpr std::size_t kClientCookie = 8;
inline constexpr std::size_t kWholeCookie = 24;  ///< the client's and the server's, RFC 9018 section 4

/// The one that is made with first; others are good as well, while a secret is exchanged (RFC 9018 section 5).
using CookieSecrets = std::vector<CookieSecret>;

/// 32 hexadecimal digits a line, one or two lines. Error: something else.
[[nodiscard]] Result<CookieSecrets> parse_cookie_secrets(const std::string& text);

[[nodiscard]] CookieSecret random_cookie_secret();

/// The option's data of a response: the client's 8 bytes, and the server's. `address` has 4 or 16 bytes, `now` is in
/// seconds since 1970.
[[nodiscard]] std::array<std::byte, kWholeCookie> make_cookie(const CookieSecret& secret,
                                                              std::span<const std::byte> client_cookie,
                                                              std::span<const std::byte> address, std::uint32_t now);

enum class CookieState {
  none,   ///< no server's part, or one that is not ours or too old: the client may be anybody
  good,   ///< and to be given out again as it is
  aging,  ///< good, and to be replaced
};
/// `cookie` is the option's data of a query.
[[nodiscard]] CookieState check_cookie(const CookieSecrets& secrets, std::span<const std::byte> cookie,
                                       std::span<const std::byte> address, std::uint32_t now);

}  // namespace astil::dns
