// The part of the model that is about names: where they are served, and what the zones hold.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/config/model_terms.hpp"

namespace astil::config {

/// Of queries by TCP; connections are counted for each worker.
struct DnsTcp {
  Milliseconds idle{10'000};                  ///< without a whole query
  std::uint32_t connections = 1000;           ///< one more closes the one that was idle for longest
  std::uint32_t connections_per_client = 50;  ///< of one address
  bool operator==(const DnsTcp&) const = default;
};

struct DnsZone {
  std::string name;                  ///< its top, as written
  Milliseconds ttl{300'000};         ///< of records that have none; whole seconds
  std::vector<std::string> records;  ///< lines of a zone file
  std::optional<std::string> file;   ///< a zone file whose records are the zone's too
  bool operator==(const DnsZone&) const = default;
};

struct Dns {
  std::vector<Endpoint> listen;   ///< at least one, each by UDP and TCP
  unsigned workers = 1;           ///< threads, 1 to 64
  std::string nsid;               ///< what a query for the server's name is answered with; empty: nothing
  std::uint16_t udp_size = 1232;  ///< bytes of a response by UDP, 512 to 4096
  DnsTcp tcp;
  std::vector<DnsZone> zones;  ///< at least one
  bool operator==(const Dns&) const = default;
};

}  // namespace astil::config
