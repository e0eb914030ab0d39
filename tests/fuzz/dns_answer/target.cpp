// The fuzzer of what a name server may answer to a health check. The input names what is asked for, and is the answer:
// as it is, and behind a header and question that fit. An answer that is taken for one has the query's id and question.
#include <algorithm>
#include <string_view>
#include <vector>

#include "control/base/dns_message.hpp"
#include "tests/fuzz/targets.hpp"

namespace astil::fuzz {
namespace {

using base::DnsAnswer;

constexpr std::uint16_t kId = 0x4153;
constexpr std::size_t kHeader = 12;

unsigned word_at(Input bytes, std::size_t at) {
  return (std::to_integer<unsigned>(bytes[at]) << 8U) | std::to_integer<unsigned>(bytes[at + 1]);
}

void read(Input query, Input datagram) {
  const DnsAnswer answer = base::read_dns_answer(query, datagram);
  require((answer.kind == DnsAnswer::Kind::wrong) == (answer.error != nullptr), "what is wrong has its reason");
  if (answer.kind == DnsAnswer::Kind::foreign) {
    require(datagram.size() < kHeader || word_at(datagram, 0) != kId, "what has the query's id is not passed over");
    return;
  }
  require(datagram.size() >= kHeader && word_at(datagram, 0) == kId, "an answer has the query's id");
  if (answer.kind == DnsAnswer::Kind::wrong) return;
  require((std::to_integer<unsigned>(datagram[2]) & 0xf8U) == 0x80, "an answer says that it is one, to a query");
  require(answer.code == (std::to_integer<unsigned>(datagram[3]) & 0xfU), "the code is the header's");
  require(!base::dns_code_name(answer.code).empty(), "every code has a name");
  const bool has_question = word_at(datagram, 4) == 1;
  require(has_question || answer.code != 0, "success comes with the question");
  if (has_question) require(datagram.size() >= query.size(), "the question is there whole");
}

}  // namespace

void dns_answer(Input input) {
  if (input.empty()) return;
  constexpr std::string_view kNames[] = {".", "a.example", "WWW.example.org.", "x_1.y-2"};
  const auto choice = std::to_integer<std::size_t>(input[0]);
  const std::uint16_t type = choice % 8 < 4 ? 1 : 28;
  const std::vector<std::byte> query = base::dns_query(kId, kNames[choice % 4], type);
  const Input answer = input.subspan(1);
  read(query, answer);

  // The query itself with bytes turned over: what is near to an answer.
  std::vector<std::byte> near = query;
  near[2] |= std::byte{0x80};
  const DnsAnswer echoed = base::read_dns_answer(query, near);
  require(echoed.kind == DnsAnswer::Kind::answer && echoed.code == 0, "the query that is marked as an answer is one");
  for (std::size_t i = 0; i < std::min(near.size(), answer.size()); ++i) near[i] ^= answer[i];
  read(query, near);
  read(query, Input(near).first(std::min(near.size(), choice)));
}

}  // namespace astil::fuzz
