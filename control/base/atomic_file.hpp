// Small files that the daemon keeps: whoever reads one, whatever crashed, finds all of it as it was or as it is.
#pragma once

#include <string>

#include "control/base/result.hpp"

namespace astil::base {

/// Exchanges the file for one with this text, readable by all and writable by its owner. An error leaves it as it was.
/// The data is on the disk when it returns.
[[nodiscard]] Result<void> write_atomically(const std::string& path, const std::string& text);

/// The same with a file that is there, of which mode and owner stay; where it is a symbolic link, what it leads to is
/// exchanged.
[[nodiscard]] Result<void> rewrite_atomically(const std::string& path, const std::string& text);

}  // namespace astil::base
