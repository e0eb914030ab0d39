// What the packet path asks of the tc hook (clsact, ingress): a packet of the kernel's. Only its beginning may lie
// between data and data_end; it may be larger than what goes over the wire (GSO); the checksum of TCP or UDP may be
// left to the device (CHECKSUM_PARTIAL: the field holds the sum of the pseudo header); VLAN tags stand beside it.
#pragma once

#include <linux/pkt_cls.h>

#include "bpf/helpers.hpp"
#include "dataplane/core/capture.hpp"
#include "dataplane/core/path.hpp"

namespace astil::bpf {

using namespace astil::core;

using Context = ::__sk_buff;

class Hook {
 public:
  static constexpr bool kTagsInFrame = false;
  static constexpr bool kFinishedChecksums = false;

  ASTIL_INLINE explicit Hook(Context* context) : context_(context) {}

  // Of a context whose fields the compiler does not know to be neighbours: it would keep pointers to them, which the
  // verifier does not take.
  ASTIL_INLINE u8* begin() { return pointer_of(as_one_pointer(context_)->data); }
  ASTIL_INLINE u8* end() { return pointer_of(context_->data_end); }
  ASTIL_INLINE u32 ingress() { return context_->ifindex; }

  /// What is opened stands behind the Ethernet header, and the kernel learns what it is for, or it could not cut a
  /// large packet into segments behind it. Their size stays: who sends too long ones is told (too_big.hpp).
  template <Gap kGap>
  ASTIL_INLINE bool open_gap(i32 bytes) {
    constexpr u64 kOuter = kGap == Gap::plain                                       ? 0
                           : kGap == Gap::outer_ipv4 || kGap == Gap::outer_ipv4_udp ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4
                                                                                    : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
    constexpr u64 kUdp = kGap == Gap::outer_ipv4_udp || kGap == Gap::outer_ipv6_udp ? BPF_F_ADJ_ROOM_ENCAP_L4_UDP : 0;
    return adjust_room(context_, bytes, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO | kOuter | kUdp) == 0;
  }

  ASTIL_INLINE bool trim(u32 bytes) { return change_tail(context_, bytes) == 0; }
  ASTIL_INLINE bool pull(u32 bytes) {
    const u32 all = context_->len;
    return pull_data(context_, bytes < all ? bytes : all) == 0;
  }
  ASTIL_INLINE u32 segment_bytes() { return context_->gso_size; }

  /// The inner one first: it is moved into the packet when the outer one comes.
  ASTIL_INLINE bool push_tags(const detail::Exit& exit, Be16 /*type*/) {
    const u16 outer = tag_above(exit.destination);
    if (push_vlan(context_, raw(kEtherTypeVlan), host(Be16{tag_above(exit.source)})) != 0) return false;
    return outer == 0 || push_vlan(context_, raw(kEtherTypeServiceVlan), host(Be16{outer})) == 0;
  }

  ASTIL_INLINE void correct_transport(ChecksumField* field, ChecksumDifference pseudo_header, ChecksumDifference rest,
                                      u8 protocol) {
    const u32 offset = static_cast<u32>(reinterpret_cast<u8*>(field) - begin());
    const u64 stays_none = protocol == kProtocolUdp ? BPF_F_MARK_MANGLED_0 : 0;
    replace_checksum(context_, offset, 0, pseudo_header, BPF_F_PSEUDO_HDR | stays_none);
    replace_checksum(context_, offset, 0, rest, stays_none);
  }

  /// One that is left to the device holds nothing but the pseudo header's sum, which no other change touches.
  ASTIL_INLINE bool is_left_to_device(u32 offset) {
    u16 before = 0;
    u16 after = 0;
    if (load_bytes(context_, offset, &before, sizeof(before)) != 0) return false;
    if (replace_checksum(context_, offset, 0, 1, 0) != 0) return false;
    if (load_bytes(context_, offset, &after, sizeof(after)) != 0 || before == after) return before == after;
    auto* const field = header_at<ChecksumField>(*this, offset);
    if (field != nullptr) field->value = before;
    return false;
  }

  /// So many of the frame's bytes as the path may look at, but for what an error quotes.
  static constexpr u32 kLookedAt = 256;

