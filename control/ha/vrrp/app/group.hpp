// A group of this node: what its virtual router says becomes packets, addresses and announcements, and what comes in is
// checked before the router hears of it (RFC 9568 section 7.1).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>

#include "control/ha/vrrp/announcement.hpp"
#include "control/ha/vrrp/app/address_keeper.hpp"
#include "control/ha/vrrp/app/advert_socket.hpp"
#include "control/ha/vrrp/app/frame_socket.hpp"
#include "control/ha/vrrp/app/router_devices.hpp"
#include "control/ha/vrrp/authentication.hpp"
#include "control/ha/vrrp/election.hpp"
#include "control/ha/vrrp/heartbeat.hpp"
#include "control/ha/vrrp/track_states.hpp"

namespace astil::ha {

/// CLOCK_MONOTONIC.
[[nodiscard]] Time monotonic_now();
/// CLOCK_REALTIME, nanoseconds since 1970: for counters.
[[nodiscard]] std::uint64_t real_now();

class Group final : public Output {
 public:
  /// Both must outlive it.
  Group(AddressKeeper& keeper, RouterDevices& devices) : keeper_(keeper), devices_(devices) {}
  /// Its device goes with it.
  ~Group() override;
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  /// Addresses that come or go do so at once where it is active.
  void configure(const GroupRecord& record, const KeyRing& keys);
  /// Where packets go. `home` is the ifindex that the addresses are put on: the interface's, or its virtual router's
  /// device. The sockets must outlive their use.
  void set_link(const net::Link& link, std::uint32_t home, const address& local, AdvertSocket* adverts,
                FrameSocket* frames);
  void lose_link();

  void take_addresses() override;
  void leave_addresses() override;
  void send_advert(std::uint8_t priority) override;
  void announce() override;

  /// Checks a packet; counts it. None: dropped.
  [[nodiscard]] std::optional<Advert> check(const Received& packet, bool is_owner);

  /// Puts back what somebody has taken away. `there` are the addresses of the interface.
  void repair(const std::set<net::InterfaceAddress>& there);
  /// Removes what an earlier process may have left. Only while it is not active.
  void clean();

  [[nodiscard]] std::optional<Time> deadline() const { return plan_.deadline(); }
  void on_time(Time now);

  [[nodiscard]] const GroupRecord& record() const { return record_; }
  [[nodiscard]] GroupKey key() const;
  [[nodiscard]] bool is_v4() const { return record_.addresses.front().version == 4; }
  [[nodiscard]] bool has(const address& host) const { return addresses_.contains(host); }
  [[nodiscard]] std::uint32_t ifindex() const { return ifindex_; }
  [[nodiscard]] std::uint32_t home() const { return home_; }
  [[nodiscard]] std::uint32_t mark() const { return mark_; }
  [[nodiscard]] bool has_virtual_mac() const { return record_.virtual_mac != 0; }
  /// Whether somebody who says that an address of the group has this MAC address is another station.
  [[nodiscard]] bool is_foreign(const net::MacAddress& mac) const { return has_virtual_mac() || mac != mac_; }
  [[nodiscard]] const address& local() const { return local_; }
  [[nodiscard]] TrackStates& tracks() { return tracks_; }
  /// The counters of the report, and the sender of the last advert.
  void fill(GroupReport& report) const;

 private:
  [[nodiscard]] std::optional<AdvertDrop> check_code(const Received& packet);
  void drop(AdvertDrop reason) { ++counters_.drops[static_cast<std::size_t>(reason)]; }
  [[nodiscard]] bool send_to(const address& destination, Bytes message);
  void put(const address& host);
  void take_away(const address& host);
  [[nodiscard]] std::vector<address> in_order() const;

  AddressKeeper& keeper_;
  RouterDevices& devices_;
  GroupRecord record_;
  std::uint32_t mark_ = 0;  ///< see HeartbeatGroup
  KeyRing keys_;
  std::set<address> addresses_;
  std::set<address> peers_;
  bool active_ = false;
  std::uint32_t ifindex_ = 0;
  std::uint32_t home_ = 0;  ///< 0: not known yet
  net::MacAddress mac_;     ///< that neighbours are told
  address local_;
  AdvertSocket* adverts_ = nullptr;
  FrameSocket* frames_ = nullptr;
  AnnouncementPlan plan_;
  Counter counter_;
  TrackStates tracks_;
  ReplayGuard replays_;
  GroupReport counters_;
};

}  // namespace astil::ha
