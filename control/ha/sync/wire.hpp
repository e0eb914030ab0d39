// Flow sync on the wire: what two balancers of a pair send each other over UDP. A datagram is an envelope in clear,
// which is authenticated, and a body under XChaCha20-Poly1305: a header and so many records of one kind. All integers
// are in network byte order and at fixed places; ages are relative, backends go by ids that the sender has named
// before, so the two tables may differ in sizes, numbers and clocks. Decision 0023.
//
// The numbers of states, of forwardings and of kinds are part of the version: whoever changes one changes kWireVersion.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/core/address.hpp"
#include "dataplane/core/hash.hpp"

namespace astil::ha::sync {

using core::Be16;
using core::Be32;
using Bytes = std::span<const std::byte>;

/// 64 bits in network byte order.
struct Be64 {
  Be32 high, low;
};
constexpr std::uint64_t host(Be64 value) {
  return (std::uint64_t{core::host(value.high)} << 32U) | core::host(value.low);
}
constexpr Be64 be64(std::uint64_t value) {
  return {core::be32(static_cast<std::uint32_t>(value >> 32U)), core::be32(static_cast<std::uint32_t>(value))};
}

inline constexpr std::uint32_t kMagic = 0x4153594e;  // "ASYN"
inline constexpr std::uint8_t kWireVersion = 1;
/// Fits an Ethernet frame of 1500 bytes over IPv6 (40 and 8 bytes in front).
inline constexpr std::size_t kLongestDatagram = 1432;
inline constexpr std::size_t kCodeBytes = 16;  ///< of Poly1305, behind the body

/// Random, new for each session of each side: with a sequence number behind it, a nonce that never comes again.
using Salt = std::array<std::uint8_t, 16>;

/// In clear in front of each datagram, and authenticated with it.
struct Envelope {
  Be32 magic;
  std::uint8_t version;
  std::uint8_t reserved[3];
  Be32 key_id;
  Salt sender;    ///< of the sender's session
  Salt receiver;  ///< of the receiver's, as the sender has heard it; zeros: it has not
  Be64 sequence;  ///< of the sender's session, from 1
};
static_assert(sizeof(Envelope) == 52);

enum class Kind : std::uint8_t {
  hello = 1,  ///< 1 Hello
  names,      ///< Name
  flows4,     ///< Flow4
  flows6,     ///< Flow6
  ports4,     ///< Port4
  ports6,     ///< Port6
  ack,        ///< 1 Ack
  state,      ///< 1 State
  wants,      ///< Be32: ids of names whose records the sender of this could not use, and now can
};

enum Flags : std::uint8_t {
  kReliable = 1,  ///< an ack is wanted
  kAckNow = 2,    ///< at once
};

struct BodyHeader {
  Kind kind;
  std::uint8_t flags;
  Be16 count;  ///< of records
};
static_assert(sizeof(BodyHeader) == 4);
inline constexpr std::size_t kMostRecordBytes = kLongestDatagram - sizeof(Envelope) - kCodeBytes - sizeof(BodyHeader);

struct Hello {
  Be64 flows;  ///< in the sender's table, when the session's salt was made
  Be64 hash_key[core::kHashKeys];
};
static_assert(sizeof(Hello) == 72);

enum class NameKind : std::uint8_t {
  use = 1,      ///< a service's use of a backend
  port_source,  ///< a source address of full NAT: `backend`, the rest zeros
};

struct Name {
  Be32 id;  ///< of the sender's session; never that of another name
  NameKind kind;
  std::uint8_t protocol;    ///< of the service
  std::uint8_t forwarding;  ///< core::Forwarding
  std::uint8_t reserved;
  core::Address service;
  core::Address backend;
  Be16 service_port;
  Be16 backend_port;
};
static_assert(sizeof(Name) == 44);

/// What is said of a flow beside its client's address.
struct FlowRest {
  Be16 client_port;
  Be16 service_port;
  Be32 use;            ///< id of a Name
  Be16 idle;           ///< ticks of core::kTickSeconds since the last packet
  std::uint8_t state;  ///< core::FlowState
  std::uint8_t reserved;
};
struct Flow4 {
  Be32 client;
  FlowRest rest;
};
static_assert(sizeof(Flow4) == 16);
struct Flow6 {
  core::Address client;
  FlowRest rest;
};
static_assert(sizeof(Flow6) == 28);

/// Under full NAT: who has a port.
struct PortRest {
  Be32 source;  ///< id of a Name
  Be16 port;
  Be16 reserved;
};
struct Port4 {
  Flow4 flow;
  PortRest port;
};
static_assert(sizeof(Port4) == 24);
struct Port6 {
  Flow6 flow;
  PortRest port;
};
static_assert(sizeof(Port6) == 36);

inline constexpr std::size_t kAckBits = 1024;
struct Ack {
  Be64 highest;  ///< sequence number that has come
  std::array<std::uint8_t, kAckBits / 8>
      before;  ///< bit i (from the lowest of the first byte): highest - 1 - i has come
};
static_assert(sizeof(Ack) == 136);

struct State {
  Be64 ring_digest;       ///< 0: not known
  Be32 pending;           ///< entries that are to be sent yet
  Be32 lag_milliseconds;  ///< the receiver has what was here so long ago
  std::uint8_t complete;  ///< 1: all that was there when the session began has been acknowledged
  std::uint8_t reserved[3];
};
static_assert(sizeof(State) == 20);

/// A body that was authentic: its records lie within the datagram.
struct Body {
  Kind kind{};
  std::uint8_t flags = 0;
  std::size_t count = 0;
  Bytes records;
};

/// 0: there is no such kind.
[[nodiscard]] std::size_t record_bytes(Kind kind);
[[nodiscard]] inline std::size_t most_records(Kind kind) { return kMostRecordBytes / record_bytes(kind); }

/// None: shorter than an envelope and a code, or of another protocol or version.
[[nodiscard]] std::optional<Envelope> parse_envelope(Bytes datagram);
/// None: of no known kind, or its records do not fill it.
[[nodiscard]] std::optional<Body> parse_body(Bytes plain);

/// The record at a place below `count`, of the kind's own type.
template <class Record>
[[nodiscard]] Record record_at(const Body& body, std::size_t place) {
  Record record;
  __builtin_memcpy(&record, body.records.data() + place * sizeof(Record), sizeof(Record));
  return record;
}

}  // namespace astil::ha::sync
