// VLAN tags (IEEE 802.1Q, 802.1ad), up to two: taken off for the packet path, put on for what leaves by a VLAN.
#pragma once

#include "dataplane/core/extensions.hpp"

namespace astil::core::detail {

constexpr bool is_vlan(Be16 type) { return type == kEtherTypeVlan || type == kEtherTypeServiceVlan; }

/// What stands behind a tag's type: its TCI (priority 3 bits, drop eligible 1 bit, VLAN id 12 bits), and the next type.
struct ASTIL_WIRE TagTail {
  u16 control;
  Be16 next;
};

/// A frame with two tags; with one, the payload begins at `second`.
struct ASTIL_WIRE TaggedFrame {
  EthernetHeader ethernet;
  TagTail first;
  TagTail second;
};
static_assert(sizeof(TaggedFrame) == sizeof(EthernetHeader) + 2 * kVlanTagBytes);

/// Where a rewritten packet leaves.
struct Exit {
  u32 interface;    ///< ifindex
  u64 destination;  ///< MAC addresses with VLAN tags above them: see tagged()
  u64 source;
};

ASTIL_INLINE Exit without_tags(const Exit& exit) {
  constexpr u64 kMac = 0xffffffffffffULL;
  return {exit.interface, exit.destination & kMac, exit.source & kMac};
}

/// Of an exit without tags.
ASTIL_INLINE void write_addresses(EthernetWords& ethernet, const Exit& exit) {
  store_as<u64>(&ethernet.words[0], exit.destination | (exit.source << 48U));
  store_as<u32>(&ethernet.words[2], static_cast<u32>(exit.source >> 16U));
}

/// The Ethernet header again, with its tags.
template <class Engine>
ASTIL_INLINE bool push_tag_bytes(Engine& engine, const Exit& exit, Be16 type) {
  const u16 outer = tag_above(exit.destination);
  if (!engine.template open_gap<Gap::plain>(outer != 0 ? 2 * kVlanTagBytes : kVlanTagBytes)) return false;
  auto* frame = header_at<TaggedFrame>(engine, 0);
  if (frame == nullptr) return false;
  write_addresses(reinterpret_cast<EthernetWords&>(*frame), without_tags(exit));
  const TagTail inner{.control = tag_above(exit.source), .next = type};
  frame->ethernet.type = outer != 0 ? kEtherTypeServiceVlan : kEtherTypeVlan;
  frame->first = outer != 0 ? TagTail{.control = outer, .next = kEtherTypeVlan} : inner;
  if (outer != 0) frame->second = inner;
  return true;
}

/// How a frame with tags begins.
struct TaggedStart {
  EthernetHeader ethernet;  ///< with the first tag's type
  TagTail first;
  TagTail second;  ///< where there are two
  Be16 type;       ///< of what is tagged
  u32 tags;        ///< 1 or 2; 0: the frame is cut short, or has more
};

/// Into the CPU's row; nullptr: the frame is cut short, or has more than two.
template <class Engine>
ASTIL_INLINE TaggedStart* read_tags(Engine& engine) {
  const auto* frame = header_at<TaggedFrame>(engine, 0);
  CpuRow* row = engine.cpu_row();
  if (frame == nullptr || row == nullptr) return nullptr;
  static_assert(sizeof(TaggedStart) <= sizeof(row->tags));
  auto* start = reinterpret_cast<TaggedStart*>(row->tags);
  *start = {.ethernet = frame->ethernet,
            .first = frame->first,
            .second = frame->second,
            .type = frame->first.next,
            .tags = 1};
  if (!is_vlan(start->type)) return start;
  start->type = frame->second.next;
  start->tags = 2;
  return is_vlan(start->type) ? nullptr : start;
}

template <class Engine>
ASTIL_INLINE bool remove_tags(Engine& engine, const TaggedStart& start) {
  if (!engine.template open_gap<Gap::plain>(-static_cast<i32>(start.tags * kVlanTagBytes))) return false;
  auto* ethernet = header_at<EthernetHeader>(engine, 0);
  if (ethernet == nullptr) return false;
  *ethernet = start.ethernet;
  ethernet->type = start.type;
  return true;
}

/// Puts them back, between the addresses that the frame has now and its payload.
template <class Engine>
ASTIL_INLINE bool restore_tags(Engine& engine, TaggedStart& start) {
  const auto* untagged = header_at<EthernetHeader>(engine, 0);
  if (untagged == nullptr) return false;
  const Be16 type = start.ethernet.type;
  start.ethernet = *untagged;
  start.ethernet.type = type;
  if (!engine.template open_gap<Gap::plain>(static_cast<i32>(start.tags * kVlanTagBytes))) return false;
  auto* ethernet = header_at<EthernetHeader>(engine, 0);
  auto* first = header_at<TagTail>(engine, sizeof(EthernetHeader));
  if (ethernet == nullptr || first == nullptr) return false;
  *ethernet = start.ethernet;
  *first = start.first;
  if (start.tags == 1) return true;
  auto* second = header_at<TagTail>(engine, sizeof(EthernetHeader) + sizeof(TagTail));
  if (second == nullptr) return false;
  *second = start.second;
  return true;
}

}  // namespace astil::core::detail
