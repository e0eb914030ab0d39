// The part of the model that makes this balancer one of a pair: what VRRP is told (RFC 9568), and what the two nodes
// tell each other beside it.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace astil::config {

/// What takes from a group's priority while it is not well.
enum class TrackType {
  interface,  ///< well: it is up and has a carrier
  file,       ///< well: it is there and does not begin with 0
  gateway,    ///< well: it answers echo requests
  exec,       ///< well: the command ends with exit status 0
};

struct Track {
  std::string name;  ///< unique within the group
  TrackType type = TrackType::interface;
  std::string interface;             ///< with TrackType::interface
  std::string file;                  ///< with TrackType::file
  boost::asio::ip::address address;  ///< with TrackType::gateway; a link-local one is on the group's interface
  std::vector<std::string> command;  ///< with TrackType::exec: an absolute path, and its arguments
  // With TrackType::gateway and TrackType::exec.
  std::chrono::milliseconds interval{1000};  ///< from the start of a probe to that of the next
  std::chrono::milliseconds timeout{500};    ///< of a probe; at most `interval`
  unsigned rise = 2;                         ///< successes in a row, after which it is well
  unsigned fall = 3;                         ///< failures in a row, after which it is not
  std::uint8_t subtract = 1;                 ///< 1 to 254; the priority stays 1 at least
  bool operator==(const Track&) const = default;
};

/// How a group's adverts travel.
enum class AdvertPath { multicast, unicast };

/// What a VRRP checksum over IPv4 covers (RFC 9568 section 5.2.8).
enum class VrrpChecksum {
  with_pseudo_header,  ///< as RFC 5798 is read by most, keepalived among them
  plain,               ///< the message alone, as RFC 9568 has it
};

/// A virtual router: addresses that one of the nodes has at a time.
struct VrrpGroup {
  std::string name;                                    ///< unique
  std::optional<std::string> interface;                ///< always given; default: Model::address_interface
  std::uint8_t virtual_router_id = 0;                  ///< VRID, 1 to 255; unique by interface and IP version
  std::uint8_t priority = 100;                         ///< 1 to 255; 255: the owner (RFC 9568 section 6.1)
  std::vector<boost::asio::ip::address> addresses;     ///< of one IP version, 1 to kMostGroupAddresses
  std::optional<boost::asio::ip::address> link_local;  ///< of IPv6, beside `addresses`, and named first
  std::chrono::milliseconds advert_interval{1000};     ///< in steps of 10 ms, 10 to 40950
  bool preempt = true;
  std::chrono::milliseconds preempt_delay{0};
  AdvertPath adverts = AdvertPath::multicast;
  std::vector<boost::asio::ip::address> peers;  ///< with AdvertPath::unicast
  VrrpChecksum checksum = VrrpChecksum::with_pseudo_header;
  bool virtual_mac = false;                       ///< the virtual router's MAC (RFC 9568 section 7.3)
  bool accept_mode = true;                        ///< whether the host takes what is for no service (section 6.1)
  bool authenticate = false;                      ///< by HMAC-SHA256, with Ha::key_file
  std::optional<std::string> sync_group;          ///< groups with the same one change their state together
  std::chrono::milliseconds announce_refresh{0};  ///< while active; 0: only on takeover
  std::vector<Track> track;
  bool operator==(const VrrpGroup&) const = default;
};
/// As many as an advert of IPv6 holds in a packet of 1500 bytes.
inline constexpr std::size_t kMostGroupAddresses = 90;
/// What `authenticate` puts behind an advert, beside them: ha::kTrailer, to which a test compares it.
inline constexpr std::size_t kAdvertCodeBytes = 44;
inline constexpr std::size_t kMostGroups = 64;
inline constexpr std::size_t kMostTracks = 8;  ///< of a group

/// A way between the two nodes, by one address of each.
struct PairPath {
  std::string name;
  boost::asio::ip::address local, peer;  ///< of one IP version
  bool operator==(const PairPath&) const = default;
};
inline constexpr std::size_t kMostPairPaths = 8;

/// Signs of life over every path, sooner than adverts.
struct Heartbeat {
  std::chrono::milliseconds interval{100};  ///< 10 to 10000
  std::uint8_t lost_after = 3;              ///< intervals without one on any path, 2 to 100
  std::uint16_t port = 5405;                ///< UDP, of both nodes
  bool operator==(const Heartbeat&) const = default;
};

/// Flow sync: what either node's flow table learns, the other one's is told.
struct FlowSync {
  std::uint16_t port = 5406;               ///< UDP, of both nodes
  std::chrono::milliseconds interval{50};  ///< 10 to 10000: what changes is told so much later, at most
  std::uint32_t bandwidth = 1000;          ///< Mbit/s that this node sends at most
  bool operator==(const FlowSync&) const = default;
};

/// One of two nodes that hold the same service addresses, one of them active.
struct Ha {
  std::string node;                                  ///< this node's name
  std::optional<std::string> key_file;               ///< the pair's secret, for all that is authenticated
  std::optional<std::string> previous_key_file;      ///< still taken, not used for what is sent
  std::chrono::milliseconds hold{10'000};            ///< how long the group goes on without astild
  std::chrono::milliseconds startup_hold{0};         ///< how long it only listens after the engine forwards
  std::chrono::milliseconds takeover_limit{30'000};  ///< how long a higher priority waits for the peer's flows
  std::vector<PairPath> paths;
  std::optional<Heartbeat> heartbeat;  ///< none: adverts alone tell
  std::optional<FlowSync> sync;        ///< none: nobody brings the other node's flows
  std::optional<std::string> notify;   ///< program that is told of each change of state
  std::vector<VrrpGroup> groups;       ///< at least one
  bool operator==(const Ha&) const = default;
};

}  // namespace astil::config
