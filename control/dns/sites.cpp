#include "control/dns/sites.hpp"

#include <algorithm>
#include <cmath>

namespace astil::dns {
namespace {

// RFC 9460 section 14.3.2. Parameters stand in the order of their numbers.
constexpr unsigned kAlpnKey = 1;
constexpr unsigned kPortKey = 3;
constexpr unsigned kIpv4HintKey = 4;
constexpr unsigned kIpv6HintKey = 6;

void add_parameter(std::string& data, unsigned key, std::string_view value) {
  for (const std::size_t word : {std::size_t{key}, value.size()}) {
    data += static_cast<char>(word >> 8U & 0xffU);
    data += static_cast<char>(word & 0xffU);
  }
  data += value;
}

/// Finaliser of MurmurHash3: every bit of the input changes about half of the result's.
std::uint64_t mixed(std::uint64_t value) {
  value ^= value >> 33U;
  value *= 0xff51afd7ed558ccdULL;
  value ^= value >> 33U;
  value *= 0xc4ceb9fe1a85ec53ULL;
  value ^= value >> 33U;
  return value;
}

/// By what an address counts as one that can be answered.
bool counts(AllDown rule, bool all_down, const AddressState& state) {
  if (!all_down) return state.is_up;
  return rule != AllDown::last_known || state.was_up;
}

/// The sites that can be answered, some of them to be taken out again.
class Candidates {
 public:
  Candidates(const DynamicName& name, const NameState& state, Choice& choice)
      : name_(name), state_(state), choice_(choice) {}

  void add(std::size_t site) { sites_[count_++] = static_cast<std::uint8_t>(site); }
  [[nodiscard]] bool empty() const { return count_ == 0; }

  void keep_first_tier() {
    keep_least([&](std::uint8_t site) { return name_.sites[site].tier; });
  }

  void keep_nearest(Region region) {
    const std::vector<std::uint8_t>& near = name_.near[std::min<std::size_t>(region, name_.near.size() - 1)];
    keep_least([&](std::uint8_t site) { return near[site]; });
  }

  /// Those of weight 0 get nothing while others are there.
  void keep_weighty() {
    const auto has_weight = [&](std::uint8_t site) { return written_weight(site) > 0; };
    if (std::any_of(sites_.begin(), sites_.begin() + static_cast<std::ptrdiff_t>(count_), has_weight)) keep(has_weight);
  }

  void pick_by_weight(Random& random) {
    while (count_ > 0 && choice_.count < name_.at_most) {
      std::uint64_t sum = 0;
      for (std::size_t i = 0; i < count_; ++i) sum += weight(i);
      std::uint64_t drawn = random.below(sum);
      std::size_t i = 0;
      while (drawn >= weight(i)) drawn -= weight(i++);
      take(i);
    }
  }

  /// Weighted rendezvous hashing: when a site goes, only its clients go elsewhere.
  void pick_by_hash(std::uint64_t client) {
    while (count_ > 0 && choice_.count < name_.at_most) {
      std::size_t best = 0;
      double best_score = -1;
      for (std::size_t i = 0; i < count_; ++i) {
        const std::uint64_t seed = name_.sites[sites_[i]].seed;
        const double uniform = (static_cast<double>(mixed(client ^ seed) >> 11U) + 0.5) * 0x1p-53;
        const double score = static_cast<double>(weight(i)) / -std::log(uniform);
        if (score > best_score) {
          best_score = score;
          best = i;
        }
      }
      take(best);
    }
  }

  void pick_in_turn(Random& random) {
    const std::size_t begin = count_ == 0 ? 0 : random.below(count_);
    for (std::size_t i = 0; i < count_ && choice_.count < name_.at_most; ++i)
      choice_.sites[choice_.count++] = sites_[(begin + i) % count_];
  }

 private:
  [[nodiscard]] std::uint32_t written_weight(std::uint8_t site) const {
    return state_[site].weight.value_or(name_.sites[site].weight);
  }
  /// Where all have none, all have the same.
  [[nodiscard]] std::uint64_t weight(std::size_t i) const { return std::max(1U, written_weight(sites_[i])); }

  template <class Holds>
  void keep(const Holds& holds) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      if (holds(sites_[i])) sites_[kept++] = sites_[i];
    }
    count_ = kept;
  }

  template <class Of>
  void keep_least(const Of& of) {
    unsigned least = ~0U;
    for (std::size_t i = 0; i < count_; ++i) least = std::min<unsigned>(least, of(sites_[i]));
    keep([&](std::uint8_t site) { return of(site) == least; });
  }

  void take(std::size_t i) {
    choice_.sites[choice_.count++] = sites_[i];
    std::copy(sites_.begin() + static_cast<std::ptrdiff_t>(i) + 1, sites_.begin() + static_cast<std::ptrdiff_t>(count_),
              sites_.begin() + static_cast<std::ptrdiff_t>(i));
    --count_;
  }

