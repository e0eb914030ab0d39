// What a worker counts. Each worker has counters of its own and is the only one that writes them; whoever asks adds
// them up.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace astil::dns {

enum class Counter : std::uint8_t {
  queries_udp_ipv4,
  queries_udp_ipv6,
  queries_tcp_ipv4,
  queries_tcp_ipv6,
  type_a,
  type_aaaa,
  type_https,
  type_svcb,
  type_ns,
  type_soa,
  type_mx,
  type_txt,
  type_any,
  type_dnskey,
  type_ds,
  type_other,
  code_no_error,
  code_format_error,
  code_server_failure,
  code_name_error,
  code_not_implemented,
  code_refused,
  code_bad_version,
  code_bad_cookie,
  dropped_too_short,
  dropped_response,
  dropped_not_sent,
  dropped_rate_limited,
  slipped,
  cookies_none,
  cookies_bad,
  cookies_good,
  truncated,
  not_logged,
  signatures_made,
  signatures_kept,
  signatures_failed,
  tcp_opened,
  tcp_closed_by_client,
  tcp_closed_idle,
  tcp_closed_limit,
  tcp_closed_client_limit,
  tcp_closed_error,
  count,
};
inline constexpr auto kCounters = static_cast<std::size_t>(Counter::count);

/// The metric that a counter is a sample of, and its label's value there.
struct CounterName {
  std::string_view family;
  std::string_view label;
};
inline constexpr std::array<CounterName, kCounters> kCounterNames{{
    {"queries", "udp-ipv4"},
    {"queries", "udp-ipv6"},
    {"queries", "tcp-ipv4"},
    {"queries", "tcp-ipv6"},
    {"types", "A"},
    {"types", "AAAA"},
    {"types", "HTTPS"},
    {"types", "SVCB"},
    {"types", "NS"},
    {"types", "SOA"},
    {"types", "MX"},
    {"types", "TXT"},
    {"types", "ANY"},
    {"types", "DNSKEY"},
    {"types", "DS"},
    {"types", "other"},
    {"responses", "NOERROR"},
    {"responses", "FORMERR"},
    {"responses", "SERVFAIL"},
    {"responses", "NXDOMAIN"},
    {"responses", "NOTIMP"},
    {"responses", "REFUSED"},
    {"responses", "BADVERS"},
    {"responses", "BADCOOKIE"},
    {"drops", "too-short"},
    {"drops", "response"},
    {"drops", "not-sent"},
    {"drops", "rate-limited"},
    {"slipped", ""},
    {"cookies", "none"},
    {"cookies", "bad"},
    {"cookies", "good"},
    {"truncated", ""},
    {"not-logged", ""},
    {"signatures", "made"},
    {"signatures", "kept"},
    {"signatures", "failed"},
    {"tcp-opened", ""},
    {"tcp-closed", "client"},
    {"tcp-closed", "idle"},
    {"tcp-closed", "limit"},
    {"tcp-closed", "client-limit"},
    {"tcp-closed", "error"},
}};

class Counters {
 public:
  /// By its worker alone.
  void add(Counter counter, std::uint64_t more = 1) {
    std::atomic<std::uint64_t>& value = values_[static_cast<std::size_t>(counter)];
    value.store(value.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t get(Counter counter) const {
    return values_[static_cast<std::size_t>(counter)].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, kCounters> values_{};
};

}  // namespace astil::dns
