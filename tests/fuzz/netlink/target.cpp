// The fuzzer of what the kernel may say over netlink: a datagram of any bytes becomes messages that lie within it, and
// each of them a value or nothing.
#include <functional>

#include "control/net/message.hpp"
#include "tests/fuzz/targets.hpp"

namespace astil::fuzz {
namespace {

constexpr std::size_t kHeader = 16;  ///< of a netlink message

bool lies_in(net::Bytes part, Input whole) {
  const std::less_equal<> not_behind;
  return part.empty() ||
         (not_behind(whole.data(), part.data()) && not_behind(part.data() + part.size(), whole.data() + whole.size()));
}

bool is_text(const std::string& text) { return text.find('\0') == std::string::npos; }

/// At most one reader takes a message for its own.
void read(const net::RawMessage& message) {
  int taken = 0;
  if (const auto link = net::parse_link(message)) {
    ++taken;
    require(!link->link.name.empty() && is_text(link->link.name), "a link has a name, which ends before a zero");
    require(link->change == net::Change::removed || link->link.mtu != 0, "a link that is there has an MTU");
    require(link->link.up || !link->link.carrier, "a link that is down has no carrier");
  }
  if (net::parse_address(message)) ++taken;
  if (const auto neighbour = net::parse_neighbour(message)) {
    ++taken;
    require(neighbour->neighbour.mac.has_value() || !neighbour->neighbour.valid(), "no MAC address is none to send to");
    static_cast<void>(neighbour->neighbour.foreign());
  }
  if (net::parse_route(message)) ++taken;
  if (const auto end = net::parse_acknowledgement(message)) {
    ++taken;
    require(is_text(end->text), "a sentence of the kernel's ends before a zero");
  }
  require(taken <= 1, "a message is of one kind");
}

}  // namespace

void netlink(Input input) {
  net::MessageReader reader(input);
  for (std::size_t messages = 1; const auto message = reader.next(); ++messages) {
    require(messages * kHeader <= input.size(), "a message takes at least the bytes of its header");
    require(lies_in(message->payload, input), "a message lies within its datagram");
    read(*message);
  }
}

}  // namespace astil::fuzz
