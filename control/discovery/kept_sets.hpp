// The last good sets in a file, for the next daemon: one that starts while a name server is away must not empty a pool.
#pragma once

#include <map>
#include <string>

#include "control/discovery/targets.hpp"

namespace astil::discovery {

/// By service: of which source it is (Discoveries::source_of), and what that last named.
struct KeptSet {
  std::string source;
  Set set;
};
using KeptSets = std::map<std::string, KeptSet>;

[[nodiscard]] std::string text_of(const KeptSets& sets);
/// What can not be read is left out.
[[nodiscard]] KeptSets kept_sets_of(const std::string& text);

}  // namespace astil::discovery
