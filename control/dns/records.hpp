// Records as zone files have them (RFC 1035 section 5.1), read by libldns into the form of the wire. Off the hot path:
// for the configuration, and for an included zone file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.hpp"
#include "control/dns/protocol.hpp"

namespace astil::dns {

struct Record {
  std::string owner;  ///< folded
  Type type{};
  std::uint32_t ttl = 0;  ///< seconds
  std::string data;       ///< in the form of the wire, without compression
};

/// One line, such as `www 300 IN TXT "hello"`. `origin` is a name in text; relative names are below it, `@` is it. A
/// record without a TTL has `ttl`. Error: not a record, one of another class than IN, or of a type that can not stand
/// in a zone here (see refuse_type).
[[nodiscard]] Result<Record> parse_record(const std::string& line, const std::string& origin, std::uint32_t ttl);

/// A zone file. $ORIGIN and $TTL are taken, $INCLUDE is not. Errors say the line.
[[nodiscard]] Result<std::vector<Record>> parse_zone_file(const std::string& path, const std::string& origin,
                                                          std::uint32_t ttl);

/// A line of a key file: a DNSKEY record, whose TTL is of no matter. Error: it is none.
[[nodiscard]] Result<Record> parse_dnskey(const std::string& line);

/// Folds the names within the data as RFC 4034 section 6.2 has it, so that it can be signed as it is sent.
void make_canonical(Record& record);

/// As a line of a zone file.
[[nodiscard]] std::string show_record(const Record& record);

/// A response's code, and the records of its answer as lines of a zone file. For whoever explains one.
struct ShownResponse {
  std::string code;
  std::vector<std::string> answers;
};
[[nodiscard]] ShownResponse show_response(std::span<const std::byte> response);

/// `A`, `HTTPS`, `TYPE4711`.
[[nodiscard]] std::string type_name(Type type);

/// By its name or as TYPE4711; error: there is none such.
[[nodiscard]] Result<Type> type_by_name(const std::string& name);

}  // namespace astil::dns
