#include "control/dns/regions.hpp"

#include <algorithm>
#include <bit>
#include <tuple>

namespace astil::dns {
namespace {

constexpr int kHalf = 64;

Number number_of(std::span<const std::byte> address, bool is_ipv4) {
  Number number;
  const std::size_t size = is_ipv4 ? 4 : 16;
  for (std::size_t i = 0; i < size; ++i) {
    std::uint64_t& half = i < 8 ? number.high : number.low;
    half |= std::to_integer<std::uint64_t>(address[i]) << (56U - 8U * (i % 8));
  }
  return number;
}

/// The last address with these `length` first bits; IPv4 goes on behind its bits as if they were IPv6's.
Number last_of(Number first, unsigned length) {
  const auto ones_behind = [](int bits) { return bits >= kHalf ? 0 : ~std::uint64_t{0} >> bits; };
  first.high |= ones_behind(static_cast<int>(length));
  first.low |= ones_behind(std::max(0, static_cast<int>(length) - kHalf));
  return first;
}

Number before(Number number) {
  if (number.low-- == 0) --number.high;
  return number;
}

/// There is one.
Number after(Number number) {
  if (++number.low == 0) ++number.high;
  return number;
}

constexpr Number kLast{.high = ~std::uint64_t{0}, .low = ~std::uint64_t{0}};

int bits_in_common(const Number& one, const Number& other) {
  const std::uint64_t high = one.high ^ other.high;
  return high != 0 ? std::countl_zero(high) : kHalf + std::countl_zero(one.low ^ other.low);
}

struct Open {
  Number last;
  Region region;
};

}  // namespace

Ranges::Ranges(std::span<const Network> networks) {
  begin({}, kNowhere);
  std::vector<Open> open;  // networks that hold each other, the outermost first
  const auto close = [&] {
    const Number last = open.back().last;
    open.pop_back();
    if (last != kLast) begin(after(last), open.empty() ? kNowhere : open.back().region);
  };
  for (const Network& network : networks) {
    const Number first = number_of(network.address, network.is_ipv4);
    while (!open.empty() && open.back().last < first) close();
    begin(first, network.region);
    open.push_back({.last = last_of(first, network.length), .region = network.region});
  }
  while (!open.empty()) close();
}

/// A range that begins where another does takes its place: nothing was left of that one.
void Ranges::begin(const Number& at, Region region) {
  if (!begins_.empty() && begins_.back() == at) {
    begins_.pop_back();
    regions_.pop_back();
  }
  if (!regions_.empty() && regions_.back() == region) return;
  begins_.push_back(at);
  regions_.push_back(region);
}

/// The scope is by its neighbours: the last address of the range before, the first of the range behind.
Located Ranges::find(const Number& address) const {
  const auto behind = std::upper_bound(begins_.begin(), begins_.end(), address);
  const auto index = static_cast<std::size_t>(behind - begins_.begin()) - 1;
  int in_common = -1;
  if (index > 0) in_common = bits_in_common(address, before(begins_[index]));
  if (behind != begins_.end()) in_common = std::max(in_common, bits_in_common(address, *behind));
  return {.region = regions_[index], .scope = static_cast<std::uint8_t>(in_common + 1)};
}

RegionTable::RegionTable(std::vector<Network> networks) {
  std::stable_sort(networks.begin(), networks.end(), [](const Network& one, const Network& other) {
    return std::tie(other.is_ipv4, one.address, one.length) < std::tie(one.is_ipv4, other.address, other.length);
  });
  const auto first_ipv6 =
      std::find_if_not(networks.begin(), networks.end(), [](const auto& each) { return each.is_ipv4; });
  ipv4_ = Ranges(std::span(networks.begin(), first_ipv6));
  ipv6_ = Ranges(std::span(first_ipv6, networks.end()));
}

Located RegionTable::find(std::span<const std::byte> address, bool is_ipv4) const {
  return (is_ipv4 ? ipv4_ : ipv6_).find(number_of(address, is_ipv4));
}

/// That a table does not know depends on as many bits as that it does.
Located Regions::find(std::span<const std::byte> address, bool is_ipv4) const {
  Located located;
  for (const RegionTable& table : tables_) {
    const Located here = table.find(address, is_ipv4);
    located = {.region = here.region, .scope = std::max(located.scope, here.scope)};
    if (here.region != kNowhere) break;
  }
  return located;
}

}  // namespace astil::dns
