// The parts of the path, and how they hand a packet on to each other.
#pragma once

#include "dataplane/core/engine.hpp"

namespace astil::core {

/// No reasons: which part of the path (path.hpp) is to say.
inline constexpr Reason kUnusual = Reason::count;
inline constexpr Reason kToService = static_cast<Reason>(static_cast<u32>(Reason::count) + 1);
inline constexpr Reason kReply = static_cast<Reason>(static_cast<u32>(Reason::count) + 2);
inline constexpr Reason kKnownPort = static_cast<Reason>(static_cast<u32>(Reason::count) + 3);
inline constexpr Reason kFullNat = static_cast<Reason>(static_cast<u32>(Reason::count) + 4);
inline constexpr Reason kToPort = static_cast<Reason>(static_cast<u32>(Reason::count) + 5);
inline constexpr Reason kUnusualPort = static_cast<Reason>(static_cast<u32>(Reason::count) + 6);
inline constexpr Reason kAnswer = static_cast<Reason>(static_cast<u32>(Reason::count) + 7);
static_assert(static_cast<u32>(kAnswer) < kMaxReasons);

namespace detail {

/// In CpuRow::steered: no backend is in rotation, and the packet's connection may have one all the same.
inline constexpr u32 kUnsteered = ~0U - 1;
/// Likewise: its backend is down, and it is to be reset.
inline constexpr u32 kToReset = ~0U - 2;

/// A packet that is steered to a backend under full NAT needs a port as well.
template <class Engine>
ASTIL_INLINE Verdict wants_port(Engine& engine, u32 number) {
  CpuRow* row = engine.cpu_row();
  if (row == nullptr) return {.reason = Reason::internal};
  row->steered = number;
  return {.reason = kFullNat};
}

/// One whose port is known, or is to be found (kNoPort of ports.hpp), and which has none of its own.
template <class Engine>
ASTIL_INLINE Reason wants_connection(Engine& engine, u32 port) {
  CpuRow* row = engine.cpu_row();
  if (row == nullptr) return Reason::internal;
  row->steered = port;
  return kUnusualPort;
}

/// One that has no backend, or no more, and whose sender may be told so. `service`: its id, plus 1; `reason`:
/// no_backend or reset.
template <class Engine>
ASTIL_INLINE Verdict wants_answer(Engine& engine, u32 service, Reason reason) {
  CpuRow* row = engine.cpu_row();
  if (row == nullptr) return {.reason = Reason::internal};
  row->steered = (u64{static_cast<u32>(reason)} << 32U) | service;
  return {.reason = kAnswer};
}

}  // namespace detail
}  // namespace astil::core
