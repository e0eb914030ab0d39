// The engine without a kernel: tables in ordinary memory, packets handed in by a call. For tests, fuzzers and
// benchmarks of the packet path's logic.
#pragma once

#include <memory>

#include "dataplane/dataplane.hpp"
#include "dataplane/native/native_engine.hpp"

namespace astil::native {

class NativeDataplane final : public dataplane::Dataplane {
 public:
  explicit NativeDataplane(const core::Sizes& sizes);

  [[nodiscard]] const dataplane::Tables& tables() const override { return tables_; }
  void wait_for_readers() override {}
  [[nodiscard]] std::uint32_t tick() const override { return tick_; }
  [[nodiscard]] std::uint32_t fine_tick() const override { return 0; }
  [[nodiscard]] std::uint64_t source_clock() const override { return source_clock_; }
  Result<dataplane::Attachment> attach(std::uint32_t ifindex, dataplane::Hook hook) override;
  Result<void> detach(std::uint32_t ifindex) override;
  [[nodiscard]] std::vector<dataplane::Attachment> attachments() const override { return attachments_; }
  [[nodiscard]] int event_descriptor() const override { return -1; }
  void take_events(const dataplane::EventTaker& /*take*/) override {}
  Result<void> inject(std::uint32_t /*ifindex*/, std::span<const std::byte> /*frame*/) override {
    return Error{"this engine takes frames by calls only", {}};
  }

  void set_tick(std::uint32_t tick) { tick_ = tick; }
  void set_source_clock(std::uint64_t time) { source_clock_ = time; }

  /// Runs a frame through the packet path; the frame becomes what would be sent.
  core::Verdict run(Frame& frame, std::uint32_t ingress);

  /// How `run` finds the next hop of replies.
  std::function<core::NextHop(const core::Address& to, const core::Address& from, std::uint32_t length)> route;
  /// Hears of dropped packets while Shared::drop_followers is set.
  std::function<void(const core::DropEvent& event)> on_drop;

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::vector<std::unique_ptr<std::byte, Free>> memory_;
  dataplane::Tables tables_;
  std::vector<dataplane::Attachment> attachments_;
  std::uint32_t tick_ = 0;
  std::uint64_t source_clock_ = 0;
};

}  // namespace astil::native
