#include "dataplane/jiffies.hpp"

#include <ctime>

namespace astil::dataplane {
namespace {

/// A jiffy is the resolution of the coarse clocks.
std::uint32_t measure_hz() {
  timespec resolution{};
  ::clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
  return resolution.tv_nsec > 0
             ? static_cast<std::uint32_t>((1'000'000'000 + resolution.tv_nsec / 2) / resolution.tv_nsec)
             : 250;
}

}  // namespace

std::uint32_t kernel_hz() {
  static const std::uint32_t hz = measure_hz();
  return hz;
}

// They start 300 s before they wrap at 32 bits (INITIAL_JIFFIES) and follow the monotonic clock.
std::uint64_t jiffies_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  const std::uint64_t hz = kernel_hz();
  const std::uint64_t since_boot =
      static_cast<std::uint64_t>(now.tv_sec) * hz + static_cast<std::uint64_t>(now.tv_nsec) * hz / 1'000'000'000;
  return since_boot + static_cast<std::uint32_t>(0U - static_cast<std::uint32_t>(300 * hz));
}

}  // namespace astil::dataplane
