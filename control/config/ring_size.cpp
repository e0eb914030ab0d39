// How long a service's ring is.
#include "control/config/ring_size.hpp"

#include <algorithm>

namespace astil::config {
namespace {

bool is_prime(std::uint64_t n) {
  if (n < 4) return n > 1;
  if (n % 2 == 0) return false;
  for (std::uint64_t divisor = 3; divisor * divisor <= n; divisor += 2) {
    if (n % divisor == 0) return false;
  }
  return true;
}

}  // namespace

std::uint64_t ring_size(const Service& service) {
  std::uint64_t sum = 0;
  std::uint64_t smallest = 0;
  for (const Backend& backend : service.backends) {
    const auto weight = static_cast<std::uint64_t>(backend.weight);
    if (weight == 0) continue;
    sum += weight;
    smallest = smallest == 0 ? weight : std::min(smallest, weight);
  }
  if (smallest == 0) return 0;
  std::uint64_t size = (sum * service.ring_slots_per_weight + smallest - 1) / smallest;
  while (!is_prime(size)) ++size;
  return size;
}

}  // namespace astil::config
