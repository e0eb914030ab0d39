// Names whose addresses are chosen for each query: the sites that a name has, what is known of each, and the policy
// that picks among them. Plain values and one function; no clock, no sockets.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/dns/protocol.hpp"
#include "control/dns/regions.hpp"

namespace astil::dns {

enum class Policy {
  failover,  ///< the sites of the first tier that has one; among several by weight
  weighted,  ///< by weight
  hash,      ///< by weight, and the same client keeps its site
  nearest,   ///< those that are nearest to where the client is; among several by weight
  all,       ///< every one, beginning anywhere
};

/// What is answered while no site is up.
enum class AllDown {
  fail_open,       ///< as if all were up
  last_known,      ///< as it was when the last was up
  fallback,        ///< other addresses
  server_failure,  ///< SERVFAIL: the client asks the zone's other servers
  refused,
};

/// Sites of a name, at most; and addresses of each.
inline constexpr std::size_t kMostSites = 64;
inline constexpr std::size_t kMostSiteAddresses = 16;

struct SiteAddress {
  Type type = Type::a;  ///< A or AAAA
  std::string data;     ///< 4 or 16 bytes, network byte order
};

/// Whether one of them is of that type.
[[nodiscard]] bool has_type(const std::vector<SiteAddress>& addresses, Type type);

struct SiteUse {
  std::string site;
  unsigned tier = 1;
  unsigned weight = 1;                 ///< 0: never, while others are there
  std::vector<SiteAddress> addresses;  ///< at least one
  std::uint64_t seed = 0;              ///< of `hash`: told by the site's name, the same at every server
  /// Answers that named it. Shared by the workers and by every snapshot that has the use.
  std::shared_ptr<std::atomic<std::uint64_t>> answers;
};

struct DynamicName {
  std::string name;  ///< in text
  Policy policy = Policy::failover;
  unsigned at_most = 1;  ///< sites in an answer
  std::uint32_t least_ttl = 5;
  std::uint32_t most_ttl = 60;
  AllDown when_down = AllDown::fail_open;
  std::vector<SiteAddress> fallback;
  std::string https;  ///< data of the HTTPS record up to its address hints (see service_data); empty: there is none
  std::string svcb;   ///< likewise of the SVCB record
  std::vector<SiteUse> sites;              ///< at least one
  std::shared_ptr<const Regions> regions;  ///< with `nearest`
  std::vector<std::vector<std::uint8_t>>
      near;  ///< likewise: by region and site, less is nearer; the last is of kNowhere
};

/// What the name has of such a record, HTTPS or SVCB.
[[nodiscard]] inline const std::string& service_of(const DynamicName& name, Type type) {
  return type == Type::https ? name.https : name.svcb;
}

/// What is known of an address.
struct AddressState {
  bool is_up = true;
  bool was_up = true;  ///< when some address of the name's last was
  /// Seconds until it can be other, at the earliest; by what its checks have seen in a row. UINT32_MAX: it can not.
  std::uint32_t steady = UINT32_MAX;
  bool operator==(const AddressState&) const = default;
};
/// What is known of a site.
struct SiteState {
  std::vector<AddressState> addresses;                 ///< as SiteUse::addresses
  std::optional<std::uint32_t> weight = std::nullopt;  ///< in place of SiteUse::weight, 0 to kMostWeight: by its load
  bool operator==(const SiteState&) const = default;
};
inline constexpr std::uint32_t kMostWeight = 1'000'000;
/// As DynamicName::sites.
using NameState = std::vector<SiteState>;

inline constexpr std::uint8_t kClientBitsV4 = 24;
inline constexpr std::uint8_t kClientBitsV6 = 56;

/// Who is answered, as far as the policy goes by that.
struct Asker {
  std::uint64_t key = 0;  ///< of `hash`: clients of an IPv4 /24 or an IPv6 /56 are one, since resolvers come in numbers
  Region region = kNowhere;  ///< of `nearest`
  std::uint8_t scope = 0;    ///< bits of the address on which this depends
};

/// `address` has 4 or 16 bytes.
[[nodiscard]] Asker asker_of(const DynamicName& name, std::span<const std::byte> address, bool is_ipv4);

/// Xorshift64*; good enough to spread, no secret.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed | 1U) {}
  std::uint64_t next() {
    state_ ^= state_ >> 12U;
    state_ ^= state_ << 25U;
    state_ ^= state_ >> 27U;
    return state_ * 0x2545f4914f6cdd1dULL;
  }
  /// Uniform in [0, bound); the bound is below 2^32.
  std::uint64_t below(std::uint64_t bound) { return (next() >> 32U) * bound >> 32U; }

 private:
  std::uint64_t state_;
};

struct Choice {
  enum class Kind {
    sites,     ///< addresses of those in `sites`
    fallback,  ///< DynamicName::fallback
    no_data,   ///< the name has no address of that type
    server_failure,
    refused,
  };
  Kind kind = Kind::no_data;
  std::array<std::uint8_t, kMostSites> sites{};
  std::size_t count = 0;
  std::uint32_t ttl = 0;
  bool all_down = false;  ///< the rule for that decided
};

/// The begin of an HTTPS or SVCB record's data for this very name: priority, target, and the parameters in front of the
/// hints (RFC 9460 section 2.2). `port` 0: none is told.
[[nodiscard]] std::string service_data(const std::vector<std::string>& alpn, std::uint16_t port);
/// Adds a parameter with these addresses, where there are some: ipv4hint or ipv6hint.
void add_hint(std::string& data, Type type, std::string_view addresses);

/// `type` is A or AAAA.
[[nodiscard]] Choice choose(const DynamicName& name, const NameState& state, Type type, const Asker& asker,
                            Random& random);

/// Whether the choice has this address: of a site that is up in part, only what is up.
[[nodiscard]] bool is_answered(const DynamicName& name, const NameState& state, const Choice& choice, std::size_t site,
                               std::size_t address, Type type);

}  // namespace astil::dns
