// A packet path with services, to which single frames are handed: the native engine or the kernel's program, behind one
// face.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "dataplane/census.hpp"
#include "dataplane/core/capture.hpp"
#include "dataplane/core/engine.hpp"
#include "dataplane/core/hash.hpp"
#include "dataplane/core/ports.hpp"
#include "dataplane/publisher.hpp"
#include "tests/packets/packet.hpp"
#include "tests/packets/service.hpp"

namespace astil::test {

/// Where a frame went.
enum class Exit { pass, drop, back_out, other_interface };

/// What packets come in on, seen from outside: which clients a reply can reach.
inline constexpr std::string_view kClient = "192.0.2.10";              ///< on the link outside, its MAC known
inline constexpr std::string_view kSilentClient = "192.0.2.11";        ///< on the link outside, its MAC not known
inline constexpr std::string_view kUnreachableClient = "203.0.113.9";  ///< no route leads there
inline constexpr std::uint32_t kOutsideMtu = 1500;
/// And of IPv6, likewise.
inline constexpr std::string_view kClient6 = "2001:db8:1::10";
inline constexpr std::string_view kSilentClient6 = "2001:db8:1::11";
inline constexpr std::string_view kUnreachableClient6 = "2001:db8:ffff::9";

/// One engine as tests need it: tables, and a way for single frames.
class TestEngine : public dataplane::Dataplane {
 public:
  /// Runs a frame through the packet path; the frame becomes what came out.
  virtual Exit run(Bytes& frame) = 0;
  /// Can it be handed this frame? The kernel's test runs do not take every one that comes by a wire.
  [[nodiscard]] virtual bool takes(const Bytes& /*frame*/) const { return true; }
  /// What the packet path has told of drops since the last call.
  virtual std::vector<core::DropEvent> take_drops() { return {}; }
  /// Says which packets are captured; only the engines of `capturing_engine` do so.
  virtual void capture(const core::CaptureFilter& /*filter*/) {}
  /// What was captured since the last call: records as the packet path made them.
  virtual std::vector<Bytes> take_captured() { return {}; }
  [[nodiscard]] virtual core::CaptureCounts capture_counts() { return {}; }

  void wait_for_readers() override {}  // frames are handed in by the one thread that publishes too
  [[nodiscard]] std::uint32_t tick() const override { return 0; }
  [[nodiscard]] std::uint32_t fine_tick() const override { return 0; }
  [[nodiscard]] std::uint64_t source_clock() const override { return 0; }
  Result<dataplane::Attachment> attach(std::uint32_t ifindex, dataplane::Hook /*hook*/) override {
    return dataplane::Attachment{ifindex, "", ""};
  }
  Result<void> detach(std::uint32_t /*ifindex*/) override { return {}; }
  [[nodiscard]] std::vector<dataplane::Attachment> attachments() const override { return {}; }
  [[nodiscard]] int event_descriptor() const override { return -1; }
  void take_events(const dataplane::EventTaker& /*take*/) override {}
  Result<void> inject(std::uint32_t /*ifindex*/, std::span<const std::byte> /*frame*/) override {
    return Error{"this engine takes frames by calls only", {}};
  }
};

/// Sizes that suit tests; `cpus` is this machine's.
[[nodiscard]] core::Sizes small_sizes();

[[nodiscard]] std::unique_ptr<TestEngine> native_engine(const core::Sizes& sizes);
/// Likewise, one that has no quick way of a flood, or one that counts in `taken` what goes it.
[[nodiscard]] std::unique_ptr<TestEngine> engine_without_flood(const core::Sizes& sizes);
[[nodiscard]] std::unique_ptr<TestEngine> engine_with_flood(const core::Sizes& sizes, std::size_t& taken);
#ifdef ASTIL_DPDK
[[nodiscard]] std::unique_ptr<TestEngine> dpdk_engine(const core::Sizes& sizes);
#endif
/// The routing table of the engines that have no kernel's: it says what the kernel's says in the namespace of
/// kernel_world.cpp, for a datagram of so many bytes.
[[nodiscard]] core::NextHop route_in_tests(const core::Address& to, std::uint32_t length);
/// Error: not permitted here, or not supported by this kernel. Moves the calling thread to a network namespace of its
/// own.
[[nodiscard]] Result<std::unique_ptr<TestEngine>> xdp_engine(const core::Sizes& sizes);
/// Likewise of the tc hook.
[[nodiscard]] Result<std::unique_ptr<TestEngine>> tc_engine(const core::Sizes& sizes);

/// The same two, `tc` or else XDP, in the build that captures.
[[nodiscard]] Result<std::unique_ptr<TestEngine>> capturing_engine(bool tc, const core::Sizes& sizes);

/// What became of one frame. What is sent has no counter of its reason (its backend's has it): that is kSent.
inline constexpr auto kSent = core::Reason::forwarded;

struct Outcome {
  core::Reason reason;
  Exit exit;
  Bytes bytes;
};

/// A frame that came out as it went in.
[[nodiscard]] inline bool passed_untouched(const Outcome& outcome, const Packet& packet) {
  return outcome.exit == Exit::pass && outcome.bytes == packet.bytes();
}

/// A port of full NAT that is in use.
struct Port {
  core::Address source{};
  std::uint16_t number = 0;
  dataplane::FlowRecord record;
};

class World {
 public:
  explicit World(std::unique_ptr<TestEngine> engine) : engine_(std::move(engine)), publisher_(*engine_) {}

