// Files that somebody names: read whole, and without waiting for the other end of a pipe.
#pragma once

#include <cstddef>
#include <limits>
#include <string>

#include "control/base/result.hpp"

namespace astil::base {

/// The first `most` bytes of a file, all of it by default. An error where it is no regular file; it names the path.
[[nodiscard]] Result<std::string> read_regular_file(const std::string& path,
                                                    std::size_t most = std::numeric_limits<std::size_t>::max());

}  // namespace astil::base
