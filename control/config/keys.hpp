// Every key of the configuration file, declared once: its name, where its value goes in the model, what it accepts, and
// what it means. The loader, the JSON Schema and the reference page all follow from here. Defaults stand in model.hpp
// alone.
//
// A describe() walks one part of the model with a visitor V, which the loader (loader.hpp) and the catalogue
// (catalogue.cpp) implement. Its calls:
//
//   required(name, member, kind, doc)              a value that must be given
//   optional(name, member, kind, doc)              else the member's initial value holds
//   optional(name, member, kind, doc, Otherwise)   else what Otherwise says, filled in later (defaults.hpp)
//   list(name, strings, kind, most, doc)           from one to that many, each only once
//   list(name, addresses, most, doc)               from one to that many hosts', each only once
//   list(name, prefixes, doc)                      none, or from one on
//   list(name, values, kind, most, AtLeast, doc)   from one to that many of any kind, or absent where that may be
//   words(name, strings, kind, most, doc)          from one to that many, which may be the same
//   section(name, doc, describe_inner)             keys grouped for the reader, members of the same object
//   section(name, optional_part, doc)              a part of its own that may be absent
//   mapping(name, parts, kind of the names, AtLeast, doc)    named parts
//   only_with(name, value, {wanted...}, kind, describe_more) keys that make sense with these choices alone; one that is
//                                                            required is so with them
//
// A doc is one or two plain sentences; Markdown is not rendered everywhere it is shown.
#pragma once

#include "control/config/address_kinds.hpp"
#include "control/config/dpdk_kinds.hpp"
#include "control/config/key_terms.hpp"
#include "control/config/keys_dns.hpp"
#include "control/config/keys_ha.hpp"
#include "control/config/kinds.hpp"
#include "control/config/model.hpp"
#include "control/config/text_kinds.hpp"

