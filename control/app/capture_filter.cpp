#include "control/app/capture_filter.hpp"

#include <algorithm>

#include "control/app/inputs.hpp"
#include "dataplane/core/hash.hpp"

namespace astil::app {

static_assert(api::CaptureQuery::kLeastSnap == core::kMinSnap && api::CaptureQuery::kMostSnap == core::kMaxSnap);

core::CaptureFilter filter_of(const api::CaptureQuery& query, const CaptureTargets& targets) {
  core::CaptureFilter filter{};
  if (query.client) {
    // IPv4 addresses are mapped into IPv6.
    const std::uint32_t bits = query.client->bits + (query.client->address.is_v4() ? 96 : 0);
    constexpr core::Be32 kOnes{~0U};
    filter.client = core::first_bits(to_core(query.client->address), bits);
    filter.client_mask = core::first_bits(core::Address{{kOnes, kOnes, kOnes, kOnes}}, bits);
  }
  filter.service = targets.service.value_or(core::kNoService);
  if (targets.backends) {
    filter.by_backend = 1;
    filter.backends =
        static_cast<std::uint32_t>(std::min<std::size_t>(targets.backends->size(), core::kMaxCapturedBackends));
    std::copy_n(targets.backends->begin(), filter.backends, std::begin(filter.numbers));
  }
  filter.snap = query.snap;
  filter.per_second = query.rate;
  return filter;
}

}  // namespace astil::app
