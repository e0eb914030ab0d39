#include "dataplane/native/native_dataplane.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace astil::native {

void NativeDataplane::Free::operator()(std::byte* memory) const { std::free(memory); }

NativeDataplane::NativeDataplane(const core::Sizes& sizes) {
  tables_.sizes = sizes;
  for (std::size_t i = 0; i < dataplane::kTableCount; ++i) {
    const dataplane::TableSpec& spec = dataplane::kTableSpecs[i];
    const std::size_t bytes =
        (spec.record_bytes * spec.records(sizes) + core::kCacheLine - 1) / core::kCacheLine * core::kCacheLine;
    auto* memory = static_cast<std::byte*>(std::aligned_alloc(core::kCacheLine, bytes));
    if (memory == nullptr) throw std::bad_alloc();
    std::memset(memory, 0, bytes);
    memory_.emplace_back(memory);
    tables_.memory[i] = memory;
  }
  constexpr std::array<std::uint64_t, core::kHashKeys> kKey{
      0x0123456789abcdefULL, 0xfedcba9876543210ULL, 0x0f1e2d3c4b5a6978ULL, 0x8796a5b4c3d2e1f0ULL,
      0x13579bdf02468aceULL, 0xeca86420fdb97531ULL, 0x1032547698badcfeULL, 0xefcdab8967452301ULL};
  dataplane::initialise(tables_, kKey, dataplane::tick_multiplier_for(1000));
}

Result<dataplane::Attachment> NativeDataplane::attach(std::uint32_t ifindex, dataplane::Hook /*hook*/) {
  const auto same = [&](const dataplane::Attachment& attachment) { return attachment.ifindex == ifindex; };
  const auto found = std::find_if(attachments_.begin(), attachments_.end(), same);
  if (found != attachments_.end()) return *found;
  attachments_.push_back({.ifindex = ifindex, .hook = "native", .why = "packets are handed in by calls"});
  return attachments_.back();
}

Result<void> NativeDataplane::detach(std::uint32_t ifindex) {
  std::erase_if(attachments_, [&](const dataplane::Attachment& attachment) { return attachment.ifindex == ifindex; });
  return {};
}

core::Verdict NativeDataplane::run(Frame& frame, std::uint32_t ingress) {
  Surroundings around;
  around.ingress = ingress;
  around.tick = tick_;
  around.source_clock = source_clock_;
  if (route) around.route = route;
  if (on_drop) around.tell_drop = on_drop;
  NativeEngine<> engine(tables_, frame, around);
  return core::run(engine);
}

}  // namespace astil::native
