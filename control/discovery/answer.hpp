// What a name server's answer says of backends: its records of one type (RFC 1035 sections 3.4.1 and 4.1.3, RFC 3596,
// RFC 2782). Whoever can answer may have written it, so it is read whole or not at all, and no byte of it is trusted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/base/result.hpp"
#include "control/config/model.hpp"

namespace astil::discovery {

enum class RecordType : std::uint16_t { a = 1, aaaa = 28, srv = 33 };

struct ServiceRecord {
  std::string target;  ///< the name of a host, "b1.example.org", in lower case; "." says that there is no such service
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
  bool operator==(const ServiceRecord&) const = default;
};

struct Records {
  std::vector<config::address> hosts;   ///< of A and AAAA
  std::vector<ServiceRecord> services;  ///< of SRV
  std::optional<std::uint32_t> keep;    ///< seconds: the shortest time to live, of the aliases too; none: no record
};

/// The answer's records of that type, whatever aliases lead there; others are passed over. `answer` is a message that
/// base::read_dns_answer took for one. Error: it ends early, a length or a compressed name is wrong, or a target of SRV
/// is no name that a host can have.
[[nodiscard]] Result<Records> read_records(std::span<const std::byte> answer, RecordType type);

}  // namespace astil::discovery
