// The process astil-vrrp: sockets, kernel and astild around the election. One thread, one loop; what comes in is taken
// before any timer, so that a process that was kept waiting does not miss adverts that wait for it too.
#pragma once

#include <poll.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/ha/vrrp/app/address_keeper.hpp"
#include "control/ha/vrrp/app/channel_server.hpp"
#include "control/ha/vrrp/app/group.hpp"
#include "control/ha/vrrp/app/guardian.hpp"
#include "control/ha/vrrp/app/heartbeats.hpp"
#include "control/ha/vrrp/election.hpp"
#include "control/net/links.hpp"
#include "control/net/netlink_socket.hpp"

namespace astil::ha {

class Process {
 public:
  enum class Scheduling { real_time, ordinary };

  /// `signals` is a signalfd of SIGTERM, SIGINT and SIGCHLD.
  [[nodiscard]] static Result<std::unique_ptr<Process>> start(ChannelServer channel, base::Descriptor signals,
                                                              std::unique_ptr<Guardian> guardian,
                                                              Scheduling scheduling);
  /// Returns when it was asked to leave, or astild did not come back; all addresses are gone then.
  void run();

 private:
  using SocketKey = std::pair<std::uint32_t, bool>;  ///< ifindex, is IPv4

  Process(ChannelServer channel, base::Descriptor signals, std::unique_ptr<Guardian> guardian,
          net::NetlinkSocket events, net::NetlinkSocket asks, Scheduling scheduling);

  void wait();
  void on_signals();
  void on_network();
  void read_links();
  void read_addresses();
  void refresh_links();
  void refresh_link(std::size_t group);
  [[nodiscard]] std::optional<address> local_address(const Group& group, std::uint32_t ifindex);
  [[nodiscard]] std::optional<address> source_towards(const address& peer, std::uint32_t ifindex);
  [[nodiscard]] std::optional<std::uint32_t> home_of(const Group& group, const net::Link& link);
  [[nodiscard]] AdvertSocket* adverts_of(const net::Link& link, bool is_v4);
  [[nodiscard]] FrameSocket* frames_of(const net::Link& link);
  void close_unused_sockets();

  void receive_adverts();
  void take_advert(const AdvertSocket& socket, bool is_v4, const Received& packet);
  void receive_heartbeats();
  void take_heartbeat(const HeartbeatMessage& message);
  void receive_claims();
  void take_claim(std::uint32_t ifindex, const Claim& claim);

  void receive_messages();
  void take_message(Bytes bytes);
  void configure(const Configuration& configuration);
  void follow_tracks();
  void step_down(const StepDownRecord& order);
  void lose_astild();
  void check_proof();
  void leave(Cause cause);

  void on_time();
  [[nodiscard]] std::optional<Time> deadline() const;
  [[nodiscard]] HeartbeatMessage own_heartbeat() const;
  void say_states();
  void report();
  [[nodiscard]] Report make_report() const;
  /// Changes with everything that astild is told at once.
  [[nodiscard]] std::uint64_t mark() const;

  ChannelServer channel_;
  base::Descriptor signals_;
  std::unique_ptr<Guardian> guardian_;
  net::NetlinkSocket events_;
  net::NetlinkSocket asks_;
  AddressKeeper keeper_;
  RouterDevices devices_;
  Scheduling scheduling_;

  Time now_{0};
  Configuration configuration_;
  std::vector<std::unique_ptr<Group>> groups_;  ///< in the order of the configuration, and of the election
  Election election_;
  Heartbeats heartbeats_;
  std::vector<std::size_t> peer_active_;   ///< groups, by the other node's last heartbeat, in order
  std::vector<std::uint8_t> peer_states_;  ///< of each group, as GroupReport::peer_state
  std::map<SocketKey, AdvertSocket> adverts_;
  std::map<std::uint32_t, FrameSocket> frames_;
  net::Links links_;
  std::vector<net::AddressMessage> addresses_;
  EngineRecord engine_;
  std::uint64_t digest_ = 0;

  bool configured_ = false;
  bool leaving_ = false;
  std::optional<Time> astild_gone_;  ///< since
  Time next_report_{0};
  Time next_proof_{0};
  std::uint64_t last_mark_ = 0;
  std::uint32_t sequence_ = 0;
  Time late_{0};
  Time woke_late_{0};                                ///< this time
  std::array<std::uint64_t, kAdvertDrops> drops_{};  ///< of packets that are no group's
  std::vector<pollfd> ready_;
};

}  // namespace astil::ha
