// The keys of `dns:`, declared as keys.hpp says.
#pragma once

#include "control/config/key_terms.hpp"
#include "control/config/model_dns.hpp"

namespace astil::config {

inline constexpr std::size_t kMostDnsEndpoints = 32;
inline constexpr std::size_t kMostDnsRecords = 100'000;

inline constexpr Text kZoneName{"a domain name such as example.org", "A-Za-z0-9_.", "A-Za-z0-9._-", 254};
inline constexpr Text kRecordLine{"a record as zone files have it, such as www 300 IN TXT \"hello\"", "!-~", " -~",
                                  16384};
inline constexpr Text kNsid{"text of at most 128 characters", "!-~", " -~", 128};
inline constexpr Text kBelowZone{"a name below the zone such as www, or @ for the zone itself", "@*A-Za-z0-9_",
                                 "A-Za-z0-9._-", 253};
inline constexpr Text kNearSites{"a site, or several that are equally near, with blanks between", "A-Za-z0-9",
                                 "A-Za-z0-9._ -", 1024};
inline constexpr Text kAlpn{"a protocol such as h2 or h3", "!-+.-~", "!-+.-~", 32};
inline constexpr Choice<DnsPolicy, 6> kDnsPolicies{"policy",
                                                   {{{"failover", DnsPolicy::failover},
                                                     {"weighted", DnsPolicy::weighted},
                                                     {"load", DnsPolicy::load},
                                                     {"hash", DnsPolicy::hash},
                                                     {"nearest", DnsPolicy::nearest},
                                                     {"all", DnsPolicy::all}}}};
inline constexpr Choice<DnsAmong, 2> kDnsAmong{"way", {{{"weighted", DnsAmong::weighted}, {"load", DnsAmong::load}}}};
inline constexpr Choice<DnsWhenStale, 3> kDnsWhenStale{
    "way", {{{"last", DnsWhenStale::last}, {"up", DnsWhenStale::up}, {"down", DnsWhenStale::down}}}};
inline constexpr Choice<DnsAllDown, 5> kDnsAllDown{"way",
                                                   {{{"fail-open", DnsAllDown::fail_open},
                                                     {"last-known", DnsAllDown::last_known},
                                                     {"fallback", DnsAllDown::fallback},
                                                     {"servfail", DnsAllDown::servfail},
                                                     {"refused", DnsAllDown::refused}}}};
inline constexpr TimeToLive kTimeToLive{std::chrono::hours(168)};

template <class V>
void describe(V& v, DnsTcp& tcp) {
  constexpr Integer<std::uint32_t> kConnections{1, 1'000'000};
  v.optional("idle", tcp.idle, Duration{std::chrono::milliseconds(100), std::chrono::hours(1)},
             "How long a connection may be without a whole query.");
  v.optional("connections", tcp.connections, kConnections,
             "Connections that a worker has at once; one more closes the one that was idle for longest.");
  v.optional("connections_per_client", tcp.connections_per_client, kConnections,
             "Connections that an address may have with a worker at once.");
}

template <class V>
void describe(V& v, DnsSite& site) {
  v.list("services", site.services, kName, kMostDnsSiteAddresses, AtLeast::absent,
         "Services here whose addresses the site has. An address is up while each of them that has it has minimum_up "
         "backends in rotation.");
  v.list("addresses", site.addresses, kHostAddress, kMostDnsSiteAddresses, AtLeast::absent,
         "Addresses of a site elsewhere, in place of services.");
  v.section("health", site.health, "How its addresses are probed from here. Without it they count as up.");
  v.optional("tier", site.tier, Integer<unsigned>{1, 64},
             "With failover: sites of the lowest tier are answered first.");
  v.optional(
      "weight", site.weight, Integer<Weight>{0, 1000},
      "Share of the answers, in proportion to the other weights. With 0 it is answered only where all others have "
      "0 too, or are down.");
}

template <class V>
void describe(V& v, DnsHttps& https) {
  v.list("alpn", https.alpn, kAlpn, kMostAlpn, AtLeast::absent,
         "Protocols that the servers speak by TLS, by their ALPN names, the preferred one first.");
  v.optional("port", https.port, kPort, "Port of the servers.", Otherwise{"443, of svcb the protocol's"});
}

template <class V>
void describe(V& v, DnsName& name) {
  v.optional(
      "policy", name.policy, kDnsPolicies,
      "How sites are picked among those that are up. failover: those of the first tier that has one, by weight. "
      "weighted: by weight. load: by weight, and by how much of their capacity sites have left. hash: by weight, and "
      "the same client keeps its site. nearest: those that are nearest to the client. all: every one.");
  v.only_with("policy", name.policy, {DnsPolicy::nearest}, kDnsPolicies, [&] {
    v.required("map", name.map, kName, "The one of dns.maps that says where clients are, and what is near.");
    v.optional("among", name.among, kDnsAmong, "How one is picked of sites that are equally near, as the policies do.");
  });
  v.optional("at_most", name.at_most, Integer<unsigned>{1, kMostDnsSites}, "Sites in an answer.",
             Otherwise{"1, with policy all 8"});
  v.section("ttl", "How long an answer may be kept: until it could be another, by what its checks have seen.",
            [&](V& ttl) {
              ttl.optional("min", name.least_ttl, kTimeToLive, "At least so long.");
              ttl.optional("max", name.most_ttl, kTimeToLive, "At most so long.");
            });
  v.optional("when_down", name.when_down, kDnsAllDown,
             "What is answered while no site is up. fail-open: as if all were. last-known: what was up last. fallback: "
             "other addresses. servfail, refused: that.");
  v.only_with("when_down", name.when_down, {DnsAllDown::fallback}, kDnsAllDown, [&] {
    v.list("fallback", name.fallback, kHostAddress, kMostDnsSiteAddresses, AtLeast::one, "Those other addresses.");
  });
  v.section(
      "https", name.https,
      "With it the name has an HTTPS record (RFC 9460), whose address hints are those of the sites that are picked.");
  v.section("svcb", name.svcb, "The same with an SVCB record, for a name such as _dns.resolver.");
  v.mapping("sites", name.sites, kName, AtLeast::one, "Where the name leads to, by name of the site.");
}

template <class V>
void describe(V& v, DnsSigning& dnssec) {
  v.list(
      "keys", dnssec.keys, kFilePath, kMostDnsKeys, AtLeast::one,
      "Key files as astil dns keys generate and dnssec-keygen write them, NAME of NAME.key and NAME.private, of ECDSA "
      "P-256 or Ed25519. Keys of flags 257 sign the DNSKEY set and those of flags 256 the rest; where there are only "
      "ones of a kind, they sign all. They are read when the configuration is applied.");
  v.list("published", dnssec.published, kFilePath, kMostDnsKeys, AtLeast::absent,
         "The same of keys that do not sign, but stand in the DNSKEY set: while keys are exchanged. Of these NAME.key "
         "is read alone.");
  v.optional("validity", dnssec.validity, Duration{std::chrono::hours(24), std::chrono::hours(90 * 24)},
             "How long a signature holds. It is made again when half of that has passed.");
}

template <class V>
void describe(V& v, DnsZone& zone) {
  v.optional("ttl", zone.ttl, kTimeToLive, "How long records may be kept that do not say so themselves.");
  v.list(
      "records", zone.records, kRecordLine, kMostDnsRecords, AtLeast::absent,
      "Records as lines of a zone file (RFC 1035): SOA and NS are needed. Names without a dot at their end are below "
      "the zone, @ is the zone itself.");
  v.optional("file", zone.file, kFilePath,
             "A zone file whose records are the zone's too. It is read when the configuration is applied.",
             Otherwise{"none"});
  v.section("dnssec", zone.dnssec, "What the zone is signed with. Without it, it is not.");
  v.mapping("names", zone.names, kBelowZone, AtLeast::absent,
            "Names whose addresses (A, AAAA) are those of sites that are up, by name.");
}

template <class V>
void describe(V& v, DnsReport& report) {
  v.list("servers", report.servers, RemoteServer{}, kMostReportServers, AtLeast::one,
         "api.remote of the site's balancers. One after the other is asked until one answers, the one that did last "
         "first.");
  v.required("token_file", report.token_file, kFilePath,
             "File with the token that they know, of role read-only. It is read for each question.");
  v.optional("ca_file", report.ca_file, kFilePath, "File of the authorities that sign their certificates.",
             Otherwise{"the system's"});
  v.optional("interval", report.interval, Duration{std::chrono::seconds(1), std::chrono::minutes(5)},
             "How often they are asked.");
  v.optional("stale_after", report.stale_after, Duration{std::chrono::seconds(1), std::chrono::hours(1)},
             "How old the last answer may be until it counts no more.", Otherwise{"four intervals"});
  v.optional(
      "when_stale", report.when_stale, kDnsWhenStale,
      "How the site's addresses count then, but for those whose health is checked from here. last: as in the last "
      "answer. up, down: that.");
}

template <class V>
void describe(V& v, DnsRegion& region) {
  v.list("near", region.near, kNearSites, kMostDnsSites, AtLeast::one,
         "Sites, the nearest first. Sites that are not named are farther than all that are.");
}

template <class V>
void describe(V& v, DnsMap& map) {
  v.optional(
      "networks", map.networks, kFilePath,
      "File of lines with a network and a region, 203.0.113.0/24 europe. What it says goes before the databases. "
      "It is read when the configuration is applied.",
      Otherwise{"none"});
  v.list(
      "databases", map.databases, kFilePath, kMostDnsDatabases, AtLeast::absent,
      "Databases in MaxMind's form, of countries, cities or autonomous systems. The first that leads a client to one "
      "of the regions decides. They are read when the configuration is applied.");
  v.mapping(
      "regions", map.regions, kName, AtLeast::one,
      "What is near to each region, by name. Databases lead to AS64500, US-CA, US and north-america (also africa, "
      "antarctica, asia, europe, oceania, south-america), to the first of these that is there.");
  v.list("elsewhere", map.elsewhere, kNearSites, kMostDnsSites, AtLeast::absent,
         "The same as near, for clients in no region. Without it all sites are equally near to them.");
}

template <class V>
void describe(V& v, DnsRateLimit& limit) {
  v.optional("per_second", limit.per_second, Integer<std::uint32_t>{1, 1'000'000},
             "Responses that a network may have in a second from each worker.");
  v.optional("burst", limit.burst, Integer<std::uint32_t>{1, 4'000'000},
             "Responses that it may have at once after a while without.", Otherwise{"per_second"});
  v.optional("slip", limit.slip, Integer<std::uint32_t>{0, 100},
             "Of the queries above the limit each so manieth gets a truncated response, so that a client whose address "
             "is forged by others can ask by TCP; the rest gets none. 0: no response at all.");
  v.optional("ipv4_prefix", limit.ipv4_prefix, Integer<unsigned>{1, 32},
             "Clients whose IPv4 addresses have so many first bits in common are a network.");
  v.optional("ipv6_prefix", limit.ipv6_prefix, Integer<unsigned>{1, 128}, "The same of IPv6.");
}

template <class V>
void describe(V& v, DnsQueryLog& log) {
  v.optional("every", log.every, Integer<std::uint32_t>{1, 1'000'000'000},
             "Of the queries that a thread answers each so manieth.");
  v.optional("per_second", log.per_second, Integer<std::uint32_t>{1, 10'000},
             "Lines in a second, at most. More are counted.");
}

template <class V>
void describe(V& v, Dns& dns) {
  v.list("listen", dns.listen, ListenEndpoint{}, kMostDnsEndpoints, AtLeast::one,
         "Addresses and ports where queries are answered, by UDP and TCP. Service addresses too, which need not be on "
         "this host yet.");
  v.optional("workers", dns.workers, Integer<unsigned>{1, 64},
             "Threads that answer at each address by UDP, and as many that answer by TCP at all of them.");
  v.optional("nsid", dns.nsid, kNsid, "What a query for the server's identifier (NSID) is answered with.",
             Otherwise{"nothing"});
  v.optional(
      "udp_size", dns.udp_size, Integer<std::uint16_t>{512, 4096},
      "Bytes that a response by UDP has at most. What does not fit is truncated, and the client asks by TCP. More "
      "than 1232 may come in fragments, which get lost and can be forged.");
  v.section("tcp", "Queries by TCP.", [&](V& tcp) { describe(tcp, dns.tcp); });
  v.optional("cookies", dns.cookies, Boolean{},
             "Whether clients that ask for it get a cookie (RFC 7873), by which they are known later.");
  v.optional(
      "cookie_secret_file", dns.cookie_secret_file, kFilePath,
      "File with the secret of cookies, 32 hexadecimal digits, the same at every server of the zones; with the old "
      "one in a second line while it is exchanged. It is read when the configuration is applied.",
      Otherwise{"a secret that is drawn at the start"});
  v.optional(
      "client_subnet", dns.client_subnet, Boolean{},
      "Whether the client's network is believed that a resolver tells (EDNS client subnet, RFC 7871), for policies "
      "hash and nearest.");
  v.section("rate_limit", dns.rate_limit,
            "How many responses by UDP a network gets whose clients have no cookie of ours. Without it there is no "
            "limit.");
  v.section("query_log", dns.query_log,
            "Which queries are written to the daemon's log, with who asked and what was answered. Without it none is.");
  v.mapping("sites", dns.sites, kName, AtLeast::absent,
            "Sites elsewhere whose balancers tell of their services' health and load, by name, as names have them.");
  v.mapping("maps", dns.maps, kName, AtLeast::absent, "Where clients are, for policy nearest, by name.");
  v.mapping("zones", dns.zones, kZoneName, AtLeast::one, "What is answered for, by name.");
}

}  // namespace astil::config
