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
void describe(V& v, DnsZone& zone) {
  v.optional("ttl", zone.ttl, kTimeToLive, "How long records may be kept that do not say so themselves.");
  v.list(
      "records", zone.records, kRecordLine, kMostDnsRecords, AtLeast::absent,
      "Records as lines of a zone file (RFC 1035): SOA and NS are needed. Names without a dot at their end are below "
      "the zone, @ is the zone itself.");
  v.optional("file", zone.file, kFilePath,
             "A zone file whose records are the zone's too. It is read when the configuration is applied.",
             Otherwise{"none"});
}

template <class V>
void describe(V& v, Dns& dns) {
  v.list("listen", dns.listen, ListenEndpoint{}, kMostDnsEndpoints, AtLeast::one,
         "Addresses and ports where queries are answered, by UDP and TCP. Service addresses too, which need not be on "
         "this host yet.");
  v.optional("workers", dns.workers, Integer<unsigned>{1, 64}, "Threads that answer.");
  v.optional("nsid", dns.nsid, kNsid, "What a query for the server's identifier (NSID) is answered with.",
             Otherwise{"nothing"});
  v.optional(
      "udp_size", dns.udp_size, Integer<std::uint16_t>{512, 4096},
      "Bytes that a response by UDP has at most. What does not fit is truncated, and the client asks by TCP. More "
      "than 1232 may come in fragments, which get lost and can be forged.");
  v.section("tcp", "Queries by TCP.", [&](V& tcp) { describe(tcp, dns.tcp); });
  v.mapping("zones", dns.zones, kZoneName, AtLeast::one, "What is answered for, by name.");
}

}  // namespace astil::config
