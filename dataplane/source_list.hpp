// Which clients a service lets in, and how fast: as the control plane wants it, and as the tables have it.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/core/layout.hpp"

namespace astil::dataplane {

enum class SourceVerdict : std::uint8_t { allow, deny };

/// Clients whose addresses begin with the same bits.
struct SourcePrefix {
  core::Address network{};    ///< bits behind the length are not looked at
  std::uint8_t length = 128;  ///< as in core::Address: of IPv4, 96 more than is usually written
  SourceVerdict verdict = SourceVerdict::deny;
};

/// What prefixes, each given once, say of all addresses, in order: of those that hold an address the longest decides;
/// where there is none, it is allowed unless a prefix allows others. No prefixes: no ranges. Takes n log n.
[[nodiscard]] std::vector<core::SourceRange> ranges_of(std::vector<SourcePrefix> prefixes);

/// How many ranges so many prefixes of so many services may make, at most.
constexpr std::uint64_t ranges_for(std::uint64_t prefixes, std::uint64_t services) { return 2 * prefixes + services; }

struct SourceControl {
  std::vector<core::SourceRange> ranges;   ///< as `ranges_of` makes them; none: everyone is let in
  std::uint32_t new_flows_per_second = 0;  ///< of each source; 0: no limit. At most core::kSourceUnitsPerSecond
  /// How many may come at once; at least 1, and no more than come in core::kLongestBurstSeconds.
  std::uint32_t burst = 0;
  std::uint8_t bits = 128;  ///< of a client's address, as in core::Address: clients with the same ones are one source
};

bool operator==(const SourceControl& a, const SourceControl& b);

/// The record of a service whose ranges begin at a place.
[[nodiscard]] core::SourceRules rules_of(const SourceControl& control, std::uint32_t first_range);

}  // namespace astil::dataplane
