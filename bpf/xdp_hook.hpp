// What the packet path asks of the XDP hook: the frame as it is on the wire, between data and data_end.
#pragma once

#include "bpf/helpers.hpp"
#include "dataplane/core/capture.hpp"
#include "dataplane/core/path.hpp"

namespace astil::bpf {

using namespace astil::core;

using Context = ::xdp_md;

class Hook {
 public:
  static constexpr bool kTagsInFrame = true;
  static constexpr bool kFinishedChecksums = true;

  ASTIL_INLINE explicit Hook(Context* context) : context_(context) {}

  ASTIL_INLINE u8* begin() { return pointer_of(context_->data); }
  ASTIL_INLINE u8* end() { return pointer_of(context_->data_end); }
  ASTIL_INLINE u32 ingress() { return context_->ingress_ifindex; }
  template <Gap>
  ASTIL_INLINE bool open_gap(i32 bytes) {
    return adjust_head(context_, -bytes) == 0;
  }
  ASTIL_INLINE bool trim(u32 bytes) {
    return adjust_tail(context_, static_cast<int>(bytes) - static_cast<int>(frame_bytes())) == 0;
  }
  ASTIL_INLINE bool pull(u32 /*bytes*/) { return true; }
  ASTIL_INLINE u32 segment_bytes() { return 0; }
  ASTIL_INLINE bool push_tags(const detail::Exit& exit, Be16 type) { return detail::push_tag_bytes(*this, exit, type); }
  ASTIL_INLINE void correct_transport(ChecksumField* field, ChecksumDifference pseudo_header, ChecksumDifference rest,
                                      u8 protocol) {
    correct_in_place(*field, pseudo_header + rest, protocol);
  }

  /// What goes over the wire.
  ASTIL_INLINE u32 wire_bytes() { return frame_bytes(); }
  /// Copies the frame's first bytes, `room` or kMaxSnap at most. Gives how many; 0: it can not be read.
  ASTIL_INLINE u32 copy_frame(u8* to, u32 room) {
    const u32 all = frame_bytes();
    const u32 bytes = at_most(at_most(all, room), kMaxSnap);
    return bytes != 0 && load_frame(to, bytes) ? bytes : 0;
  }

 protected:
  ASTIL_INLINE u32 frame_bytes() { return static_cast<u32>(buffer_length(context_)); }
  ASTIL_INLINE bool load_frame(void* to, u32 bytes) { return load_bytes(context_, 0, to, bytes) == 0; }

  Context* context_;
};

/// The verdict in XDP's terms.
ASTIL_INLINE int act(const Verdict& verdict, Context* context) {
  if (verdict.interface != 0) {
    if (verdict.interface == context->ingress_ifindex) return XDP_TX;
    return static_cast<int>(redirect(verdict.interface, 0));
  }
  return verdict.reason >= kFirstHold ? XDP_DROP : XDP_PASS;
}

}  // namespace astil::bpf