  ASTIL_INLINE void prepare() {
    const u32 all = context_->len;
    const u32 wanted = all < kLookedAt ? all : kLookedAt;
    if (begin() + wanted > end()) pull_data(context_, wanted);
  }

  /// What goes over the wire, the tag beside the packet included; of a packet that stands for several, of all of them.
  ASTIL_INLINE u32 wire_bytes() { return frame_bytes() + (context_->vlan_present != 0 ? kVlanTagBytes : 0); }
  /// Copies the frame's first bytes, `room` or kMaxSnap at most, with the tag where it is on the wire. Gives how many;
  /// 0: it can not be read. `room` is kMinSnap at the least.
  ASTIL_INLINE u32 copy_frame(u8* to, u32 room) {
    constexpr u32 kAddresses = offsetof(EthernetHeader, type);
    if (context_->vlan_present == 0) {
      const u32 bytes = at_most(at_most(frame_bytes(), room), kMaxSnap);
      return bytes != 0 && load_frame(to, bytes) ? bytes : 0;
    }
    const u32 rest = at_most(at_most(frame_bytes() - kAddresses, room - kAddresses - kVlanTagBytes),
                             kMaxSnap - kAddresses - kVlanTagBytes);
    if (rest == 0 || !load_frame(to, kAddresses)) return 0;
    *reinterpret_cast<u16*>(to + kAddresses) = static_cast<u16>(context_->vlan_proto);
    *reinterpret_cast<Be16*>(to + kAddresses + sizeof(u16)) = be16(static_cast<u16>(context_->vlan_tci));
    if (load_bytes(context_, kAddresses, to + kAddresses + kVlanTagBytes, rest) != 0) return 0;
    return kAddresses + kVlanTagBytes + rest;
  }

 protected:
  ASTIL_INLINE u32 frame_bytes() { return context_->len; }
  ASTIL_INLINE bool load_frame(void* to, u32 bytes) { return load_bytes(context_, 0, to, bytes) == 0; }

  Context* context_;
};

/// Tags that a packet came with, beside it or in it, the outer one first.
struct Tags {
  u32 types[2];  ///< EtherType in raw order; 0: no tag
  u32 controls[2];
};

ASTIL_INLINE void take_off(Context* context, u32& type, u32& control) {
  type = 0;
  if (context->vlan_present == 0) return;
  type = context->vlan_proto;
  control = context->vlan_tci;
  pop_vlan(context);  // a tag that stands in the packet takes its place
}

ASTIL_INLINE bool put_back(Context* context, u32 type, u32 control) {
  return type == 0 || push_vlan(context, static_cast<u16>(type), static_cast<u16>(control)) == 0;
}

/// Takes both tags off, into the CPU's row; nullptr: there is none.
template <class Engine>
ASTIL_INLINE Tags* take_off_tags(Engine& engine, Context* context) {
  CpuRow* row = context->vlan_present == 0 ? nullptr : engine.cpu_row();
  if (row == nullptr) return nullptr;
  static_assert(sizeof(Tags) <= sizeof(row->tags));
  auto* tags = reinterpret_cast<Tags*>(row->tags);
  take_off(context, tags->types[0], tags->controls[0]);
  take_off(context, tags->types[1], tags->controls[1]);
  return tags;
}

/// Takes the packet, without its tags, through the path. One with more than two is not for it.
template <class Engine>
ASTIL_INLINE Verdict run_untagged(Engine& engine, Context* context) {
  const Tags* tags = take_off_tags(engine, context);
  engine.prepare();
  const bool more = context->vlan_present != 0;
  const Verdict verdict = more ? finish(engine, {.reason = Reason::not_ip}) : run(engine);
  if (tags == nullptr || !keeps_tags(verdict.reason)) return verdict;
  if (put_back(context, tags->types[1], tags->controls[1]) && put_back(context, tags->types[0], tags->controls[0]))
    return verdict;
  return finish(engine, {.reason = Reason::no_headroom});
}

/// The verdict in tc's terms. What passes may meet further filters.
ASTIL_INLINE int act(const Verdict& verdict) {
  if (verdict.interface != 0) return static_cast<int>(redirect(verdict.interface, 0));
  return verdict.reason >= kFirstHold ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

}  // namespace astil::bpf
