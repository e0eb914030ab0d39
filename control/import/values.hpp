// Values as LVS's tools write them. Each gives none where the word is something else.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "control/config/model.hpp"

namespace astil::import {

/// Decimal digits, at most `most`.
[[nodiscard]] std::optional<std::uint32_t> number_of(std::string_view word, std::uint32_t most);
/// Seconds with decimals, at most a day; to the millisecond.
[[nodiscard]] std::optional<config::Milliseconds> timer_of(std::string_view word);
[[nodiscard]] std::optional<config::address> address_of(std::string_view word);
/// An IPv4 netmask as the length of its prefix, or a length of IPv6.
[[nodiscard]] std::optional<unsigned> mask_of(std::string_view word, bool ipv4);
/// One address, A-B, A-LASTPART, or NETWORK/BITS; none also where there are more than `most`.
[[nodiscard]] std::optional<std::vector<config::address>> range_of(std::string_view word, std::size_t most);

/// The scheduler by LVS's name, and what is different in it.
struct KnownScheduler {
  std::string_view name;
  config::Scheduler scheduler;
  bool by_weight;
  std::string_view difference;  ///< empty: none
};
[[nodiscard]] const KnownScheduler* scheduler_of(std::string_view word);

}  // namespace astil::import
