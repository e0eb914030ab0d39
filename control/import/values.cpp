#include "control/import/values.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <charconv>
#include <string>

namespace astil::import {
namespace {

using config::Scheduler;

constexpr std::array kSchedulers{
    KnownScheduler{"rr", Scheduler::round_robin, false, ""},
    KnownScheduler{"wrr", Scheduler::round_robin, true, ""},
    KnownScheduler{"lc", Scheduler::least_connections, false, ""},
    KnownScheduler{"wlc", Scheduler::least_connections, true, ""},
    KnownScheduler{"sed", Scheduler::least_connections, true, "least-connections is the nearest to it"},
    KnownScheduler{"nq", Scheduler::least_connections, true, "least-connections is the nearest to it"},
    KnownScheduler{"sh", Scheduler::source_hash, true, ""},
    KnownScheduler{"mh", Scheduler::maglev, true, "maglev goes by the client's port as well as by its address"},
    KnownScheduler{"twos", Scheduler::two_choices, true, ""},
};

/// The address that is so many after another; none: beyond the last one.
std::optional<config::address> plus(const config::address& base, std::uint64_t offset) {
  if (base.is_v4()) {
    const std::uint64_t sum = base.to_v4().to_uint() + offset;
    if (sum > 0xffffffffULL) return std::nullopt;
    return boost::asio::ip::address_v4(static_cast<std::uint32_t>(sum));
  }
  auto bytes = base.to_v6().to_bytes();
  for (std::size_t i = bytes.size(); i-- > 0 && offset > 0;) {
    const std::uint64_t sum = bytes[i] + (offset & 0xffU);
    bytes[i] = static_cast<unsigned char>(sum);
    offset = (offset >> 8U) + (sum >> 8U);
  }
  if (offset > 0) return std::nullopt;
  return boost::asio::ip::address_v6(bytes);
}

std::optional<std::vector<config::address>> several(const config::address& first, std::uint64_t count) {
  std::vector<config::address> all;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto next = plus(first, i);
    if (!next) return std::nullopt;
    all.push_back(*next);
  }
  return all;
}

/// The end of a range: an address, or what stands instead of the last part of the first one.
std::optional<config::address> end_of(std::string_view first, std::string_view end) {
  if (const auto whole = address_of(end)) return whole;
  const auto part = first.find_last_of(".:");
  if (part == std::string_view::npos) return std::nullopt;
  return address_of(std::string(first.substr(0, part + 1)).append(end));
}

std::optional<std::vector<config::address>> up_to(const config::address& first, const config::address& last,
                                                  std::size_t most) {
  if (first.is_v4() != last.is_v4() || last < first) return std::nullopt;
  std::vector<config::address> all{first};
  while (all.back() != last) {
    const auto next = plus(all.back(), 1);
    if (!next || all.size() == most) return std::nullopt;
    all.push_back(*next);
  }
  return all;
}

std::optional<std::vector<config::address>> network_of(const config::address& host, std::uint32_t bits,
                                                       std::size_t most) {
  const unsigned width = host.is_v4() ? 32 : 128;
  if (bits > width || width - bits >= 32 || (std::uint64_t{1} << (width - bits)) > most) return std::nullopt;
  if (host.is_v4()) {
    const auto network = boost::asio::ip::make_network_v4(host.to_v4(), static_cast<unsigned short>(bits)).network();
    return several(network, std::uint64_t{1} << (width - bits));
  }
  const auto network = boost::asio::ip::make_network_v6(host.to_v6(), static_cast<unsigned short>(bits)).network();
  return several(network, std::uint64_t{1} << (width - bits));
}

}  // namespace

std::optional<std::uint32_t> number_of(std::string_view word, std::uint32_t most) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size() || value > most) return std::nullopt;
  return value;
}

std::optional<config::Milliseconds> timer_of(std::string_view word) {
  constexpr std::uint32_t kDay = 86'400;
  const auto point = word.find('.');
  const auto seconds = number_of(word.substr(0, point), kDay);
  if (!seconds) return std::nullopt;
  std::int64_t thousandths = 0;
  if (point != std::string_view::npos) {
    const auto decimals = word.substr(point + 1);
    std::int64_t unit = 100;
    for (const char digit : decimals) {
      if (digit < '0' || digit > '9') return std::nullopt;
      thousandths += (digit - '0') * unit;
      unit /= 10;
    }
  }
  return config::Milliseconds(std::int64_t{*seconds} * 1000 + thousandths);
}

std::optional<config::address> address_of(std::string_view word) {
  boost::system::error_code failed;
  const auto host = boost::asio::ip::make_address(word, failed);
  if (failed || (host.is_v6() && host.to_v6().scope_id() != 0)) return std::nullopt;
  return host;
}

std::optional<unsigned> mask_of(std::string_view word, bool ipv4) {
  if (!ipv4) return number_of(word, 128);
  const auto mask = address_of(word);
  if (!mask) return number_of(word, 32);
  if (!mask->is_v4()) return std::nullopt;
  const std::uint32_t bits = mask->to_v4().to_uint();
  const auto length = static_cast<unsigned>(std::countl_one(bits));
  if (std::popcount(bits) != static_cast<int>(length)) return std::nullopt;
  return length;
}

std::optional<std::vector<config::address>> range_of(std::string_view word, std::size_t most) {
  if (const auto single = address_of(word)) return std::vector{*single};
  if (const auto slash = word.find('/'); slash != std::string_view::npos) {
    const auto host = address_of(word.substr(0, slash));
    const auto bits = number_of(word.substr(slash + 1), 128);
    if (!host || !bits) return std::nullopt;
    return network_of(*host, *bits, most);
  }
  const auto dash = word.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = address_of(word.substr(0, dash));
  const auto last = end_of(word.substr(0, dash), word.substr(dash + 1));
  if (!first || !last) return std::nullopt;
  return up_to(*first, *last, most);
}

const KnownScheduler* scheduler_of(std::string_view word) {
  const auto found = std::ranges::find(kSchedulers, word, &KnownScheduler::name);
  return found == kSchedulers.end() ? nullptr : &*found;
}

}  // namespace astil::import
