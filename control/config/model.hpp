// The typed model of one configuration file: what the operator asks for, every default filled in, every value checked.
// Plain values; whoever holds a Model holds all of it. control/config/load.hpp makes it from YAML.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "control/config/model_dns.hpp"
#include "control/config/model_ha.hpp"
#include "control/config/model_health.hpp"
#include "control/config/model_terms.hpp"

namespace astil::config {

enum class Protocol { tcp, udp };
enum class Forwarding { nat, tunnel, direct, full_nat };
enum class Encapsulation { ipip, gue };
enum class Scheduler { maglev, round_robin, least_connections, source_hash, two_choices };
enum class EngineKind { kernel, dpdk };
enum class Hook { automatic, xdp, xdp_generic, tc };

/// Who puts the service addresses on an interface of the balancer.
enum class AddressOwner {
  daemon,  ///< astild, as /32 or /128, after the program forwards; removed again before it detaches
  none,    ///< nobody: routes bring the packets, or the operator has done it
};

struct Backend {
  std::string name;  ///< unique within the service
  address
      host;  ///< under nat, full_nat and direct, and where Tunnel::source is given, of that IP version; else of either
  Port port{};  ///< default: the service's; other than that only under nat and full_nat. 0, any: as the client's packet
                ///< has it
  Weight weight{1};
  bool is_fallback = false;  ///< gets flows only while the service has too few others
  bool is_found = false;     ///< by the service's `discovery`: no configuration has it
  bool operator==(const Backend&) const = default;
};

/// The addresses that begin with the same bits.
struct Prefix {
  address network;  ///< the bits behind the length are 0
  unsigned length = 0;
  bool operator==(const Prefix&) const = default;
};

/// The header that forwarding tunnel puts in front of a packet: IP of the backend's version, under gue with UDP behind
/// it.
struct Tunnel {
  Encapsulation encapsulation = Encapsulation::ipip;
  Port gue_port{6080};  ///< the outer UDP destination port; only with gue
  /// The outer source address is made up for each flow out of this network's bits, IPv4 /8 to /31 or IPv6 /64 to /127;
  /// at most the last 32 bits of it vary. None: the balancer's own address towards the backend.
  std::optional<Prefix> source;
  bool operator==(const Tunnel&) const = default;
};

/// How many of the first bits of their addresses make clients one, by IP version.
struct ClientPrefixes {
  unsigned ipv4 = 32;   ///< 1 to 32
  unsigned ipv6 = 128;  ///< 1 to 128
  bool operator==(const ClientPrefixes&) const = default;
};

/// New flows of a client go to the backend of its last one.
struct Affinity {
  Milliseconds timeout{300'000};  ///< after the last new flow; as those in Timeouts
  ClientPrefixes prefixes;
  bool operator==(const Affinity&) const = default;
};

/// Which clients a service lets in. At least one member says something.
struct Sources {
  std::vector<Prefix> allow;  ///< none: everyone is let in that `deny` does not keep out
  std::vector<Prefix> deny;   ///< of the prefixes of both that hold a client, the longest decides
  std::optional<std::uint32_t> new_flows_per_second;  ///< of each source, 1 to 100000; none: no limit
  std::optional<std::uint32_t> burst;                 ///< at once; always given where there is a limit
  ClientPrefixes prefixes{.ipv4 = 32, .ipv6 = 64};    ///< which clients are one source
  bool operator==(const Sources&) const = default;
};
/// In each of its lists.
inline constexpr std::size_t kMostPrefixes = 200'000;

/// What becomes of the flows of a backend that is down.
enum class DownFlows {
  keep,      ///< they stay: it may come back
  re_steer,  ///< each goes to another backend with its next packet
  reset,     ///< each is reset with its next packet; of UDP as re_steer
};

/// What a service does with new flows while it has too few backends.
enum class WhenDown {
  drop,       ///< none is placed
  reject,     ///< none is placed, and their clients are told so
  fail_open,  ///< all backends are used as if they were well
  fallback,   ///< the fallback backends are used too
  withdraw,   ///< the service's address is taken away
};

enum class DiscoveryFrom { file, dns };
enum class DiscoveryRecord { a, aaaa, srv };

struct DnsDiscovery {
  std::string name;
  DiscoveryRecord record = DiscoveryRecord::a;
  std::optional<Port> port;        ///< of the backends; none: the service's, or what SRV says
  std::optional<Endpoint> server;  ///< none: those of /etc/resolv.conf
  Milliseconds shortest{1000};     ///< between two questions, whatever the answers' time to live
  Milliseconds longest{300'000};
  bool operator==(const DnsDiscovery&) const = default;
};

/// Where a service's backends are found, beside those that are written down.
struct Discovery {
  DiscoveryFrom from = DiscoveryFrom::file;
  std::string path;       ///< only with file
  DnsDiscovery dns;       ///< only with dns
  unsigned at_least = 1;  ///< backends that an answer must have to be followed; 0: none will do
  bool operator==(const Discovery&) const = default;
};

/// What a ring is made of when backends or weights change (docs/decisions/0036-rings-of-a-pair.md).
enum class RingRule {
  patched,    ///< of the one before: nothing moves that need not
  canonical,  ///< of the backends and weights alone: the same on every node, whatever was before
};

struct Service {
  std::string name;  ///< unique
  address host;
  Port port{};  ///< 0: any that no other service with this address and protocol has
  Protocol protocol = Protocol::tcp;
  Forwarding forwarding = Forwarding::nat;
  Tunnel tunnel;  ///< only with forwarding tunnel
  Scheduler scheduler = Scheduler::maglev;
  std::optional<std::uint32_t> capacity;  ///< connections that a backend of weight 1 serves well; none: not told
  ClientPrefixes source_hash;             ///< only with scheduler source_hash
  std::optional<Affinity> affinity;
  std::optional<Sources> sources;
  std::uint32_t ring_slots_per_weight = 100;  ///< slots for the smallest weight, at least; 10 to 10000
  std::optional<RingRule> ring_rule;          ///< always given; by default according to Model::ha
  std::optional<HealthCheck> health;          ///< none: backends count as up
  std::vector<FurtherCheck> further_checks;   ///< none without `health`
  HealthRule healthy_when = HealthRule::all;  ///< which of `health` and `further_checks` must succeed
  std::optional<Flapping> flapping;           ///< none: a backend that is well is used at once
  Passive passive;                            ///< only with `health`, under nat and full-nat
  std::vector<Backend> backends;              ///< at least one, or `discovery`
  std::optional<Discovery> discovery;         ///< of more backends
  WhenDown when_down = WhenDown::drop;
  unsigned minimum_up = 1;                     ///< backends in rotation, fewer than which are too few; at least 1
  std::optional<DownFlows> when_backend_down;  ///< always given; by default according to `protocol`
  std::optional<Milliseconds> removal_limit;   ///< for the flows of a removed backend; none: until they end
  std::optional<Milliseconds> slow_start;      ///< how long a backend takes to its whole share; none: at once
  bool operator==(const Service&) const = default;
};

/// Interfaces of one balancer, at most.
inline constexpr std::size_t kMostInterfaces = 64;

/// Sizes of the packet path's tables. A change makes new tables; flows are carried over.
struct TableSizes {
  std::uint32_t flow_slots = 1U << 20U;   ///< a power of two, 1024 to 2^28
  std::uint32_t services = 1024;          ///< at most 65536
  std::uint32_t backends = 16384;         ///< uses of a backend by a service, 20 bits at most
  std::uint32_t ring_slots = 4U << 20U;   ///< 2 bytes each, for all rings, two generations
  bool ipv6 = true;                       ///< IPv6 flows can be remembered, at 16 more bytes for each flow slot
  std::uint32_t source_prefixes = 16384;  ///< of all services' lists, at most 500000
  std::uint32_t limited_sources = 65536;  ///< whose new flows are told apart; a power of two, 1024 to 2^24
  auto operator<=>(const TableSizes&) const = default;
};

/// How long a flow is remembered without a packet, at least; see dataplane::FlowTimeouts.
struct Timeouts {
  Milliseconds half_open{60'000};
  Milliseconds established{7'200'000};
  Milliseconds closing{120'000};
  Milliseconds closed{10'000};
  Milliseconds udp{300'000};
  bool operator==(const Timeouts&) const = default;
};

/// Where the API is asked over the network, by TLS.
struct Remote {
  Endpoint listen;
  std::string certificate;  ///< these three are files
  std::string key;
  std::string tokens;
  bool operator==(const Remote&) const = default;
};

/// What is different for one interface.
struct InterfaceSettings {
  std::string name;  ///< one of Model::interfaces
  Hook hook = Hook::automatic;
  bool operator==(const InterfaceSettings&) const = default;
};

/// What services with forwarding full_nat share.
struct FullNat {
  std::vector<address> sources;          ///< what connections to backends come from; at most 64, each only once
  std::optional<std::string> interface;  ///< where `sources` are put; default: the last of Model::interfaces
  bool operator==(const FullNat&) const = default;
};
inline constexpr std::size_t kMostPortSources = 64;

/// A port of the DPDK engine; the name is one of Model::interfaces.
struct DpdkPort {
  std::string name;
  std::string device;  ///< as DPDK has it
  bool operator==(const DpdkPort&) const = default;
};

/// How the DPDK engine moves packets.
struct Dpdk {
  std::uint32_t burst = 32;           ///< 1 to 64
  std::uint32_t idle_sleep_us = 250;  ///< 0: never
  std::uint32_t memory_mib = 256;
  bool hugepages = true;
  std::vector<std::uint32_t> cores;  ///< one worker each; empty: one, on any
  std::vector<DpdkPort> ports;       ///< at least one
  bool operator==(const Dpdk&) const = default;
};

struct Model {
  std::string instance = "main";  ///< names the pins, the socket: [a-z0-9-]{1,32}
  EngineKind engine = EngineKind::kernel;
  std::vector<std::string> interfaces;  ///< where packets come in and go out, at least one
  Hook hook = Hook::automatic;          ///< of all that `interface_settings` does not name
  std::vector<InterfaceSettings> interface_settings;
  Dpdk dpdk;                 ///< only with EngineKind::dpdk
  bool answers_echo = true;  ///< to service addresses
  AddressOwner addresses = AddressOwner::daemon;
  std::optional<std::string>
      address_interface;  ///< where service addresses are put; default: the first of `interfaces`
  FullNat full_nat;
  TableSizes tables;
  std::uint32_t new_flows_per_second = 100'000;  ///< of each CPU; 0: no limit
  Timeouts timeouts;
  std::string socket;               ///< of the API; default /run/astil/<instance>.sock
  std::optional<Endpoint> metrics;  ///< by TCP, for the part of the API that anyone may read: /metrics, /v1/version
  std::optional<Remote> remote;     ///< none: on the socket only
  std::optional<Ha> ha;             ///< none: this balancer is alone
  std::optional<Dns> dns;
  std::vector<Service> services;
  bool operator==(const Model&) const = default;
};

}  // namespace astil::config
