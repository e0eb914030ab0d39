#include "control/dns/rate_limit.hpp"

#include <algorithm>

namespace astil::dns {
namespace {

constexpr std::uint32_t kThousand = 1000;

std::uint64_t hash_of(std::span<const std::byte> address, unsigned bits, std::uint64_t key) {
  std::uint64_t hash = key ^ address.size();
  for (std::size_t i = 0; i * 8 < bits; ++i) {
    const unsigned left = std::min(8U, bits - static_cast<unsigned>(i) * 8U);
    const auto byte = std::to_integer<unsigned>(address[i]) & (0xff00U >> left);
    hash = (hash ^ (byte + 1)) * 0xff51afd7ed558ccdULL;
    hash ^= hash >> 32U;
  }
  return hash;
}

}  // namespace

RateLimiter::Entry& RateLimiter::find(const RateLimit& limit, std::uint64_t hash, std::uint32_t now) {
  const std::span<Entry> set = std::span(entries_).subspan(hash % kSets * kWays, kWays);
  const std::uint32_t tag = static_cast<std::uint32_t>(hash >> 32U) | 1U;
  Entry* oldest = &set[0];
  for (Entry& entry : set) {
    if (entry.tag == tag) return entry;
    if (entry.tag == 0 || (oldest->tag != 0 && now - entry.seen > now - oldest->seen)) oldest = &entry;
  }
  *oldest = {.tag = tag, .seen = now, .thousandths = limit.burst * kThousand, .above = 0};
  return *oldest;
}

RateLimiter::Verdict RateLimiter::judge(const RateLimit& limit, std::span<const std::byte> address, std::uint32_t now) {
  if (limit.per_second == 0) return Verdict::answer;
  if (entries_.empty()) entries_.resize(kWays * kSets);
  const unsigned bits = address.size() == 4 ? limit.ipv4_prefix : limit.ipv6_prefix;
  Entry& entry = find(limit, hash_of(address, bits, key_), now);
  const std::uint64_t earned = std::uint64_t{now - entry.seen} * limit.per_second;
  const std::uint64_t most = std::uint64_t{limit.burst} * kThousand;
  entry.seen = now;
  entry.thousandths = static_cast<std::uint32_t>(std::min(most, entry.thousandths + earned));
  if (entry.thousandths >= kThousand) {
    entry.thousandths -= kThousand;
    entry.above = 0;
    return Verdict::answer;
  }
  ++entry.above;
  return limit.slip != 0 && entry.above % limit.slip == 0 ? Verdict::truncate : Verdict::drop;
}

}  // namespace astil::dns
