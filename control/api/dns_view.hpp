// What the daemon shows of its name server.
#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace astil::api {

/// How often something was.
struct DnsCountView {
  std::string name;
  std::uint64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(DnsCountView, (), (name, count))

/// A key of a zone that signs.
struct DnsKeyView {
  std::uint32_t tag = 0;
  std::string algorithm;  ///< "ECDSAP256SHA256", "ED25519"
  std::string ds;         ///< the parent's record of it, as a line of a zone file; "" of keys that it has none of
};
BOOST_DESCRIBE_STRUCT(DnsKeyView, (), (tag, algorithm, ds))

struct DnsZoneView {
  std::string name;
  std::uint32_t serial = 0;      ///< of its SOA
  std::uint64_t names = 0;       ///< that are there, those too that only have others below them
  std::vector<DnsKeyView> keys;  ///< none: it is not signed
};
BOOST_DESCRIBE_STRUCT(DnsZoneView, (), (name, serial, names, keys))

/// An address of a site of a name.
struct DnsAddressView {
  std::string address;
  bool up = false;
  std::string why;  ///< it is so: "service web: 2 of 3 backends in rotation"
};
BOOST_DESCRIBE_STRUCT(DnsAddressView, (), (address, up, why))

struct DnsSiteView {
  std::string site;
  std::uint32_t tier = 0;
  std::uint32_t weight = 0;
  std::optional<double> weight_by_load;  ///< part of the most that a site of the name has; none: it does not go by load
  std::optional<double> load;            ///< how full it is, 1: as full as it may be; none: not known
  std::string order;                     ///< of the operator: "up", "down", "auto"
  std::vector<DnsAddressView> addresses;
  std::uint64_t answers = 0;  ///< that named it
};
BOOST_DESCRIBE_STRUCT(DnsSiteView, (), (site, tier, weight, weight_by_load, load, order, addresses, answers))

/// A name whose addresses are chosen.
struct DnsNameView {
  std::string name;
  std::string policy;
  std::vector<DnsSiteView> sites;
};
BOOST_DESCRIBE_STRUCT(DnsNameView, (), (name, policy, sites))

/// What a balancer tells other sites' name servers of one of its services.
struct ReportedServiceView {
  std::string service;
  std::string address;
  bool up = false;                ///< enough of its backends are in rotation
  std::uint32_t steady = 0;       ///< seconds until that can change, at the earliest; 4294967295: nothing can change it
  std::string why;                ///< "2 of 3 backends in rotation"
  std::uint64_t connections = 0;  ///< that are open; where answers pass the balancer, that were answered
  std::optional<std::uint64_t> capacity;  ///< how many the backends that are in rotation serve well; none: not told
};
BOOST_DESCRIBE_STRUCT(ReportedServiceView, (), (service, address, up, steady, why, connections, capacity))

struct ReportView {
  std::vector<ReportedServiceView> services;
};
BOOST_DESCRIBE_STRUCT(ReportView, (), (services))

/// What is heard of a site whose balancers tell of it.
struct DnsReportView {
  std::string site;
  std::string server;                 ///< whose answer was the last; "": there was none
  std::optional<double> age_seconds;  ///< of that
  bool stale = false;                 ///< it counts no more
  std::string failure;                ///< why the last question was not answered; "": it was
  std::uint64_t answers = 0;
  std::uint64_t failures = 0;  ///< questions that no server answered
};
BOOST_DESCRIBE_STRUCT(DnsReportView, (), (site, server, age_seconds, stale, failure, answers, failures))

/// What the operator has ordered of a site, wherever it is used.
struct DnsOrderView {
  std::string site;
  std::string state;  ///< "up" or "down"; with the answer to an order also "auto"
};
BOOST_DESCRIBE_STRUCT(DnsOrderView, (), (site, state))

struct DnsOrdersView {
  std::uint32_t version = 0;  ///< of the file's form: 1
  std::vector<DnsOrderView> orders;
};
BOOST_DESCRIBE_STRUCT(DnsOrdersView, (), (version, orders))

/// A question to explain the answer of.
struct DnsQuestion {
  std::string name;
  std::string from;  ///< the client's address
  std::string type;
};

/// Which answer, and why. Of what is drawn by weight, one draw.
struct DnsExplainView {
  std::string name;
  std::string zone;  ///< empty: the name is in none of ours
  std::string type;
  std::string code;
  std::vector<std::string> answers;  ///< as lines of a zone file
  std::string why;
  std::vector<DnsNameView> names;  ///< those that were chosen for: the last is the one that the answer is of
};
BOOST_DESCRIBE_STRUCT(DnsExplainView, (), (name, zone, type, code, answers, why, names))

/// Counters are those of this run of the daemon.
struct DnsView {
  std::vector<std::string> listen;  ///< "192.0.2.53:53", each by UDP and TCP
  std::uint32_t workers = 0;
  std::uint64_t tcp_connections = 0;     ///< open now
  std::vector<DnsZoneView> zones;        ///< in the configuration's order
  std::vector<DnsCountView> queries;     ///< by transport: "udp-ipv4"
  std::vector<DnsCountView> types;       ///< of queries that could be read: "A", "other"
  std::vector<DnsCountView> responses;   ///< by response code: "NXDOMAIN"
  std::vector<DnsCountView> drops;       ///< what was not answered, by reason
  std::uint64_t truncated = 0;           ///< responses that did not fit
  std::uint64_t queries_not_logged = 0;  ///< that were to be written down, and were too many
  std::uint64_t tcp_opened = 0;
  std::uint64_t slipped = 0;             ///< truncated since the client's network was above its limit
  std::vector<DnsCountView> cookies;     ///< of queries that had one: "good", "bad", or the client's part alone: "none"
  std::vector<DnsCountView> signatures;  ///< "made", "kept": made before, "failed"
  std::vector<DnsCountView> tcp_closed;  ///< by reason
  std::vector<DnsNameView> names;        ///< whose addresses are chosen
  std::vector<DnsReportView> reports;    ///< of sites whose balancers tell of them
};
BOOST_DESCRIBE_STRUCT(DnsView, (),
                      (listen, workers, tcp_connections, zones, queries, types, responses, drops, truncated,
                       queries_not_logged, tcp_opened, tcp_closed, names, reports, slipped, cookies, signatures))

}  // namespace astil::api
