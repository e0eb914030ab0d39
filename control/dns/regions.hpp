// Where clients are: tables that lead from an address to a region. Plain values; region_files.hpp reads them.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace astil::dns {

/// What a region's number means is for whoever fills a table to say.
using Region = std::uint16_t;
inline constexpr Region kNowhere = 0xffff;

/// The addresses that begin with the same bits.
struct Network {
  std::array<std::byte, 16> address{};  ///< network byte order; of IPv4 the first four
  bool is_ipv4 = true;
  std::uint8_t length = 0;  ///< in bits: of IPv4 0 to 32, of IPv6 0 to 128
  Region region = kNowhere;
};

/// Where an address is.
struct Located {
  Region region = kNowhere;
  /// Every address that has so many first bits in common with it is in the same region: the scope of RFC 7871. 0 where
  /// the whole of its IP version is.
  std::uint8_t scope = 0;
};

/// An address as a number, which is compared as such.
struct Number {
  std::uint64_t high = 0;
  std::uint64_t low = 0;  ///< of IPv4 0
  auto operator<=>(const Number&) const = default;
};

/// Consecutive ranges of addresses, each with a region: of networks within each other the innermost decides. Neighbours
/// of one region are one range.
class Ranges {
 public:
  /// `networks` are in order (see in_order) and of one IP version.
  explicit Ranges(std::span<const Network> networks = {});
  [[nodiscard]] Located find(const Number& address) const;
  [[nodiscard]] std::size_t size() const { return begins_.size(); }

 private:
  void begin(const Number& at, Region region);

  std::vector<Number> begins_;  ///< rising, from 0 on
  std::vector<Region> regions_;
};

class RegionTable {
 public:
  /// Of two that are the same network the later counts.
  explicit RegionTable(std::vector<Network> networks);
  [[nodiscard]] Located find(std::span<const std::byte> address, bool is_ipv4) const;
  [[nodiscard]] std::size_t ranges() const { return ipv4_.size() + ipv6_.size(); }

 private:
  Ranges ipv4_;
  Ranges ipv6_;
};

/// Tables that are asked one after the other, until one knows.
class Regions {
 public:
  explicit Regions(std::vector<RegionTable> tables) : tables_(std::move(tables)) {}
  /// `address` has 4 or 16 bytes.
  [[nodiscard]] Located find(std::span<const std::byte> address, bool is_ipv4) const;

 private:
  std::vector<RegionTable> tables_;
};

}  // namespace astil::dns
