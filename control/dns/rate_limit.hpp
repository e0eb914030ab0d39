// How many responses a client's network gets by UDP, where nothing shows that the clients are who they say they are: so
// nobody can have this server flood another. A table of fixed size for each worker; who is forgotten begins anew.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace astil::dns {

struct RateLimit {
  std::uint32_t per_second = 0;  ///< responses to a network; 0: no limit
  std::uint32_t burst = 0;       ///< at once, after a while without
  std::uint32_t slip = 2;        ///< of those above, each so manieth is sent truncated; 0: none
  unsigned ipv4_prefix = 24;
  unsigned ipv6_prefix = 56;
  bool operator==(const RateLimit&) const = default;
};

class RateLimiter {
 public:
  enum class Verdict { answer, truncate, drop };

  /// `key` keeps others from knowing which networks share a place.
  explicit RateLimiter(std::uint64_t key) : key_(key) {}

  /// `address` has 4 or 16 bytes; `now` is in milliseconds, of a clock that does not go back, and may wrap.
  [[nodiscard]] Verdict judge(const RateLimit& limit, std::span<const std::byte> address, std::uint32_t now);

 private:
  struct Entry {
    std::uint32_t tag = 0;  ///< 0: free
    std::uint32_t seen = 0;
    std::uint32_t thousandths = 0;  ///< of responses that it may have
    std::uint32_t above = 0;        ///< queries in a row that were above the limit
  };
  static constexpr std::size_t kWays = 4;
  static constexpr std::size_t kSets = 16384;

  Entry& find(const RateLimit& limit, std::uint64_t hash, std::uint32_t now);

  std::uint64_t key_;
  std::vector<Entry> entries_;  ///< none before the first use
};

}  // namespace astil::dns
