#include "control/base/dns_message.hpp"

#include <algorithm>
#include <array>

namespace astil::base {
namespace {

// RFC 1035 section 4.1.1: six words of 16 bits, the second of flags, then the numbers of records in the four sections.
constexpr std::size_t kHeader = 12;
constexpr unsigned kIsAnswer = 0x8000;
constexpr unsigned kOpcode = 0x7800;
constexpr unsigned kCutOff = 0x0200;
constexpr unsigned kRecursionDesired = 0x0100;
constexpr unsigned kCode = 0x000f;
constexpr unsigned kClassInternet = 1;
constexpr std::size_t kTypeAndClass = 4;

void put(std::vector<std::byte>& out, unsigned word) {
  out.push_back(static_cast<std::byte>(word >> 8U));
  out.push_back(static_cast<std::byte>(word & 0xffU));
}

/// The word at that place, which must be there.
unsigned word_at(std::span<const std::byte> bytes, std::size_t at) {
  return (std::to_integer<unsigned>(bytes[at]) << 8U) | std::to_integer<unsigned>(bytes[at + 1]);
}

void put_name(std::vector<std::byte>& out, std::string_view name) {
  while (!name.empty() && name != ".") {
    const std::string_view label = name.substr(0, name.find('.'));
    out.push_back(static_cast<std::byte>(label.size()));
    for (const char c : label) out.push_back(static_cast<std::byte>(c));
    name.remove_prefix(std::min(label.size() + 1, name.size()));
  }
  out.push_back(std::byte{0});  // the root
}

/// RFC 4343 section 3: names are compared without regard to the case of ASCII letters. A length is less than any
/// letter.
bool is_same_octet(std::byte one, std::byte other) {
  const auto folded = [](std::byte b) {
    const bool is_capital = std::byte{'A'} <= b && b <= std::byte{'Z'};
    return is_capital ? b | std::byte{0x20} : b;
  };
  return folded(one) == folded(other);
}

bool is_same_question(std::span<const std::byte> asked, std::span<const std::byte> answered) {
  if (answered.size() < asked.size()) return false;
  answered = answered.first(asked.size());
  const std::size_t name = asked.size() - kTypeAndClass;
  return std::equal(asked.begin(), asked.begin() + static_cast<std::ptrdiff_t>(name), answered.begin(),
                    is_same_octet) &&
         std::ranges::equal(asked.subspan(name), answered.subspan(name));
}

}  // namespace

std::vector<std::byte> dns_query(std::uint16_t id, std::string_view name, std::uint16_t type) {
  std::vector<std::byte> out;
  out.reserve(kHeader + name.size() + 2 + kTypeAndClass);
  put(out, id);
  put(out, kRecursionDesired);
  put(out, 1);  // question
  for (int section = 0; section < 3; ++section) put(out, 0);
  put_name(out, name);
  put(out, type);
  put(out, kClassInternet);
  return out;
}

DnsAnswer read_dns_answer(std::span<const std::byte> query, std::span<const std::byte> datagram) {
  using Kind = DnsAnswer::Kind;
  if (datagram.size() < kHeader || word_at(datagram, 0) != word_at(query, 0)) return {};
  const unsigned flags = word_at(datagram, 2);
  if ((flags & kIsAnswer) == 0) return {.kind = Kind::wrong, .error = "a query, not an answer"};
  if ((flags & kOpcode) != 0) return {.kind = Kind::wrong, .error = "an answer to another kind of request"};
  const unsigned code = flags & kCode;
  const bool is_cut_off = (flags & kCutOff) != 0;
  // One that could make nothing of the query may leave the question out.
  const unsigned questions = word_at(datagram, 4);
  if (questions == 0 && code != 0) return {.kind = Kind::answer, .code = code, .is_cut_off = is_cut_off};
  if (questions != 1) return {.kind = Kind::wrong, .error = "an answer without the question"};
  if (!is_same_question(query.subspan(kHeader), datagram.subspan(kHeader)))
    return {.kind = Kind::wrong, .error = "an answer to another question"};
  return {.kind = Kind::answer, .code = code, .is_cut_off = is_cut_off};
}

std::string dns_code_name(unsigned code) {
  constexpr std::array<std::string_view, 11> kNames{"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
                                                    "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE"};
  return code < kNames.size() ? std::string(kNames[code]) : "response code " + std::to_string(code);
}

}  // namespace astil::base
