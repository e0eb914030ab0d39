// The numbers of the DNS: types, response codes, flags, options of EDNS. By their names in IANA's registries.
#pragma once

#include <cstddef>
#include <cstdint>

namespace astil::dns {

/// TYPE and QTYPE, RFC 1035 sections 3.2.2 and 3.2.3, and what came later. Any other value is a type too.
enum class Type : std::uint16_t {
  a = 1,
  ns = 2,
  cname = 5,
  soa = 6,
  ptr = 12,
  hinfo = 13,
  mx = 15,
  txt = 16,
  aaaa = 28,
  srv = 33,
  dname = 39,
  opt = 41,
  ds = 43,
  rrsig = 46,
  nsec = 47,
  dnskey = 48,
  svcb = 64,
  https = 65,
  nxname = 128,
  tkey = 249,
  tsig = 250,
  ixfr = 251,
  axfr = 252,
  mailb = 253,
  maila = 254,
  any = 255,
  caa = 257,
};

inline constexpr std::uint16_t kClassIn = 1;
inline constexpr std::uint16_t kClassAny = 255;

/// RCODE, RFC 1035 section 4.1.1; above 15 with the upper bits in EDNS, RFC 6891 section 6.1.3.
enum class Code : std::uint16_t {
  no_error = 0,
  format_error = 1,
  server_failure = 2,
  name_error = 3,
  not_implemented = 4,
  refused = 5,
  bad_version = 16,
  bad_cookie = 23,
};

/// Bits of the header's second 16, RFC 1035 section 4.1.1, RFC 4035 section 3.
namespace flag {
inline constexpr std::uint16_t kResponse = 0x8000;
inline constexpr std::uint16_t kOpcode = 0x7800;
inline constexpr std::uint16_t kAuthoritative = 0x0400;
inline constexpr std::uint16_t kTruncated = 0x0200;
inline constexpr std::uint16_t kRecursionDesired = 0x0100;
inline constexpr std::uint16_t kCheckingDisabled = 0x0010;
}  // namespace flag

/// EDNS option codes.
enum class Option : std::uint16_t { nsid = 3, client_subnet = 8, cookie = 10 };

inline constexpr std::uint16_t kDnssecOk = 0x8000;          ///< in OPT's TTL, RFC 3225
inline constexpr std::uint16_t kCompactAnswersOk = 0x4000;  ///< RFC 9824 section 5.1
inline constexpr std::size_t kHeaderSize = 12;
inline constexpr std::size_t kPlainUdpSize = 512;  ///< without EDNS, RFC 1035 section 4.2.1
inline constexpr std::size_t kLongestMessage = 65535;

}  // namespace astil::dns
