// The fuzzer of what a name server may answer to the search for backends. The first byte says what was asked for; the
// rest is the message, as it is and behind a header and a question that fit. What is read of it can be asked for in
// turn.
#include <algorithm>
#include <vector>

#include "control/base/dns_message.hpp"
#include "control/discovery/answer.hpp"
#include "control/discovery/exchange.hpp"
#include "tests/fuzz/targets.hpp"

namespace astil::fuzz {
namespace {

using discovery::RecordType;

constexpr std::size_t kHeader = 12;
constexpr std::size_t kLongestNameInText = 253;

bool is_host_name(const std::string& name) {
  const auto is_of_it = [](char c) {
    return ('a' <= c && c <= 'z') || ('0' <= c && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  return name == "." || (name.size() <= kLongestNameInText && name.front() != '.' && name.back() != '.' &&
                         name.find("..") == std::string::npos && std::ranges::all_of(name, is_of_it));
}

void read(Input answer, RecordType type) {
  const auto records = discovery::read_records(answer, type);
  if (records.has_error()) return require(!records.error().what.empty(), "what is wrong has its reason");
  require(answer.size() >= kHeader, "an answer has its header");
  require(type == RecordType::srv ? records->hosts.empty() : records->services.empty(), "others are passed over");
  require(records->keep || (records->hosts.empty() && records->services.empty()), "a record has its life");
  for (const auto& host : records->hosts)
    require(host.is_v4() == (type == RecordType::a), "an address is of the version that was asked for");
  for (const auto& service : records->services) {
    require(is_host_name(service.target), "a target is the name of a host: " + service.target);
    const auto query = base::dns_query(1, service.target, 1);
    require(query.size() == kHeader + (service.target == "." ? 1 : service.target.size() + 2) + 4,
            "it can be asked for");
  }
}

}  // namespace

void discovery_answer(Input input) {
  if (input.empty()) return;
  constexpr RecordType kTypes[] = {RecordType::a, RecordType::aaaa, RecordType::srv};
  const auto choice = std::to_integer<unsigned>(input[0]);
  const RecordType type = kTypes[choice % 3];
  const Input rest = input.subspan(1);
  read(rest, type);
  std::vector<std::byte> message = base::dns_query(1, "a.example", static_cast<std::uint16_t>(type));
  message[2] |= std::byte{0x80};
  message[7] = static_cast<std::byte>(choice / 3);  // so many records
  message.insert(message.end(), rest.begin(), rest.end());
  read(message, type);
  for (const auto& server : discovery::name_servers_of(text_of(rest)))
    require(static_cast<unsigned>(server.port) == 53, "a name server is where they are");
}

}  // namespace astil::fuzz
