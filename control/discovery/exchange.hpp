// One question to name servers and the answer to it, over UDP, and over TCP where it is cut off. Waits, so it runs in a
// thread that may. What comes from elsewhere, or has not the query's id and question, is passed over (RFC 5452 section
// 9.1): whoever could put another answer in its place could put servers of his own behind a service.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.hpp"
#include "control/config/model.hpp"

namespace astil::discovery {

/// How long for one answer of one server, and how often all of them are asked.
struct Patience {
  std::chrono::milliseconds of_one{2000};
  unsigned rounds = 2;
};

/// The first answer that is NOERROR or NXDOMAIN. Error: no server gave one; it is what the last of them did.
[[nodiscard]] Result<std::vector<std::byte>> ask(const std::vector<config::Endpoint>& servers, std::string_view name,
                                                 std::uint16_t type, Patience patience = {});

/// The name servers of a resolv.conf(5), the first three, as its other readers take them.
[[nodiscard]] std::vector<config::Endpoint> name_servers_of(std::string_view text);

}  // namespace astil::discovery
