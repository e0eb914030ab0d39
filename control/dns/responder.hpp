// From a query's bytes to the response's: what an authoritative server says. No sockets here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "control/dns/counters.hpp"
#include "control/dns/query.hpp"
#include "control/dns/query_log.hpp"
#include "control/dns/signatures.hpp"
#include "control/dns/snapshot.hpp"

namespace astil::dns {

enum class Transport { udp, tcp };

/// Who asks, and how.
struct Client {
  std::array<std::byte, 16> address{};  ///< network byte order; of IPv4 the first four
  bool is_ipv4 = true;
  Transport transport = Transport::udp;

  /// 4 or 16 bytes.
  [[nodiscard]] Bytes bytes() const { return Bytes(address).first(is_ipv4 ? 4 : 16); }
};

/// What a worker has of its own.
struct WorkerContext {
  Counters counters{};
  Random random{0x9e3779b97f4a7c15ULL};
  RateLimiter limiter{0x2545f4914f6cdd1dULL};
  Signatures signatures{};
  std::vector<std::string_view> set{};  ///< room for the records of the set that is signed at the moment
  std::uint32_t now = 0;                ///< seconds since 1970
  std::uint32_t milliseconds = 0;       ///< of the steady clock; they may wrap
  QueryLog log{};
  std::string_view site{};   ///< the first that the last response names; the snapshot's
  bool counts_sites = true;  ///< false: answers are made to be looked at
};

/// "NOERROR", as IANA has it.
[[nodiscard]] std::string_view code_name(Code code);

/// Writes the response to `room`, which has at least 4096 bytes for UDP and kLongestMessage for TCP. Returns its size;
/// 0: there is none.
[[nodiscard]] std::size_t respond(const Snapshot& snapshot, Bytes message, const Client& client,
                                  std::span<std::byte> room, WorkerContext& worker);

}  // namespace astil::dns
