// Builds the index in which the packet path looks for (address, port, protocol): one cache line a look-up. A seed is
// searched under which no line overflows and no two keys of a line share a tag, so that the packet path needs no
// probing.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/base/result.hpp"
#include "dataplane/core/hash.hpp"
#include "dataplane/tables.hpp"

namespace astil::dataplane {

struct IndexKey {
  core::Address address;
  core::Be16 port;
  std::uint8_t protocol;
  core::IndexKind kind;
  std::uint32_t reference;  ///< service id, or backend number of a reply
};

class ServiceIndex {
 public:
  /// Lines in which any set of that many keys finds room: at most one key a line on average, of the eight that fit.
  [[nodiscard]] static std::uint32_t lines_for(std::size_t keys);

  /// `max_lines`: a power of two. The result depends on the set of keys alone, not on their order.
  static Result<ServiceIndex> build(std::vector<IndexKey> keys, std::uint32_t max_lines);

  /// Is this what generation `generation` of the tables holds?
  [[nodiscard]] bool matches(const Tables& tables, std::uint32_t generation) const;
  void write(const Tables& tables, std::uint32_t generation) const;

  using Filter = std::vector<std::uint8_t>;
  /// What it lists, by place (core::filter_place).
  [[nodiscard]] const Filter& filter() const { return filter_; }
  /// Which of the core::Holds bits that speak of keys are true of it.
  [[nodiscard]] std::uint32_t holds() const { return holds_; }

 private:
  [[nodiscard]] bool fill(const std::vector<IndexKey>& keys, std::uint32_t lines, std::uint32_t seed);

  std::vector<core::IndexLine> lines_;
  core::Generation generation_{};
  Filter filter_ = Filter(core::kFilterPlaces);
  std::uint32_t holds_ = 0;
};

}  // namespace astil::dataplane
