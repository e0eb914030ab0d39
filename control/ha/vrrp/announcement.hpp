// How the neighbours learn where an address is now: gratuitous ARP (RFC 9568 section 8.1.2, RFC 5227) and unsolicited
// neighbour advertisements (section 8.2.2, RFC 4861 section 4.4), and when they are sent. Pure.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "control/ha/vrrp/virtual_router.hpp"
#include "control/net/types.hpp"

namespace astil::ha {

/// A whole Ethernet frame, to be sent by the interface whose MAC address it has.
using Frame = std::vector<std::byte>;
[[nodiscard]] Frame gratuitous_arp(const address& host, const net::MacAddress& mac);
[[nodiscard]] Frame unsolicited_advertisement(const address& host, const net::MacAddress& mac);
[[nodiscard]] Frame announcement_of(const address& host, const net::MacAddress& mac);

/// An address that a station says it has: of an ARP packet with a sender, or an unsolicited neighbour advertisement.
struct Claim {
  address host;
  net::MacAddress mac;
};
/// `frame` begins with its Ethernet header. None: it says nothing of the kind.
[[nodiscard]] std::optional<Claim> parse_claim(Bytes frame);

/// When the addresses of a group are announced: at once, after 1 s and 5 s, and at each refresh; never more than a
/// burst at a time, so that neither this node's queue nor a switch's is flooded.
class AnnouncementPlan {
 public:
  static constexpr std::size_t kBurst = 64;
  static constexpr Time kPause = milliseconds(2);
  static constexpr Time kAgain = milliseconds(1000);

  /// `refresh` 0: none.
  void start(Time now, std::size_t addresses, milliseconds refresh);
  void stop() {
    rounds_.clear();
    addresses_ = 0;
  }
  [[nodiscard]] bool is_started() const { return addresses_ != 0; }
  /// Once more, at once, or kAgain after the last time: whoever asks for it may be anybody. Nothing while a round is
  /// under way, or to come by then, or not started.
  void again(Time now);
  [[nodiscard]] std::optional<Time> deadline() const;
  /// The indices of the addresses that are due, a burst at most.
  [[nodiscard]] std::vector<std::size_t> due(Time now);

 private:
  struct Round {
    Time at{0};
    std::size_t next = 0;  ///< address
    bool repeats = false;  ///< by the refresh
  };
  void add(const Round& round);

  std::deque<Round> rounds_;  ///< by time
  std::size_t addresses_ = 0;
  Time refresh_{0};
  Time next_again_{0};
};

}  // namespace astil::ha
