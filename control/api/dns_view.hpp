// What the daemon shows of its name server.
#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace astil::api {

/// How often something was.
struct DnsCountView {
  std::string name;
  std::uint64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(DnsCountView, (), (name, count))

struct DnsZoneView {
  std::string name;
  std::uint32_t serial = 0;  ///< of its SOA
  std::uint64_t names = 0;   ///< that are there, those too that only have others below them
};
BOOST_DESCRIBE_STRUCT(DnsZoneView, (), (name, serial, names))

/// Counters are those of this run of the daemon.
struct DnsView {
  std::vector<std::string> listen;  ///< "192.0.2.53:53", each by UDP and TCP
  std::uint32_t workers = 0;
  std::uint64_t tcp_connections = 0;    ///< open now
  std::vector<DnsZoneView> zones;       ///< in the configuration's order
  std::vector<DnsCountView> queries;    ///< by transport: "udp-ipv4"
  std::vector<DnsCountView> types;      ///< of queries that could be read: "A", "other"
  std::vector<DnsCountView> responses;  ///< by response code: "NXDOMAIN"
  std::vector<DnsCountView> drops;      ///< what was not answered, by reason
  std::uint64_t truncated = 0;          ///< responses that did not fit
  std::uint64_t tcp_opened = 0;
  std::vector<DnsCountView> tcp_closed;  ///< by reason
};
BOOST_DESCRIBE_STRUCT(DnsView, (),
                      (listen, workers, tcp_connections, zones, queries, types, responses, drops, truncated, tcp_opened,
                       tcp_closed))

}  // namespace astil::api
