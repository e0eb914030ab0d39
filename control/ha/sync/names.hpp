// What backends and source addresses are called in the tables of both nodes alike: by ends and forwarding, never by
// number.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "control/ha/sync/wire.hpp"
#include "dataplane/tables.hpp"

namespace astil::ha::sync {

/// A name without its id, as bytes that compare: all of what stands behind the id.
using NameKey = std::array<std::uint8_t, sizeof(Name) - sizeof(Be32)>;
struct NameKeyHash {
  std::size_t operator()(const NameKey& key) const;
};
[[nodiscard]] NameKey key_of(const Name& name);

/// What this node's tables call by which number. A copy of what they said when it was read.
class LocalNames {
 public:
  static constexpr std::uint32_t kNone = ~0U;

  /// Reads them all anew.
  void read(const dataplane::Tables& tables);

  /// None: nothing has this number now. Id 0.
  [[nodiscard]] const std::optional<Name>& use(std::uint32_t backend) const { return uses_[backend]; }
  [[nodiscard]] const std::optional<Name>& source(std::uint32_t place) const { return sources_[place]; }
  [[nodiscard]] std::uint32_t uses() const { return static_cast<std::uint32_t>(uses_.size()); }
  /// The number of a backend, or the place of a source address; kNone.
  [[nodiscard]] std::uint32_t number_of(const NameKey& key) const;

 private:
  std::vector<std::optional<Name>> uses_;
  std::array<std::optional<Name>, core::kPortSources> sources_{};
  std::unordered_map<NameKey, std::uint32_t, NameKeyHash> numbers_;
};

/// Of the rings of all services, by the names of what stands in them: equal on both nodes if their rings are.
[[nodiscard]] std::uint64_t ring_digest(const dataplane::Tables& tables);

}  // namespace astil::ha::sync
