// What declarations of keys (keys.hpp) in several sections use: kinds of names and paths, and terms of the
// declarations.
#pragma once

#include <string_view>

#include "control/config/address_kinds.hpp"
#include "control/config/kinds.hpp"
#include "control/config/text_kinds.hpp"

namespace astil::config {

/// The default of a key whose member's initial value does not tell it.
struct Otherwise {
  std::string_view words;
};

/// `absent`: the mapping itself may be left out.
enum class AtLeast { absent, none, one };

inline constexpr HostAddress kHostAddress;

inline constexpr Text kName{"a name of letters, digits, dot, minus and underscore, at most 63 characters", "A-Za-z0-9",
                            "A-Za-z0-9._-", 63};
/// As the kernel's dev_valid_name(): neither '/' nor ':' nor blanks.
inline constexpr Text kInterfaceName{"an interface name, at most 15 characters", "!-.0-9;-~", "!-.0-9;-~", 15};
inline constexpr Text kFilePath{"an absolute path, without blanks", "/", "!-~", 4095};

/// Of a command: its path, or an argument.
inline constexpr Payload kArgument{1024};
inline constexpr std::size_t kMostArguments = 64;
/// Of a check: `rise` and `fall`.
inline constexpr Integer<unsigned> kProbesInARow{1, 100};

}  // namespace astil::config