namespace astil::config {

using namespace std::chrono_literals;

inline constexpr Text kInstanceName{"a name of a-z, 0-9 and minus, at most 32 characters", "a-z0-9-", "a-z0-9-", 32};
/// sockaddr_un holds 108 bytes, the last of which is 0.
inline constexpr Text kSocketPath{"an absolute path, at most 107 characters", "/", "!-~", 107};
inline constexpr Text kUrlPath{"a path that begins with a slash, without blanks", "/", "!-~", 1024};
inline constexpr Text kHttpHost{"a host name, at most 253 characters", "A-Za-z0-9[", "A-Za-z0-9.:_[]-", 253};

inline constexpr Choice<EngineKind, 2> kEngines{"engine",
                                                {{{"kernel", EngineKind::kernel}, {"dpdk", EngineKind::dpdk}}}};
inline constexpr Choice<Hook, 4> kHooks{
    "hook", {{{"auto", Hook::automatic}, {"xdp", Hook::xdp}, {"xdp-generic", Hook::xdp_generic}, {"tc", Hook::tc}}}};
inline constexpr Choice<Protocol, 2> kProtocols{"protocol", {{{"tcp", Protocol::tcp}, {"udp", Protocol::udp}}}};
inline constexpr Choice<Forwarding, 4> kForwardings{"forwarding",
                                                    {{{"nat", Forwarding::nat},
                                                      {"full-nat", Forwarding::full_nat},
                                                      {"tunnel", Forwarding::tunnel},
                                                      {"direct", Forwarding::direct}}}};
inline constexpr Choice<Encapsulation, 2> kEncapsulations{
    "encapsulation", {{{"ipip", Encapsulation::ipip}, {"gue", Encapsulation::gue}}}};
inline constexpr Choice<Scheduler, 5> kSchedulers{"scheduler",
                                                  {{{"maglev", Scheduler::maglev},
                                                    {"round-robin", Scheduler::round_robin},
                                                    {"least-connections", Scheduler::least_connections},
                                                    {"source-hash", Scheduler::source_hash},
                                                    {"two-choices", Scheduler::two_choices}}}};
inline constexpr Choice<DiscoveryFrom, 2> kDiscoveryFrom{
    "source", {{{"file", DiscoveryFrom::file}, {"dns", DiscoveryFrom::dns}}}};
inline constexpr Choice<DiscoveryRecord, 3> kDiscoveryRecords{
    "record", {{{"A", DiscoveryRecord::a}, {"AAAA", DiscoveryRecord::aaaa}, {"SRV", DiscoveryRecord::srv}}}};
inline constexpr Choice<AddressOwner, 2> kAddressOwners{
    "owner", {{{"daemon", AddressOwner::daemon}, {"none", AddressOwner::none}}}};

inline constexpr Choice<DnsRecord, 2> kDnsRecords{"record", {{{"A", DnsRecord::a}, {"AAAA", DnsRecord::aaaa}}}};
/// By their names of IANA's registry.
inline constexpr Choice<DnsResponseCode, 6> kDnsResponseCodes{"response code",
                                                              {{{"NOERROR", DnsResponseCode::no_error},
                                                                {"FORMERR", DnsResponseCode::format_error},
                                                                {"SERVFAIL", DnsResponseCode::server_failure},
                                                                {"NXDOMAIN", DnsResponseCode::name_error},
                                                                {"NOTIMP", DnsResponseCode::not_implemented},
                                                                {"REFUSED", DnsResponseCode::refused}}}};

inline constexpr Choice<DownFlows, 3> kDownFlows{
    "way", {{{"keep", DownFlows::keep}, {"re-steer", DownFlows::re_steer}, {"reset", DownFlows::reset}}}};

inline constexpr Choice<RingRule, 2> kRingRules{"rule",
                                                {{{"patched", RingRule::patched}, {"canonical", RingRule::canonical}}}};

inline constexpr Choice<WhenDown, 5> kWhenDown{"way",
                                               {{{"drop", WhenDown::drop},
                                                 {"reject", WhenDown::reject},
                                                 {"fail-open", WhenDown::fail_open},
                                                 {"fallback", WhenDown::fallback},
                                                 {"withdraw", WhenDown::withdraw}}}};

enum class ProbeType { tcp, http, https, dns, udp, icmp, grpc, exec };
inline constexpr Choice<ProbeType, 8> kProbeTypes{"probe type",
                                                  {{{"tcp", ProbeType::tcp},
                                                    {"http", ProbeType::http},
                                                    {"https", ProbeType::https},
                                                    {"dns", ProbeType::dns},
                                                    {"udp", ProbeType::udp},
                                                    {"icmp", ProbeType::icmp},
                                                    {"grpc", ProbeType::grpc},
                                                    {"exec", ProbeType::exec}}}};
inline constexpr Choice<HealthRule, 2> kHealthRules{"rule", {{{"all", HealthRule::all}, {"any", HealthRule::any}}}};
inline constexpr Choice<ProbeVia, 2> kProbeVia{"way", {{{"address", ProbeVia::address}, {"path", ProbeVia::path}}}};
inline constexpr Payload kDatagram{512};
inline constexpr Payload kBodyText{512};
inline constexpr Text kGrpcService{"the name of a gRPC service, at most 127 characters", "A-Za-z_", "A-Za-z0-9._/-",
                                   127};
inline constexpr Text kServerName{"a host name, at most 253 characters", "A-Za-z0-9", "A-Za-z0-9._-", 253};

template <class V>
void describe(V& v, HttpCheck& http) {
  v.optional("path", http.path, kUrlPath, "What is asked for with GET.");
  v.optional("host", http.host, kHttpHost, "The Host field of the request.",
             Otherwise{"the address and port that are probed; with https server_name, if it is given"});
  StatusRange status{http.status_low, http.status_high};
  v.optional("status", status, StatusCodes{}, "Status codes that count as success.");
  http.status_low = status.low;
  http.status_high = status.high;
  v.optional(
      "body", http.body, kBodyText,
      "Text that must be in the body, within the first 64 KiB of the answer. With it the request is one of HTTP/1.0, "
      "so that the answer does not come in chunks.",
      Otherwise{"anything"});
}

template <class V>
void describe(V& v, HttpsCheck& https) {
  v.optional("server_name", https.server_name, kServerName,
             "Name that the server is asked by in TLS (SNI), and that its certificate must be for.",
             Otherwise{"none is told, and the certificate must be for the address that is probed"});
  v.optional("verify", https.trust.verify, Boolean{},
             "Whether the server's certificate is verified: its name, its time and who signed it.");
  v.optional("ca", https.trust.ca, kFilePath,
             "File of certificates, in PEM, that the server's must be signed by. It is read when the configuration is "
             "applied.",
             Otherwise{"the system's, /etc/ssl/certs/ca-certificates.crt"});
}

template <class V>
void describe(V& v, DnsCheck& dns) {
  v.required("name", dns.name, DomainName{}, "What a name server is asked for, by UDP.");
  v.optional("record", dns.record, kDnsRecords, "The type of record that is asked for.");
  v.optional("rcode", dns.code, kDnsResponseCodes,
             "The response code that counts as success. It is NOERROR also where the name has no such record.");
}

template <class V>
void describe(V& v, UdpCheck& udp) {
  v.optional("send", udp.send, kDatagram,
             "What the datagram of a probe holds. In double quotes, \\n and \\x00 stand for bytes.",
             Otherwise{"nothing, and it is sent"});
  v.optional(
      "expect", udp.expect, kDatagram,
      "What an answer must begin with. Without it silence is a success too, and only an ICMP message that the port "
      "is unreachable is a failure: a server that is gone with its host is not noticed.",
      Otherwise{"an answer is not needed"});
}

template <class V>
void describe(V& v, HealthCheck& health) {
  ProbeType type = ProbeType::tcp;
  v.required(
      "type", type, kProbeTypes,
      "What a probe does: tcp opens a connection, http and https fetch a page, dns asks a name server, udp "
      "sends a datagram, icmp an echo request (ping), grpc asks the standard health service, exec runs a command.");
  HttpCheck http;
  v.only_with("type", type, {ProbeType::http, ProbeType::https}, kProbeTypes, [&] { describe(v, http); });
  HttpsCheck https;
  v.only_with("type", type, {ProbeType::https}, kProbeTypes, [&] { describe(v, https); });
  DnsCheck dns;
  v.only_with("type", type, {ProbeType::dns}, kProbeTypes, [&] { describe(v, dns); });
  UdpCheck udp;
  v.only_with("type", type, {ProbeType::udp}, kProbeTypes, [&] { describe(v, udp); });
  GrpcCheck grpc;
  v.only_with("type", type, {ProbeType::grpc}, kProbeTypes, [&] {
    v.optional("service", grpc.service, kGrpcService,
               "What the health service (grpc.health.v1.Health) is asked about, without TLS. SERVING is success.",
               Otherwise{"the server as a whole"});
  });
  ExecCheck exec;
  v.only_with("type", type, {ProbeType::exec}, kProbeTypes, [&] {
    v.words(
        "command", exec.command, kArgument, kMostArguments,
        "An absolute path and its arguments, run without a shell; {address} and {port} in them stand for the "
        "backend's. Exit status 0 is success. It runs without capabilities and in a process group of its own, which "
        "the timeout kills; the environment has ASTIL_ADDRESS, ASTIL_PORT, PATH and LC_ALL=C, and the first line of "
        "its output is told with a failure.");
  });
  https.http = http;
  if (type == ProbeType::http) health.probe = http;
  if (type == ProbeType::https) health.probe = https;
  if (type == ProbeType::dns) health.probe = dns;
  if (type == ProbeType::udp) health.probe = udp;
  if (type == ProbeType::icmp) health.probe = IcmpCheck{};
  if (type == ProbeType::grpc) health.probe = grpc;
  if (type == ProbeType::exec) health.probe = exec;
  v.only_with("type", type,
              {ProbeType::tcp, ProbeType::http, ProbeType::https, ProbeType::dns, ProbeType::udp, ProbeType::grpc,
               ProbeType::exec},
              kProbeTypes, [&] {
                v.optional("port", health.port, kPort, "Port that is probed.",
                           Otherwise{"the backend's port; required where the service has port any"});
              });
  v.optional("via", health.via, kProbeVia,
             "Where a probe goes. path: to the service's address, carried to the very backend as clients' packets are, "
             "so that one which lacks the address or does not take the tunnel off is found; with forwarding tunnel and "
             "direct. address: to the backend's own address.",
             Otherwise{"path with forwarding tunnel and direct, but with type icmp and exec; else address"});
  v.optional("interval", health.interval, Duration{50ms, 1h},
             "Time from the start of a probe to the start of the next.");
  v.optional("down_interval", health.down_interval, Duration{50ms, 1h},
             "The same while a backend is down and its probes fail, to spare a server that has other worries. At least "
             "the interval.",
             Otherwise{"the interval"});
  v.optional("timeout", health.timeout, Duration{10ms, 1h},
             "Time that a probe may take, from connecting to the answer. At most the interval.");
  v.optional("rise", health.rise, kProbesInARow, "Successes in a row that bring a backend up.");
  v.optional("fall", health.fall, kProbesInARow, "Failures in a row that take a backend down.");
}

template <class V>
void describe(V& v, FurtherCheck& further) {
  describe(v, further.check);
}

template <class V>
void describe(V& v, Flapping& flapping) {
  v.optional("downs", flapping.downs, Integer<unsigned>{2, 1000}, "How often a backend goes down until it flaps.");
  v.optional("within", flapping.within, Duration{1s, 24h}, "The time in which it does so.");
  v.optional("hold", flapping.hold, Duration{1s, 24h},
             "How long its checks must then succeed without a break until it gets flows again.");
}

template <class V>
void describe(V& v, Passive& passive) {
  v.optional("refused", passive.refused, Integer<unsigned>{0, 1'000'000},
             "Connections that the backend resets in answer to the SYN. 0: they are no sign.");
  v.optional("unanswered", passive.unanswered, Integer<unsigned>{0, 1'000'000},
             "More connections than the second before that wait for the backend's first answer, and half of its new "
             "ones at least. 0: they are no sign.");
}

template <class V>
void describe(V& v, Backend& backend) {
  v.required("address", backend.host, kHostAddress,
             "Address of the server. Of the service's IP version, but with tunnel, which takes both.");
  v.optional("port", backend.port, kPort,
             "Port of the server. Only nat and full-nat can change the port, and not that of a service with port any; "
             "under nat, an address and port can serve one service only.",
             Otherwise{"the service's port"});
  v.optional(
      "weight", backend.weight, Integer<Weight>{0, 1000},
      "Share of the new flows, in proportion to the other weights. With 0 the backend gets no new flows and keeps "
      "the ones it has.");
  v.optional("fallback", backend.is_fallback, Boolean{},
             "Whether it gets new flows only while the service has fewer others in rotation than minimum_up, where the "
             "service says when_down: fallback. LVS calls it a sorry server.");
}

template <class V>
void describe(V& v, DnsDiscovery& dns) {
  v.required("name", dns.name, DomainName{}, "What a name server is asked for; nothing is put behind it.");
  v.optional("record", dns.record, kDiscoveryRecords,
             "The type of record. With A and AAAA each address is a backend; SRV names servers with their ports and "
             "weights, and those of the best priority are used.");
  v.optional("port", dns.port, kPort, "Port of the backends; of SRV its own counts.", Otherwise{"the service's port"});
  v.optional("server", dns.server, ListenEndpoint{}, "Address and port of the name server.",
             Otherwise{"those of /etc/resolv.conf"});
  v.optional("shortest", dns.shortest, Duration{1s, 1h},
             "Time between two questions, at least. In between the answer's time to live decides.");
  v.optional("longest", dns.longest, Duration{1s, 24h}, "The same, at most.");
}

template <class V>
void describe(V& v, Discovery& discovery) {
  v.required(
      "from", discovery.from, kDiscoveryFrom,
      "file: a list of targets in the form of Prometheus' file_sd, followed as it changes. dns: a name's records, "
      "as long as they live.");
  v.only_with("from", discovery.from, {DiscoveryFrom::file}, kDiscoveryFrom, [&] {
    v.required(
        "path", discovery.path, kFilePath,
        "The file: JSON where its name ends with .json, else YAML. Targets are addresses, with a port or without "
        "one; the label weight is the weight of its group.");
  });
  v.only_with("from", discovery.from, {DiscoveryFrom::dns}, kDiscoveryFrom, [&] { describe(v, discovery.dns); });
  v.optional("at_least", discovery.at_least, Integer<unsigned>{0, 65535},
             "Backends that must be found; where there are fewer, those of before stay. 0: an empty answer empties the "
             "pool.");
}

template <class V>
void describe(V& v, Tunnel& tunnel) {
  v.optional("encapsulation", tunnel.encapsulation, kEncapsulations,
             "The header in front of a packet: ipip is an IP header alone; gue has UDP behind it (generic UDP "
             "encapsulation, variant 1), which more networks spread over their paths.");
  v.only_with("encapsulation", tunnel.encapsulation, {Encapsulation::gue}, kEncapsulations, [&] {
    v.optional("gue_port", tunnel.gue_port, kPort, "UDP port that the backends take the packets at.");
  });
  v.optional("source", tunnel.source, SourcePrefix{},
             "Outer source addresses are made up within this prefix, one for each flow, so that networks spread flows "
             "over their paths and receivers over their queues. At most the last 32 bits vary. The backends are of the "
             "prefix's IP version, and none of its addresses is a host's: replies to them are lost.",
             Otherwise{"the balancer's own address towards the backend"});
}

template <class V>
void describe(V& v, ClientPrefixes& prefixes) {
  v.optional("ipv4_prefix", prefixes.ipv4, Integer<unsigned>{1, 32},
             "Clients whose IPv4 addresses have so many first bits in common are one.");
  v.optional("ipv6_prefix", prefixes.ipv6, Integer<unsigned>{1, 128}, "The same of IPv6.");
}

template <class V>
void describe(V& v, Remote& remote) {
  v.required("listen", remote.listen, ListenEndpoint{}, "Address and port.");
  v.required("certificate", remote.certificate, kFilePath,
             "File with the server's certificate in PEM, and behind it those that signed it, without the last.");
  v.required("key", remote.key, kFilePath, "File with its private key in PEM; not readable by everybody.");
  v.required("tokens", remote.tokens, kFilePath,
             "File with a line for each client: a name, its role (read-only or operator), and its token, 32 to 512 "
             "characters. Nobody but its owner may read it.");
}

template <class V>
void describe(V& v, Affinity& affinity) {
  v.optional("timeout", affinity.timeout, Duration{1s, 8160s},
             "How long a client's backend is remembered after its last new flow, at least; see dataplane.timeouts.");
  describe(v, affinity.prefixes);
}

template <class V>
void describe(V& v, Sources& sources) {
  v.list("allow", sources.allow,
         "Prefixes of clients that are let in. With it all others are not, but for what a longer prefix says.");
  v.list(
      "deny", sources.deny,
      "Prefixes of clients that are kept out. Of all prefixes of both lists that hold a client, the longest decides.");
  v.optional("new_flows_per_second", sources.new_flows_per_second, Integer<std::uint32_t>{1, 100'000},
             "New flows that a source may have in a second; more are dropped.", Otherwise{"no limit"});
  v.optional("burst", sources.burst, Integer<std::uint32_t>{1, 1'000'000},
             "New flows that a source may have at once after it had none for a while.",
             Otherwise{"new_flows_per_second"});
  describe(v, sources.prefixes);
}

/// What becomes of flows when backends come and go.
template <class V>
void describe_life(V& v, Service& service) {
  v.optional(
      "when_down", service.when_down, kWhenDown,
      "What becomes of new flows while fewer backends than minimum_up are in rotation. drop: none is placed. "
      "reject: likewise, and their clients are told so, by a TCP reset or an ICMP error that the port is unreachable. "
      "fail-open: "
      "all backends are used as if they were well, but those that are ordered out. fallback: those with fallback: true "
      "are used too. withdraw: the service's address is taken away from the interface, unless another service has it "
      "that is well.");
  v.optional(
      "capacity", service.capacity, Integer<std::uint32_t>{1, 100'000'000},
      "Connections that a backend of weight 1 serves well at once, one of weight 3 three times as many: for names "
      "that are answered by load.",
      Otherwise{"not told"});
  v.optional("minimum_up", service.minimum_up, Integer<unsigned>{1, 65535},
             "Backends that must be in rotation, fallback ones not counted; with fewer when_down applies.");
  v.optional("when_backend_down", service.when_backend_down, kDownFlows,
             "What becomes of the flows of a backend that is down, or in maintenance. keep: they stay, since it may "
             "come back. "
             "re-steer: each goes to another backend with its next packet, which resets a TCP connection at once, and "
             "to a UDP "
             "client is hardly more than another server. reset: the packet path answers the next packet of a TCP "
             "connection with a reset, and flows of UDP are steered again. New flows go elsewhere in any case.",
             Otherwise{"keep with protocol tcp, re-steer with udp"});
  v.optional(
      "removal_limit", service.removal_limit, Duration{1s, 168h},
      "How long a backend that is taken out of the file keeps its flows, at most. What is left then is given up. The "
      "time begins anew where the daemon restarts.",
      Otherwise{"until they end"});
  v.optional("slow_start", service.slow_start, Duration{1s, 1h},
             "How long a backend that comes up takes to its whole share of the new flows: it begins with a tenth of "
             "its weight "
             "and gets a tenth more at a time.",
             Otherwise{"at once"});
}

template <class V>
void describe(V& v, Service& service) {
  v.required("address", service.host, kHostAddress, "Address that clients connect to.");
  v.required("port", service.port, ServicePort{},
             "Port that clients connect to. any takes every port of the address that no other service has, and the "
             "packets keep theirs.");
  v.optional("protocol", service.protocol, kProtocols, "Transport protocol.");
  v.optional(
      "forwarding", service.forwarding, kForwardings,
      "How packets reach a backend. nat rewrites addresses, and replies must come back through the balancer; full-nat "
      "rewrites the client's too, so that they do, whatever the backends' routes; tunnel "
      "wraps packets in another IP header, direct rewrites the MAC address, and with both the backend has the service "
      "address "
      "on its loopback and replies straight to the client.");
  v.only_with("forwarding", service.forwarding, {Forwarding::tunnel}, kForwardings, [&] {
    v.section("tunnel", "The header that tunnel puts in front of a packet.",
              [&](V& tunnel) { describe(tunnel, service.tunnel); });
  });
  v.optional("scheduler", service.scheduler, kSchedulers,
             "How a backend is picked for a new flow, always by weight: maglev by a hash of the flow, round-robin in "
             "turn, least-connections by the fewest open flows, source-hash by a hash of the client's address, "
             "two-choices by the fewer flows of two that are drawn. docs/schedulers.md compares them.");
  v.only_with("scheduler", service.scheduler, {Scheduler::source_hash}, kSchedulers, [&] {
    v.section("source_hash", "Which clients are one to source-hash.",
              [&](V& source_hash) { describe(source_hash, service.source_hash); });
  });
  v.section("ring", "The lookup table that spreads flows over the backends.", [&](V& ring) {
    ring.optional(
        "slots_per_weight", service.ring_slots_per_weight, Integer<std::uint32_t>{10, 10000},
        "Slots for the backend of the smallest weight. More slots follow the weights more closely and take more "
        "memory, 2 bytes each.");
    ring.optional("rule", service.ring_rule, kRingRules,
                  "What a ring is made of when backends or weights change. patched: of the one before, so that nothing "
                  "moves that need not. canonical: of the backends and weights alone, so that every node with the same "
                  "ones has the same ring, whatever it has seen before; a change moves more of it.",
                  Otherwise{"canonical where the balancer is one of a pair, else patched"});
  });
  v.section("health", service.health, "How backends are probed. Without it every backend counts as up.");
  v.mapping("further_checks", service.further_checks, kName, AtLeast::absent,
            "More checks of each backend beside health, by name, with the same keys.");
  v.optional("healthy_when", service.healthy_when, kHealthRules,
             "Which of health and further_checks must find a backend well: all of them, or any.");
  v.section(
      "flapping", service.flapping,
      "With it, a backend that goes down again and again stays out longer. Without it one that is well gets flows "
      "at once.");
  v.section(
      "passive",
      "What of clients' connections in a second makes a backend suspect, under nat and full-nat: its checks are made "
      "at once then, and each second, until they have found it down or nothing was seen for 10s.",
      [&](V& passive) { describe(passive, service.passive); });
  v.section("affinity", service.affinity,
            "With it, new flows of a client go to the backend of its last one while that is in rotation, whatever the "
            "scheduler.");
  v.section(
      "sources", service.sources,
      "Which clients are let in, and how fast. It concerns packets of flows that are not known: what is open stays "
      "open when the lists change.");
  describe_life(v, service);
  v.section("discovery", service.discovery,
            "Where more backends are found, beside those in backends (docs/operations.md).");
  v.mapping("backends", service.backends, kName, AtLeast::none,
            "The servers behind the service, by name. {} is for a service with discovery.");
}

template <class V>
void describe(V& v, TableSizes& tables) {
  v.optional(
      "flow_slots", tables.flow_slots, Integer<std::uint32_t>{1024, 1U << 28U, Steps::powers_of_two},
      "Flows that can be remembered, 16 bytes each, and 16 more with ipv6. Twice the flows you expect at once is a "
      "good size.");
  v.optional("services", tables.services, Integer<std::uint32_t>{1, 65536}, "Room for services.");
  v.optional("backends", tables.backends, Integer<std::uint32_t>{1, (1U << 20U) - 1},
             "Room for backends: a server counts once for each service that uses it.");
  v.optional(
      "ring_slots", tables.ring_slots, Integer<std::uint32_t>{1024, 1U << 28U},
      "Room for the rings of all services, 2 bytes a slot. Each ring has room twice: one to read while the next is "
      "written.");
  v.optional("source_prefixes", tables.source_prefixes, Integer<std::uint32_t>{1, 500'000},
             "Room for the prefixes of all services' sources, about 100 bytes each.");
  v.optional(
      "limited_sources", tables.limited_sources, Integer<std::uint32_t>{1024, 1U << 24U, Steps::powers_of_two},
      "Sources whose new flows can be told apart at once, 8 bytes each. Of more, those that were quiet for longest "
      "begin anew.");
  v.optional(
      "ipv6", tables.ipv6, Boolean{},
      "Whether IPv6 flows can be remembered: 16 more bytes for each slot. Services with an IPv6 address need it.");
}

template <class V>
void describe(V& v, Timeouts& timeouts) {
  constexpr Duration kTimeout{1s, 8160s};
  v.optional("half_open", timeouts.half_open, kTimeout,
             "After a SYN that nothing followed, and of UDP after a datagram that stayed alone.");
  v.optional("established", timeouts.established, kTimeout, "An open connection without traffic.");
  v.optional("closing", timeouts.closing, kTimeout, "After a FIN.");
  v.optional("closed", timeouts.closed, kTimeout, "After a RST.");
  v.optional("udp", timeouts.udp, kTimeout, "UDP that was answered, or went on.");
}

template <class V>
void describe(V& v, InterfaceSettings& interface) {
  v.required("hook", interface.hook, kHooks, "As dataplane.hook, for this interface.");
}

template <class V>
void describe(V& v, DpdkPort& port) {
  v.required("device", port.device, DpdkDevice{},
             "What packets come in by and go out by, as DPDK has it: the PCI address of a device that is bound to "
             "vfio-pci, or a virtual device. With net_af_xdp on the interface itself the kernel keeps the interface; "
             "else a tap device of this name stands for it.");
}

template <class V>
void describe(V& v, Dpdk& dpdk) {
  v.mapping("ports", dpdk.ports, kInterfaceName, AtLeast::one,
            "A device for each of the interfaces, by name. Packets that are not for services go to the kernel by that "
            "interface, and addresses, routes and neighbours are the interface's.");
  v.optional("cores", dpdk.cores, CoreList{},
             "Cores that work for this engine alone: each has a worker, with a queue of its own at each port.",
             Otherwise{"one worker, on any core"});
  v.optional("burst", dpdk.burst, Integer<std::uint32_t>{1, 64}, "Packets that a worker takes at once, at most.");
  v.optional("idle_sleep_us", dpdk.idle_sleep_us, Integer<std::uint32_t>{0, 10'000},
             "Microseconds that a worker without packets sleeps at once, at most: so an idle balancer does not burn a "
             "core. A packet may wait as long. 0: it polls on.");
  v.optional("memory", dpdk.memory_mib, Integer<std::uint32_t>{64, 1U << 20U},
             "MiB for packet buffers and queues, beside the tables.");
  v.optional("hugepages", dpdk.hugepages, Boolean{},
             "Whether that memory is of huge pages, which the host must have free (vm.nr_hugepages).");
}

template <class V>
void describe(V& v, Model& model) {
  v.optional("instance", model.instance, kInstanceName,
             "Name of this balancer on its host: of its pinned programs and its socket.");
  v.list("interfaces", model.interfaces, kInterfaceName, kMostInterfaces,
         "Interfaces that packets come in by and go out by. One will do; with two, name the clients' side and the "
         "backends'.");
  v.section("dataplane", "What moves the packets.", [&](V& dataplane) {
    dataplane.optional("engine", model.engine, kEngines,
                       "The engine: kernel works at a hook of each interface; dpdk has ports and cores of its own, in "
                       "the program astil-dpdk (docs/engine-dpdk.md). A change of it keeps the flows.");
    dataplane.only_with("engine", model.engine, {EngineKind::dpdk}, kEngines, [&] {
      dataplane.section("dpdk", "How the DPDK engine moves packets.", [&](V& dpdk) { describe(dpdk, model.dpdk); });
    });
    dataplane.only_with("engine", model.engine, {EngineKind::kernel}, kEngines, [&] {
      dataplane.optional(
          "hook", model.hook, kHooks,
          "Where the kernel hands packets over. xdp: in the driver, which has to take it; the fastest for devices. tc: "
          "behind it, for every interface; the fastest for virtual ones, whose packets are larger than the wire's. "
          "xdp-generic: XDP without the driver's help. auto: xdp for devices whose driver takes it, tc for all else.");
      dataplane.mapping("interfaces", model.interface_settings, kInterfaceName, AtLeast::absent,
                        "Interfaces that need something else, by name.");
    });
    dataplane.optional("echo", model.answers_echo, Boolean{},
                       "Whether echo requests (ping) to service addresses are answered, at the balancer.");
    dataplane.section("tables", "Sizes of the packet path's tables. A change keeps the flows.",
                      [&](V& tables) { describe(tables, model.tables); });
    dataplane.optional(
        "new_flows_per_second", model.new_flows_per_second, Integer<std::uint32_t>{0, 1'000'000'000},
        "New flows that each CPU writes down in a second. Those above go where the ring says, whatever the scheduler, "
        "and are written down with their next packet: so a flood of SYNs neither fills the table nor costs more than "
        "it must. 0: no limit.");
    dataplane.section(
        "timeouts",
        "How long a flow is remembered without a packet, at least: flows age in steps of 16 s, and it may be two "
        "of them more.",
        [&](V& timeouts) { describe(timeouts, model.timeouts); });
  });
  v.section("addresses", "Who puts the service addresses on this host.", [&](V& addresses) {
    addresses.optional(
        "owner", model.addresses, kAddressOwners,
        "daemon: astild adds each as a /32 or /128 and removes it when the service goes. none: you do, or routes bring "
        "the packets.");
    addresses.only_with("owner", model.addresses, {AddressOwner::daemon}, kAddressOwners, [&] {
      addresses.optional("interface", model.address_interface, kInterfaceName, "Interface that gets the addresses.",
                         Otherwise{"the first of interfaces"});
    });
  });
  v.section("full_nat", "What services with forwarding full-nat share.", [&](V& full_nat) {
    full_nat.list(
        "sources", model.full_nat.sources, kMostPortSources,
        "Addresses of this balancer's own that connections to the backends come from; a client's come from one "
        "of its IP version. Each has 64512 ports, of which some 45000 can be in use, and some 300 new connections a "
        "second find one, since ports rest (docs/forwarding-full-nat.md); and takes 1 MiB, and 1 MiB more with ipv6. "
        "One that is left out keeps its connections until they end.");
    full_nat.optional("interface", model.full_nat.interface, kInterfaceName,
                      "Interface that gets these addresses, where addresses.owner is daemon.",
                      Otherwise{"the last of interfaces"});
  });
  v.section("api", "Where the daemon can be asked.", [&](V& api) {
    api.optional("socket", model.socket, kSocketPath, "Unix socket that the command line talks to.",
                 Otherwise{"/run/astil/INSTANCE.sock"});
    api.optional("metrics", model.metrics, ListenEndpoint{},
                 "Address and port where Prometheus can scrape /metrics. Nothing can be changed through it.",
                 Otherwise{"on the socket only"});
    api.section(
        "remote", model.remote,
        "Where the API can be asked over the network, by TLS and with a bearer token. Each of these files is read "
        "again when it has changed.");
  });
  v.section("ha", model.ha,
            "Makes this balancer one of a pair that holds the same service addresses, one node active (docs/pair.md). "
            "Without it the balancer is alone.");
  v.mapping("services", model.services, kName, AtLeast::none,
            "What clients reach, by name. {} means none, on purpose.");
  v.section("dns", model.dns, "Answers authoritatively for names (docs/dns.md). Without it no name server runs here.");
}

}  // namespace astil::config
