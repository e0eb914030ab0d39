// The wait for astil-dpdk to follow what stands in the share.
#pragma once

#include <chrono>
#include <filesystem>
#include <thread>

#include "dataplane/dpdk/share.hpp"

namespace astil::dpdk {

/// It is so; nobody runs astil-dpdk, who would make it so; it was not in time.
enum class Awaited { so, nobody, late };

/// How long a process takes at most to end with its ports.
inline constexpr std::chrono::seconds kLongestRelease{5};

/// Looks again and again, for so long.
[[nodiscard]] Awaited await(const std::filesystem::path& folder, std::chrono::steady_clock::duration limit,
                            const auto& condition) {
  constexpr std::chrono::microseconds kBetweenLooks{50};
  const auto end = std::chrono::steady_clock::now() + limit;
  for (std::uint32_t round = 0; !condition(); ++round) {
    if (round % 64 == 63 && !is_engine_running(folder)) return Awaited::nobody;
    if (std::chrono::steady_clock::now() > end) return Awaited::late;
    std::this_thread::sleep_for(kBetweenLooks);
  }
  return Awaited::so;
}

}  // namespace astil::dpdk
