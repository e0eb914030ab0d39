// Carrying what one set of tables knows to another, whose sizes may differ. Both must have published the services that
// the flows belong to, and have the same secret.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/carried.hpp"
#include "dataplane/census.hpp"
#include "dataplane/native/native_engine.hpp"

namespace astil::dataplane {

/// Has tables choose as core::LayoutHeader::ring_only says, as long as it lives.
class RingOnly {
 public:
  RingOnly(const Tables& tables, core::RingOnly which) : tables_(tables) { set(tables_, which); }
  RingOnly(const RingOnly&) = delete;
  RingOnly& operator=(const RingOnly&) = delete;
  ~RingOnly() { set(tables_, core::kAlone); }

  static void set(const Tables& tables, core::RingOnly which) {
    __atomic_store_n(&tables.settings().header.ring_only, std::uint32_t{which}, __ATOMIC_RELAXED);
  }

 private:
  Tables tables_;
};

/// Carries flows by key, with backend numbers translated by service and address. It is called twice: before packets
/// meet the new tables and after. A flow that stands in the new tables as the first pass wrote it follows what the old
/// ones have learnt since; one that packets have changed there, or that they brought, stays as it is.
class FlowCarrier {
 public:
  /// Both must outlive it. Takes 8 bytes for each slot of `from`.
  FlowCarrier(const Tables& from, const Tables& to);

  /// One pass over all flows. `tick`: now.
  void carry(std::uint32_t tick);

  [[nodiscard]] const Carried& carried() const { return carried_; }

 private:
  void carry(native::NativeEngine<>& engine, const FlowRecord& record);
  [[nodiscard]] std::uint32_t worth(std::uint64_t entry, std::uint32_t tick) const;

  const Tables& from_;
  const Tables& to_;
  std::vector<std::uint32_t> numbers_;  ///< in `to`, by number in `from`; core::kNoService: none
  std::vector<std::uint64_t> written_;  ///< the entry that the last pass wrote, by slot in `from`; 0: none
  Carried carried_;
};

/// The same for the ports of full NAT. A port stays the same, whichever place its source address has in the new tables;
/// those that new tables give out meanwhile are not among those that the old ones do (LayoutHeader::ring_only).
class PortCarrier {
 public:
  /// Both must outlive it. Takes 8 bytes for each port of `from`.
  PortCarrier(const Tables& from, const Tables& to);

  /// One pass over all ports.
  void carry();

 private:
  void carry(std::size_t line, std::size_t position);

  const Tables& from_;
  const Tables& to_;
  std::vector<std::uint32_t> numbers_;                      ///< as FlowCarrier has them
  std::array<std::uint32_t, core::kPortSources> places_{};  ///< in `to`, by place in `from`; core::kNoSource: none
  std::vector<std::uint64_t> written_;                      ///< likewise, by port
};

/// Carries what services and backends have counted, and the counts of reasons and events, to new tables, so that no
/// metric goes back.
void carry_counters(const Tables& from, const Tables& to);

}  // namespace astil::dataplane
