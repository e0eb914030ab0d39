// A query to a name server, and what is read of an answer's beginning: RFC 1035 section 4.1. That is the header and the
// question, which is compared with the query's, so that no name of a stranger's is taken apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace astil::base {

/// The query for records of class IN, to the last byte. Recursion is asked for, as resolvers need it and other name
/// servers pass over it. The name's labels have 1 to 63 octets; the root is "." or empty. Types are the wire's.
[[nodiscard]] std::vector<std::byte> dns_query(std::uint16_t id, std::string_view name, std::uint16_t type);

struct DnsAnswer {
  enum class Kind {
    foreign,  ///< too short for a header, or with another id: to be passed over, RFC 5452 section 9.1
    wrong,    ///< has the query's id, and is no answer to it: `error` says why
    answer,
  };
  Kind kind = Kind::foreign;
  unsigned code = 0;            ///< of an answer: 0 to 15
  bool is_cut_off = false;      ///< an answer says that it does not fit a datagram
  const char* error = nullptr;  ///< of a wrong one: "a query, not an answer"
};

/// Reads a datagram against the query that was sent, which dns_query made.
[[nodiscard]] DnsAnswer read_dns_answer(std::span<const std::byte> query, std::span<const std::byte> datagram);

/// "SERVFAIL", by IANA's registry; "response code 13" of those without a name.
[[nodiscard]] std::string dns_code_name(unsigned code);

}  // namespace astil::base
