// The keys of `ha:`, declared as keys.hpp says.
#pragma once

#include "control/config/key_terms.hpp"
#include "control/config/model_ha.hpp"

namespace astil::config {

inline constexpr Choice<TrackType, 4> kTrackTypes{"type",
                                                  {{{"interface", TrackType::interface},
                                                    {"file", TrackType::file},
                                                    {"gateway", TrackType::gateway},
                                                    {"exec", TrackType::exec}}}};
inline constexpr Choice<AdvertPath, 2> kAdvertPaths{
    "way", {{{"multicast", AdvertPath::multicast}, {"unicast", AdvertPath::unicast}}}};
inline constexpr Choice<VrrpChecksum, 2> kVrrpChecksums{
    "checksum", {{{"pseudo-header", VrrpChecksum::with_pseudo_header}, {"plain", VrrpChecksum::plain}}}};
inline constexpr std::size_t kMostAdvertPeers = 8;

template <class V>
void describe(V& v, Track& track) {
  using std::chrono::milliseconds;
  v.required("type", track.type, kTrackTypes,
             "What is looked at: whether an interface is up, what a file says, whether a gateway answers echo requests "
             "(ping), or how a command ends.");
  v.only_with("type", track.type, {TrackType::interface}, kTrackTypes, [&] {
    v.required("interface", track.interface, kInterfaceName, "Interface that must be up and have a carrier.");
  });
  v.only_with("type", track.type, {TrackType::file}, kTrackTypes, [&] {
    v.required("file", track.file, kFilePath,
               "File that must be there and must not begin with 0; whoever writes it says how this node is.");
  });
  v.only_with("type", track.type, {TrackType::gateway}, kTrackTypes, [&] {
    v.required("address", track.address, GatewayAddress{},
               "Address that must answer. A link-local one is asked by the group's interface.");
  });
  v.only_with("type", track.type, {TrackType::exec}, kTrackTypes, [&] {
    v.words("command", track.command, kArgument, kMostArguments,
            "An absolute path and its arguments, run without a shell. Exit status 0 says that it is well. It runs "
            "without capabilities and in a process group of its own, which the timeout kills; the environment has PATH "
            "and LC_ALL=C alone, and the first line of its output is told with a failure.");
  });
  v.only_with("type", track.type, {TrackType::gateway, TrackType::exec}, kTrackTypes, [&] {
    v.optional("interval", track.interval, Duration{milliseconds(50), std::chrono::hours(1)},
               "Time from the start of a probe to the start of the next.");
    v.optional("timeout", track.timeout, Duration{milliseconds(10), std::chrono::hours(1)},
               "Time that a probe may take. At most the interval.");
    v.optional("rise", track.rise, kProbesInARow,
               "Successes in a row, after which it is well. The first probe decides "
               "at once.");
    v.optional("fall", track.fall, kProbesInARow, "Failures in a row, after which it is not well.");
  });
  v.optional("subtract", track.subtract, Integer<std::uint8_t>{1, 254},
             "What is taken from the priority while it is not well. The priority stays 1 at least.");
}

template <class V>
void describe(V& v, PairPath& path) {
  v.required("local", path.local, kHostAddress, "This node's address on that network.");
  v.required("peer", path.peer, kHostAddress, "The other node's.");
}

template <class V>
void describe(V& v, Heartbeat& heartbeat) {
  v.optional("interval", heartbeat.interval, Duration{std::chrono::milliseconds(10), std::chrono::seconds(10)},
             "Time between two heartbeats on a path.");
  v.optional("lost_after", heartbeat.lost_after, Integer<std::uint8_t>{2, 100},
             "Intervals without a heartbeat on any path, after which the other node counts as dead.");
  v.optional("port", heartbeat.port, Integer<std::uint16_t>{1, 65535}, "UDP port, of both nodes.");
}

template <class V>
void describe(V& v, FlowSync& sync) {
  v.optional("port", sync.port, Integer<std::uint16_t>{1, 65535}, "UDP port, of both nodes.");
  v.optional("interval", sync.interval, Duration{std::chrono::milliseconds(10), std::chrono::seconds(10)},
             "How long a change in this node's flows may wait until the other node is told of it.");
  v.optional("bandwidth", sync.bandwidth, Integer<std::uint32_t>{1, 100'000},
             "Mbit/s that this node sends at most. What is worth most goes first: established connections, then those "
             "that end, then those that are half-open.");
}

template <class V>
void describe(V& v, VrrpGroup& group) {
  using std::chrono::milliseconds;
  v.optional("interface", group.interface, kInterfaceName,
             "Interface that the addresses are put on, and that adverts go out by.", Otherwise{"addresses.interface"});
  v.required("virtual_router_id", group.virtual_router_id, Integer<std::uint8_t>{1, 255},
             "The group's number (VRID), the same on both nodes, and one that no other router on that network has.");
  v.list("addresses", group.addresses, kMostGroupAddresses,
         "Addresses of one IP version that the active node has, and adverts name: of services, of full_nat.sources, or "
         "those that the backends have as their gateway under nat.");
  v.optional(
      "link_local", group.link_local, LinkLocalAddress{},
      "The virtual router's link-local address, of a group of IPv6: adverts name it first, as RFC 9568 has it, and "
      "hosts may have it as their gateway. It is the same on both nodes.",
      Otherwise{"none"});
  v.optional("priority", group.priority, Integer<std::uint8_t>{1, 255},
             "Who is heard with the higher one is active. 255 is the owner's, whose addresses these are: it is active "
             "as soon as it can be.");
  v.optional("advert_interval", group.advert_interval, Duration{milliseconds(10), milliseconds(40'950)},
             "Time between two adverts, in steps of 10ms. The backup takes over after three of them, and less than one "
             "more.");
  v.optional("preempt", group.preempt, Boolean{}, "Whether this node takes over from an active one of lower priority.");
  v.optional("preempt_delay", group.preempt_delay, Duration{milliseconds(0), std::chrono::hours(1)},
             "How long it waits before it does.");
  v.optional("adverts", group.adverts, kAdvertPaths,
             "How adverts travel: to 224.0.0.18 or ff02::12, or to each of peers.");
  v.only_with("adverts", group.adverts, {AdvertPath::unicast}, kAdvertPaths, [&] {
    v.list("peers", group.peers, kMostAdvertPeers,
           "Addresses of the other nodes; adverts of anybody else are dropped.");
  });
  v.optional("checksum", group.checksum, kVrrpChecksums,
             "What the checksum of an advert covers in IPv4: a pseudo-header too, as keepalived has it by default, or "
             "the message alone (plain), as RFC 9568 does. Both nodes need the same.");
  v.optional("virtual_mac", group.virtual_mac, Boolean{},
             "Whether the addresses have the virtual router's MAC, 00-00-5E-00-01-{VRID} or 00-00-5E-00-02-{VRID} (RFC "
             "9568 section 7.3), which moves with them, and not that of the interface. Both nodes need the same.");
  v.optional(
      "accept_mode", group.accept_mode, Boolean{},
      "Whether this host takes packets to the addresses that are for no service, by any of interfaces (Accept_Mode "
      "of RFC 9568 section 6.1). false: they are dropped, but for neighbour discovery, and for echo requests "
      "where dataplane.echo has them answered.");
  v.optional("authenticate", group.authenticate, Boolean{},
             "Whether adverts carry a code made with ha.key_file (HMAC-SHA256), and those without a right one are "
             "dropped. Routers other than astild's do not know it.");
  v.optional("sync_group", group.sync_group, kName,
             "Groups with the same name here change their state together: where one can not be active, none is.",
             Otherwise{"the group is on its own"});
  v.optional("announce_refresh", group.announce_refresh, Duration{milliseconds(0), std::chrono::hours(24)},
             "How often the active node tells the neighbours where the addresses are (gratuitous ARP, unsolicited "
             "neighbour advertisement), beside those at a takeover. 0s: only then.");
  v.mapping("track", group.track, kName, AtLeast::absent, "What takes from the priority while it is not well.");
}

template <class V>
void describe(V& v, Ha& ha) {
  using std::chrono::milliseconds;
  v.required("node", ha.node, kName, "Name of this node, by which the other one shows it.");
  v.optional("key_file", ha.key_file, kFilePath,
             "File with the secret of the pair, 64 hexadecimal digits, that only root can read; the same on both "
             "nodes. Heartbeats need it, and adverts with authenticate.",
             Otherwise{"nothing is authenticated"});
  v.optional("previous_key_file", ha.previous_key_file, kFilePath,
             "A secret that is taken still, but not used for what is sent: while the nodes change to another.",
             Otherwise{"only key_file is taken"});
  v.optional("hold", ha.hold, Duration{milliseconds(0), std::chrono::hours(1)},
             "How long this node goes on as it is while astild is not there (it has crashed, or is exchanged for "
             "another) and packets are forwarded. After that it leaves the addresses to the other node.");
  v.optional("startup_hold", ha.startup_hold, Duration{milliseconds(0), std::chrono::hours(1)},
             "How long this node takes over from nobody after its start, and does not take what nobody has. An owner "
             "(priority 255) does not wait.");
  v.optional("takeover_limit", ha.takeover_limit, Duration{milliseconds(0), std::chrono::hours(1)},
             "How long this node waits for the flows of an active node before it takes over from it nevertheless.");
  v.mapping("paths", ha.paths, kName, AtLeast::absent,
            "The networks between the two nodes, by name. Heartbeats go over all of them.");
  v.section("heartbeat", ha.heartbeat,
            "Authenticated signs of life over each of the paths. The backup takes over as soon as all are lost, and "
            "does not wait for adverts. Both nodes need it.");
  v.section("sync", ha.sync,
            "Brings the flow table, and the ports of full_nat, to the other node, encrypted with key_file, so that "
            "connections outlive a change of the active node. Goes over the first of paths that works. Both nodes "
            "need it.");
  v.optional("notify", ha.notify, kFilePath,
             "Program that is run at each change of a group's state, with the arguments GROUP STATE PRIORITY; STATE is "
             "active, backup, fault or stopped.",
             Otherwise{"none"});
  v.mapping("groups", ha.groups, kName, AtLeast::one,
            "The virtual routers, by name (docs/pair.md). Each service's address belongs to one of them.");
}

}  // namespace astil::config