  dataplane::Published publish(const std::vector<Service>& services) {
    return publisher_.publish(desired(services)).value();
  }
  Outcome send(const Packet& packet) { return send(packet.bytes()); }
  Outcome send(Bytes frame);

  /// Lets age ticks of 16 s go by, for the flows that are there.
  void let_pass(std::uint32_t ticks);

  [[nodiscard]] const dataplane::Tables& tables() const { return engine_->tables(); }
  [[nodiscard]] dataplane::Publisher& publisher() { return publisher_; }
  [[nodiscard]] TestEngine& engine() { return *engine_; }

  [[nodiscard]] std::uint64_t counted(core::Reason reason) const { return tables().sum_reason(reason); }
  /// The flow of a client's port to a service; none: not known.
  [[nodiscard]] std::optional<core::FlowEntry> flow(std::string_view client, std::uint16_t client_port,
                                                    std::string_view service, std::uint16_t port,
                                                    std::uint8_t protocol = core::kProtocolTcp) const;
  [[nodiscard]] std::vector<Port> ports() const;
  /// The address of the backend with a number, and the number where there is only one service: see Published.
  [[nodiscard]] core::Address backend_address(std::uint32_t number) const {
    return tables().backends()[number].address;
  }

 private:
  std::unique_ptr<TestEngine> engine_;
  dataplane::Publisher publisher_;
};

enum class EngineKind { native, xdp, tc, dpdk };
[[nodiscard]] const char* name_of(EngineKind kind);
#ifdef ASTIL_DPDK
inline const auto kEveryEngine = testing::Values(EngineKind::native, EngineKind::xdp, EngineKind::tc, EngineKind::dpdk);
#else
inline const auto kEveryEngine = testing::Values(EngineKind::native, EngineKind::xdp, EngineKind::tc);
#endif

/// nullptr: there is no kernel engine here.
[[nodiscard]] std::unique_ptr<World> make_world(EngineKind kind);

/// A case that is true of every engine.
class PacketCase : public testing::TestWithParam<EngineKind> {
 protected:
  void SetUp() override;

  [[nodiscard]] World& world() { return *world_; }

 private:
  std::unique_ptr<World> world_;
};

[[nodiscard]] std::string engine_name(const testing::TestParamInfo<EngineKind>& kind);

#define ASTIL_ON_EVERY_ENGINE(Case) INSTANTIATE_TEST_SUITE_P(on, Case, kEveryEngine, engine_name)

}  // namespace astil::test