  const DynamicName& name_;
  const NameState& state_;
  Choice& choice_;
  std::array<std::uint8_t, kMostSites> sites_{};
  std::size_t count_ = 0;
};

/// The earliest moment at which the answer could be another, within the name's bounds.
std::uint32_t ttl_of(const DynamicName& name, const NameState& state, Type type) {
  std::uint32_t earliest = UINT32_MAX;
  for (std::size_t s = 0; s < name.sites.size(); ++s) {
    for (std::size_t a = 0; a < name.sites[s].addresses.size(); ++a) {
      if (name.sites[s].addresses[a].type == type) earliest = std::min(earliest, state[s].addresses[a].steady);
    }
  }
  return std::clamp(earliest, name.least_ttl, name.most_ttl);
}

}  // namespace

bool has_type(const std::vector<SiteAddress>& addresses, Type type) {
  return std::any_of(addresses.begin(), addresses.end(), [&](const SiteAddress& each) { return each.type == type; });
}

std::string service_data(const std::vector<std::string>& alpn, std::uint16_t port) {
  std::string data{0, 1, 0};  // priority 1, target "."
  std::string protocols;
  for (const std::string& each : alpn) protocols += static_cast<char>(each.size()) + each;
  if (!protocols.empty()) add_parameter(data, kAlpnKey, protocols);
  if (port != 0)
    add_parameter(data, kPortKey, std::string{static_cast<char>(port >> 8U), static_cast<char>(port & 0xffU)});
  return data;
}

void add_hint(std::string& data, Type type, std::string_view addresses) {
  if (!addresses.empty()) add_parameter(data, type == Type::a ? kIpv4HintKey : kIpv6HintKey, addresses);
}

namespace {

std::uint64_t key_of(std::span<const std::byte> address, bool is_ipv4) {
  std::uint64_t key = is_ipv4 ? 4 : 6;
  for (const std::byte byte : address.first(is_ipv4 ? kClientBitsV4 / 8U : kClientBitsV6 / 8U))
    key = key << 8U | std::to_integer<std::uint64_t>(byte);
  return mixed(key);
}

}  // namespace

Asker asker_of(const DynamicName& name, std::span<const std::byte> address, bool is_ipv4) {
  if (name.policy == Policy::hash)
    return {.key = key_of(address, is_ipv4), .scope = is_ipv4 ? kClientBitsV4 : kClientBitsV6};
  if (name.policy != Policy::nearest) return {};
  const Located located = name.regions->find(address, is_ipv4);
  return {.region = located.region, .scope = located.scope};
}

bool is_answered(const DynamicName& name, const NameState& state, const Choice& choice, std::size_t site,
                 std::size_t address, Type type) {
  return name.sites[site].addresses[address].type == type &&
         counts(name.when_down, choice.all_down, state[site].addresses[address]);
}

Choice choose(const DynamicName& name, const NameState& state, Type type, const Asker& asker, Random& random) {
  Choice choice;
  const bool exists =
      has_type(name.fallback, type) || std::any_of(name.sites.begin(), name.sites.end(),
                                                   [&](const SiteUse& site) { return has_type(site.addresses, type); });
  if (!exists) return choice;
  choice.ttl = ttl_of(name, state, type);
  Candidates candidates(name, state, choice);
  const auto gather = [&] {
    for (std::size_t s = 0; s < name.sites.size(); ++s) {
      const std::size_t count = name.sites[s].addresses.size();
      for (std::size_t a = 0; a < count; ++a) {
        if (!is_answered(name, state, choice, s, a, type)) continue;
        candidates.add(s);
        break;
      }
    }
  };
  gather();
  if (candidates.empty()) {
    choice.all_down = true;
    if (name.when_down == AllDown::server_failure) return choice.kind = Choice::Kind::server_failure, choice;
    if (name.when_down == AllDown::refused) return choice.kind = Choice::Kind::refused, choice;
    if (name.when_down == AllDown::fallback) {
      if (has_type(name.fallback, type)) choice.kind = Choice::Kind::fallback;
      return choice;
    }
    gather();
    if (candidates.empty()) return choice;  // none of that type was ever up: it has no such address now
  }
  choice.kind = Choice::Kind::sites;
  switch (name.policy) {
    case Policy::failover:
      candidates.keep_first_tier();
      candidates.keep_weighty();
      candidates.pick_by_weight(random);
      break;
    case Policy::weighted:
      candidates.keep_weighty();
      candidates.pick_by_weight(random);
      break;
    case Policy::hash:
      candidates.keep_weighty();
      candidates.pick_by_hash(asker.key);
      break;
    case Policy::nearest:
      candidates.keep_nearest(asker.region);
      candidates.keep_weighty();
      candidates.pick_by_weight(random);
      break;
    case Policy::all:
      candidates.pick_in_turn(random);
      break;
  }
  return choice;
}

}  // namespace astil::dns
