// What a change to other tables has touched, each in an object that puts it back where the change fails half-way.
#pragma once

#include <filesystem>
#include <utility>
#include <vector>

#include "dataplane/carry.hpp"
#include "dataplane/xdp/attachments.hpp"
#include "dataplane/xdp/kernel_object.hpp"
#include "dataplane/xdp/pins.hpp"

namespace astil::xdp {

using dataplane::RingOnly;

/// Tables that were in use before, and what is carried from them.
struct Predecessor {
  Predecessor(MappedTables from, const dataplane::Tables& to)
      : tables(std::move(from)),
        alike(tables.tables(), core::kOld),
        flows(tables.tables(), to),
        ports(tables.tables(), to) {}

  MappedTables tables;
  RingOnly alike;
  dataplane::FlowCarrier flows;
  dataplane::PortCarrier ports;
};

/// Pins of tables that nobody uses yet. Removes them when it goes, unless they are kept.
class NewPins {
 public:
  NewPins() = default;
  explicit NewPins(std::filesystem::path folder) : folder_(std::move(folder)) {}
  NewPins(NewPins&& other) noexcept : folder_(std::exchange(other.folder_, {})) {}
  NewPins& operator=(NewPins&& other) noexcept {
    std::swap(folder_, other.folder_);
    return *this;
  }
  ~NewPins();

  void keep() { folder_.clear(); }

 private:
  std::filesystem::path folder_;
};

/// Links and filters that have been given another program. Those that are not kept get their old one back; where the
/// kernel refuses that, the new tables stay in use, and so `pins` are kept.
class MovedLinks {
 public:
  MovedLinks(const Programs& programs, std::filesystem::path instance_folder, NewPins& pins)
      : programs_(programs), folder_(std::move(instance_folder)), pins_(pins) {}
  MovedLinks(const MovedLinks&) = delete;
  MovedLinks& operator=(const MovedLinks&) = delete;
  ~MovedLinks();

  Result<void> move(PinnedLink link);
  /// Hands the links over; nothing is put back any more.
  [[nodiscard]] std::vector<PinnedLink> keep() { return std::exchange(moved_, {}); }

 private:
  [[nodiscard]] Result<void> give(const PinnedLink& link, int program) const;

  const Programs& programs_;
  std::filesystem::path folder_;
  NewPins& pins_;
  std::vector<PinnedLink> moved_;
};

}  // namespace astil::xdp
