// The part of the model that is about names: where they are served, and what the zones hold.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/config/model_health.hpp"
#include "control/config/model_terms.hpp"

namespace astil::config {

/// Of queries by TCP; connections are counted for each worker.
struct DnsTcp {
  Milliseconds idle{10'000};                  ///< without a whole query
  std::uint32_t connections = 1000;           ///< one more closes the one that was idle for longest
  std::uint32_t connections_per_client = 50;  ///< of one address
  bool operator==(const DnsTcp&) const = default;
};

/// How sites are picked for an answer.
enum class DnsPolicy {
  failover,  ///< those of the first tier that has one that is up
  weighted,  ///< by weight
  load,      ///< by weight, capacity and load
  hash,      ///< by weight, and the same client keeps its site
  nearest,   ///< those that are nearest to where the client is; among several as DnsAmong says
  all,       ///< every one
};

/// How one is picked of sites that are equally near.
enum class DnsAmong { weighted, load };

/// What a name is answered with while none of its sites is up.
enum class DnsAllDown {
  fail_open,   ///< as if all were up
  last_known,  ///< what was up last
  fallback,    ///< other addresses
  servfail,
  refused,
};

/// A site of a name: services of ours, or addresses.
struct DnsSite {
  std::string name;                   ///< unique within the name; the same in others means the same site
  std::vector<std::string> services;  ///< whose addresses these are, and whose backends say how they are; or none
  std::vector<address> addresses;     ///< or none
  std::optional<HealthCheck> health;  ///< of `addresses`; none: they count as up
  unsigned tier = 1;                  ///< with failover: 1 is tried first
  Weight weight{1};
  bool operator==(const DnsSite&) const = default;
};
inline constexpr std::size_t kMostDnsSites = 64;
inline constexpr std::size_t kMostDnsSiteAddresses = 16;

/// What an HTTPS or SVCB record says beside the addresses.
struct DnsHttps {
  std::vector<std::string> alpn;  ///< protocols, the preferred one first; none: HTTP/1.1
  std::optional<Port> port;       ///< none: of HTTPS 443, of SVCB the protocol's
  bool operator==(const DnsHttps&) const = default;
};
inline constexpr std::size_t kMostAlpn = 8;

/// A name whose addresses are those of sites.
struct DnsName {
  std::string name;  ///< below the zone, @: the zone itself
  DnsPolicy policy = DnsPolicy::failover;
  std::string map;                      ///< of Dns::maps; only with DnsPolicy::nearest
  DnsAmong among = DnsAmong::weighted;  ///< likewise
  std::optional<unsigned> at_most;      ///< sites in an answer; always given: 1, with policy all 8
  Milliseconds least_ttl{5'000};        ///< whole seconds
  Milliseconds most_ttl{60'000};        ///< whole seconds, at least least_ttl
  DnsAllDown when_down = DnsAllDown::fail_open;
  std::optional<DnsHttps> https;  ///< none: there is no HTTPS record
  std::optional<DnsHttps> svcb;   ///< none: there is no SVCB record
  std::vector<address> fallback;  ///< only with DnsAllDown::fallback
  std::vector<DnsSite> sites;     ///< at least one
  bool operator==(const DnsName&) const = default;
};

/// What a zone is signed with.
struct DnsSigning {
  std::vector<std::string> keys;                        ///< files, at least one; see dns::read_key
  std::vector<std::string> published;                   ///< files of keys that do not sign, but stand in the DNSKEY set
  Milliseconds validity = std::chrono::hours(14 * 24);  ///< of a signature; whole seconds
  bool operator==(const DnsSigning&) const = default;
};
inline constexpr std::size_t kMostDnsKeys = 8;

struct DnsZone {
  std::string name;                  ///< its top, as written
  Milliseconds ttl{300'000};         ///< of records that have none; whole seconds
  std::vector<std::string> records;  ///< lines of a zone file
  std::optional<std::string> file;   ///< a zone file whose records are the zone's too
  std::optional<DnsSigning> dnssec;  ///< none: it is not signed
  std::vector<DnsName> names;        ///< whose addresses are chosen
  bool operator==(const DnsZone&) const = default;
};

/// How addresses of a site count whose last report is old, and which no check of ours looks at.
enum class DnsWhenStale { last, up, down };

/// A site elsewhere whose balancers tell of it, wherever a name has it.
struct DnsReport {
  std::string name;                    ///< of the site
  std::vector<std::string> servers;    ///< HOST:PORT of their api.remote, at least one; the first that answers is heard
  std::string token_file;              ///< read for each question
  std::optional<std::string> ca_file;  ///< none: the system's
  Milliseconds interval{5'000};
  std::optional<Milliseconds> stale_after;  ///< always given: by default four intervals; at least one
  DnsWhenStale when_stale = DnsWhenStale::down;
  bool operator==(const DnsReport&) const = default;
};
inline constexpr std::size_t kMostReportServers = 8;

/// Which sites are near to a region.
struct DnsRegion {
  std::string name;
  std::vector<std::string> near;  ///< at least one, the nearest first; those that are equally near with a blank between
  bool operator==(const DnsRegion&) const = default;
};

/// Where clients are, and what is near to that.
struct DnsMap {
  std::string name;
  std::optional<std::string> networks;  ///< a file; goes before the databases
  std::vector<std::string> databases;   ///< files; the first that knows a client decides
  std::vector<DnsRegion> regions;       ///< at least one
  std::vector<std::string> elsewhere;   ///< as DnsRegion::near, of clients in no region; none: all sites are
  bool operator==(const DnsMap&) const = default;
};
inline constexpr std::size_t kMostDnsRegions = 10'000;
inline constexpr std::size_t kMostDnsDatabases = 4;

/// The names of `near` in words: those of each line are equally near.
[[nodiscard]] std::vector<std::vector<std::string>> sites_by_nearness(const std::vector<std::string>& near);

/// Of responses by UDP to a network of clients without a good cookie, for each worker.
struct DnsRateLimit {
  std::uint32_t per_second = 100;      ///< 1 to 1000000
  std::optional<std::uint32_t> burst;  ///< at once; always given, by default per_second
  std::uint32_t slip = 2;              ///< of those above, each so manieth is truncated; 0: none
  unsigned ipv4_prefix = 24;
  unsigned ipv6_prefix = 56;
  bool operator==(const DnsRateLimit&) const = default;
};

/// Whether the sites' load has a part in what the name is answered with.
[[nodiscard]] inline bool goes_by_load(const DnsName& name) {
  return name.policy == DnsPolicy::load || (name.policy == DnsPolicy::nearest && name.among == DnsAmong::load);
}

/// Queries that are written to the daemon's log.
struct DnsQueryLog {
  std::uint32_t every = 1000;      ///< each so manieth of a thread
  std::uint32_t per_second = 100;  ///< lines at most
  bool operator==(const DnsQueryLog&) const = default;
};

struct Dns {
  std::vector<Endpoint> listen;   ///< at least one, each by UDP and TCP
  unsigned workers = 1;           ///< threads of each address by UDP, and of all by TCP, 1 to 64
  std::string nsid;               ///< what a query for the server's name is answered with; empty: nothing
  std::uint16_t udp_size = 1232;  ///< bytes of a response by UDP, 512 to 4096
  DnsTcp tcp;
  bool cookies = true;
  std::optional<std::string> cookie_secret_file;  ///< none: a secret of this daemon's own, until it ends
  bool client_subnet = false;
  std::optional<DnsRateLimit> rate_limit;  ///< none: no limit
  std::optional<DnsQueryLog> query_log;    ///< none: no query is written down
  std::vector<DnsReport> sites;
  std::vector<DnsMap> maps;
  std::vector<DnsZone> zones;  ///< at least one
  bool operator==(const Dns&) const = default;
};

}  // namespace astil::config
