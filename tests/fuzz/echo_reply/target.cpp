// The fuzzer of what may come in while a health check waits for the reply to its echo request: what is taken for one
// repeats the request, behind an IP header of the length that it tells.
#include <algorithm>

#include "control/health/echo_message.hpp"
#include "tests/fuzz/targets.hpp"

namespace astil::fuzz {

void echo_reply(Input input) {
  using health::IpVersion;
  for (const IpVersion version : {IpVersion::ipv4, IpVersion::ipv6}) {
    const std::vector<std::byte> request = health::echo_request(version, 0x4153, 0x0001);
    if (!health::is_echo_reply(version, request, input)) continue;
    const std::size_t least = request.size() + (version == IpVersion::ipv4 ? 20 : 0);
    require(input.size() >= least, "a reply is as long as the request");
    const Input message = input.last(request.size());
    require(std::ranges::equal(message.subspan(4), Input(request).subspan(4)), "a reply repeats the request");
    require(message[0] == (version == IpVersion::ipv4 ? std::byte{0} : std::byte{129}), "a reply says that it is one");
  }
}

}  // namespace astil::fuzz
