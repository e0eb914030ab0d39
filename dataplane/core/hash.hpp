// The two hashes of the packet path. Flows come from strangers, so their hash is keyed by a secret; the index of
// services holds what the operator wrote, so its hash only has to be quick.
#pragma once

#include "dataplane/core/layout.hpp"

namespace astil::core {

/// A connection as the client sees it: the client's end and the service's. Both addresses are of one version.
struct FlowTuple {
  Address client;
  Address address;
  Be16 client_port;
  Be16 port;
  u8 protocol;
};

/// A flow's two lines lie among so many, which fill a page of memory: looking at the second costs no translation of
/// addresses.
inline constexpr u32 kNeighbours = 32;

/// What a flow's hash decides: its tag, its two lines, its place in a ring.
struct FlowHash {
  u32 tag;  ///< of flows 30 bits, not 0; of affinity kAffinityTag as well
  u32 line;
  u32 other_line;  ///< not `line`, where there is more than one
  u32 ring;        ///< scaled to a ring's length by `ring_slot`
};

constexpr u64 mixed(u64 value) {  // the finaliser of MurmurHash3: every bit depends on every bit
  value ^= value >> 33U;
  value *= 0xff51afd7ed558ccdULL;
  value ^= value >> 33U;
  value *= 0xc4ceb9fe1a85ec53ULL;
  value ^= value >> 33U;
  return value;
}

namespace detail {

constexpr u64 nh(u32 a, u32 b, u64 key_a, u64 key_b) {
  return u64{a + static_cast<u32>(key_a)} * u64{b + static_cast<u32>(key_b)};
}

constexpr u64 spread(u64 value) {
  value = (value ^ (value >> 32U)) * 0xc4ceb9fe1a85ec53ULL;
  return value ^ (value >> 32U);
}

}  // namespace detail

namespace detail {

constexpr u64 digest_of_ends(const FlowTuple& flow, const u64 (&key)[kHashKeys]) {
  const u32 ports = (u32{raw(flow.client_port)} << 16U) | raw(flow.port);
  return nh(ports, flow.protocol, key[2], key[3]) + (key[0] >> 32U);
}

}  // namespace detail

/// Of a flow whose addresses are known to be IPv6.
[[gnu::always_inline]] constexpr u64 wide_flow_digest(const FlowTuple& flow, const u64 (&key)[kHashKeys]) {
  const auto& client = flow.client.words;
  const auto& address = flow.address.words;
  return detail::spread(detail::digest_of_ends(flow, key) + detail::nh(raw(client[0]), raw(client[1]), key[4], key[5]) +
                        detail::nh(raw(client[2]), raw(client[3]), key[6], key[7]) +
                        detail::nh(raw(address[0]), raw(address[1]), key[4] >> 32U, key[5] >> 32U) +
                        detail::nh(raw(address[2]), raw(address[3]), key[6] >> 32U, key[7] >> 32U));
}

/// NH of UMAC (RFC 4418, section 5.2.2) over the tuple, then spread over all bits: without the key, two tuples collide
/// with a chance of 2^-32. Every word has a part of the key of its own.
[[gnu::always_inline]] constexpr u64 flow_digest(const FlowTuple& flow, const u64 (&key)[kHashKeys]) {
  if (!is_ipv4(flow.client)) return wide_flow_digest(flow, key);
  return detail::spread(detail::digest_of_ends(flow, key) +
                        detail::nh(raw(flow.client.words[3]), raw(flow.address.words[3]), key[0], key[1]));
}

/// The highest bit of an entry's tag: an affinity entry has it, a flow never, so that neither is found for the other.
inline constexpr u32 kAffinityTag = 1U << 30U;

/// The second of a flow's lines, by its first and its tag.
[[gnu::always_inline]] constexpr u32 other_line(u32 line, u32 tag, u32 line_mask) {
  const u32 step = ((((tag & (kAffinityTag - 1)) * 0x9e3779b1U) >> 16U) & (kNeighbours - 1)) | 1U;
  return line ^ (step & line_mask);
}

[[gnu::always_inline]] constexpr FlowHash hash_of_digest(u64 digest, u32 line_mask) {
  const u32 low = static_cast<u32>(digest) & 0x7fffffffU;
  const u32 high = static_cast<u32>(digest >> 32U);
  const u32 short_low = low & (kAffinityTag - 1);
  const u32 tag = short_low == 0 ? 1 : short_low;
  const u32 line = high & line_mask;
  return {.tag = tag, .line = line, .other_line = other_line(line, tag, line_mask), .ring = low ^ (high << 11U)};
}

[[gnu::always_inline]] constexpr FlowHash flow_hash(const FlowTuple& flow, const u64 (&key)[kHashKeys], u32 line_mask) {
  return hash_of_digest(flow_digest(flow, key), line_mask);
}

/// Of an affinity entry: `client` is the first bits of a client's address, and its port 0.
[[gnu::always_inline]] constexpr FlowHash affinity_hash(FlowTuple client, const u64 (&key)[kHashKeys], u32 line_mask) {
  FlowHash hash = flow_hash(client, key, line_mask);
  hash.tag |= kAffinityTag;
  return hash;
}

/// An address with all bits behind the first `bits` cleared, 0 to 128. Without a branch: the verifier would follow
/// every way through four words.
[[gnu::always_inline]] constexpr Address first_bits(const Address& address, u32 bits) {
  Address first{};
  for (u32 i = 0; i < 4; ++i) {
    const u32 behind = greater(bits, 32 * i) - 32 * i;  // 0: the word is cleared
    const u32 own = behind ^ ((behind ^ 32U) & (0U - below(32U, behind)));
    const u32 mask = static_cast<u32>(0xffffffff00000000ULL >> own);
    first.words[i] = Be32{raw(address.words[i]) & raw(be32(mask))};
  }
  return first;
}

/// A client's place in a ring, by the first bits of its address alone. (Inlined, as what it calls: the kernel's loader
/// takes no function in a section of its own.)
[[gnu::always_inline]] constexpr u32 client_hash(const Address& client, u32 bits, const u64 (&key)[kHashKeys]) {
  const Address net = first_bits(client, bits);
  const auto& words = net.words;
  return static_cast<u32>(detail::spread(detail::nh(raw(words[0]), raw(words[1]), key[4], key[5]) +
                                         detail::nh(raw(words[2]), raw(words[3]), key[6], key[7])) >>
                          32U);
}

/// Multiply and shift: a slot in [0, length) without a division (Lemire, "Fast random integer generation in an
/// interval").
constexpr u32 ring_slot(u32 hash, u32 length) { return static_cast<u32>((u64{hash} * length) >> 32U); }

enum class IndexKind : u32 {
  service = 0,
  reply = 1,            ///< of a backend under nat
  service_address = 2,  ///< whatever the port and protocol, which are 0 in the key
  reply_address = 3,    ///< likewise
  port_source = 4,      ///< a source address of full NAT, likewise
  full_nat = 5,         ///< of a service under full NAT, beside `service`
  closed_address = 6,   ///< see closed.hpp; its reference is `closed_reference`
};

inline constexpr Be16 kAnyPort{};

namespace detail {

constexpr u64 rest_of_index_key(Be16 port, u8 protocol, IndexKind kind) {
  return (u64{raw(port)} << 16U) | (u64{protocol} << 8U) | static_cast<u32>(kind);
}

}  // namespace detail

/// Of an address that is known to be IPv6.
[[gnu::always_inline]] constexpr u64 wide_index_key(const Address& address, Be16 port, u8 protocol, IndexKind kind) {
  const auto& words = address.words;
  const u64 high = (u64{raw(words[0])} << 32U) | raw(words[1]);
  const u64 low = (u64{raw(words[2])} << 32U) | raw(words[3]);
  return detail::spread(high ^ (low * 0x9e3779b97f4a7c15ULL)) ^ detail::rest_of_index_key(port, protocol, kind);
}

/// (address, port, protocol) as one number. Of IPv6 addresses, many have the same: whoever finds a key compares the
/// record.
[[gnu::always_inline]] constexpr u64 index_key(const Address& address, Be16 port, u8 protocol, IndexKind kind) {
  if (!is_ipv4(address)) return wide_index_key(address, port, protocol, kind);
  return (u64{raw(address.words[3])} << 32U) | detail::rest_of_index_key(port, protocol, kind);
}

/// What stands at the key of a closed address, which has no record to compare: with the key it is all of an IPv4
/// address, and 64 bits of an IPv6 one.
constexpr u32 closed_reference(const Address& address) {
  const auto& words = address.words;
  return raw(words[0]) ^ raw(words[1]) ^ raw(words[2]) ^ raw(words[3]);
}

/// The place of a key in the filter of Settings: the top of a product, which depends on every bit of the key.
constexpr u32 filter_place(u64 key) {
  return static_cast<u32>((key * 0x9e3779b97f4a7c15ULL) >> (64U - kFilterPlaceBits));
}
/// Of an address that is known to be IPv6.
constexpr u32 wide_filter_place(const Address& address) {
  return filter_place((half(address, 0) * 0xff51afd7ed558ccdULL) ^ half(address, 1));
}
constexpr u32 filter_place(const Address& address) {
  return is_ipv4(address) ? filter_place(u64{raw(address.words[3])}) : wide_filter_place(address);
}

/// The place of a key in the service index.
struct IndexHash {
  u32 line;  ///< before the mask
  u32 tag;   ///< not 0
};

constexpr IndexHash index_hash(u64 key, u32 seed) {
  u64 value = (key ^ seed) * 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 32U)) * 0xd6e8feb86659fd93ULL;
  return {.line = static_cast<u32>(value >> 40U), .tag = static_cast<u32>(value >> 8U) | 1U};
}

}  // namespace astil::core
