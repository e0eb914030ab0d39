// What the two balancers of a pair have to have alike, as one number.
#pragma once

#include <cstdint>
#include <string_view>

namespace astil::config {

/// Of a text that load() takes: its `services`, `dns` and `dataplane.timeouts`, as they are written; and of `ha` the
/// heartbeats, and what makes its groups the same virtual routers, defaults filled in. Not of comments, the order of
/// keys, or how YAML is put down. Never 0. All else may differ between nodes: their interfaces, their addresses. Tells
/// texts apart that differ by accident, not those that somebody made to be alike (FNV-1a, 64 bits).
[[nodiscard]] std::uint64_t digest_of_shared(std::string_view text);

}  // namespace astil::config
