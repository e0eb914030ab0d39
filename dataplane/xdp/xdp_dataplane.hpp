// The engine of the kernel's hooks, XDP and tc. Programs, links and maps are pinned in one folder per instance, so that
// packets flow on when the daemon is gone; the next daemon adopts what it finds:
//
//   <bpffs>/astil/<instance>/tables-<n>/<table>   one set of tables
//   <bpffs>/astil/<instance>/link-<ifindex>       the attachment of XDP to an interface, which holds the program
//   <bpffs>/astil/<instance>/tc-<ifindex>         the mark of an attachment to tc, whose filter holds the program
//
// Same layout and sizes: the tables are taken over, and the program of this build replaces the one that runs,
// atomically. Other layout or sizes: new tables get the services, rings and flows of the old; the links change over;
// what changed in the old tables meanwhile is carried again. During that time old and new tables choose alike
// (LayoutHeader::ring_only).
#pragma once

#include <bpf/libbpf.h>

#include <chrono>
#include <filesystem>
#include <optional>

#include "dataplane/dataplane.hpp"
#include "dataplane/xdp/attachments.hpp"
#include "dataplane/xdp/capture.hpp"
#include "dataplane/xdp/embedded_program.hpp"
#include "dataplane/xdp/grace_period.hpp"
#include "dataplane/xdp/kernel_object.hpp"
#include "dataplane/xdp/takeover.hpp"

namespace astil::xdp {

struct Options {
  std::string instance;
  core::Sizes sizes;  ///< `cpus` is filled in by `open`
  Program program;
  std::filesystem::path bpffs = "/sys/fs/bpf";
};

using dataplane::Origin;

class XdpDataplane final : public dataplane::Dataplane {
 public:
  /// Mounts the BPF file system where it is missing. Attaches nothing new, but replaces the program where one of ours
  /// runs. All or nothing: after an error, what ran before runs as it did.
  static Result<std::unique_ptr<XdpDataplane>> open(const Options& asked);

  [[nodiscard]] Origin origin() const override { return origin_; }
  [[nodiscard]] const dataplane::Tables& tables() const override { return mapped_.tables(); }
  /// Throws std::runtime_error where the kernel, which could do it at `open`, does not let us wait any more: to go on
  /// would be to write under packets.
  void wait_for_readers() override;
  [[nodiscard]] std::uint32_t tick() const override;
  [[nodiscard]] std::uint32_t fine_tick() const override;
  [[nodiscard]] std::uint64_t source_clock() const override;
  Result<dataplane::Attachment> attach(std::uint32_t ifindex, dataplane::Hook hook) override;
  Result<void> detach(std::uint32_t ifindex) override;
  [[nodiscard]] std::vector<dataplane::Attachment> attachments() const override;
  std::vector<dataplane::Repair> mend() override;
  [[nodiscard]] int event_descriptor() const override;
  void take_events(const dataplane::EventTaker& take) override;
  Result<void> inject(std::uint32_t ifindex, std::span<const std::byte> frame) override;
  /// A capture does not end with the engine: the next `open` puts the plain programs back, whoever runs it. So stop it
  /// before others take over the links.
  Result<void> start_capture(const core::CaptureFilter& filter, const dataplane::CaptureTaker& take) override;
  void change_capture(const core::CaptureFilter& filter) override;
  Result<core::CaptureCounts> stop_capture() override;

  /// Who sends packets can make events as fast as they are taken; the caller has other things to do.
  static constexpr std::size_t kEventsAtOnce = 256;

  /// The plain program, for test runs and benchmarks.
  [[nodiscard]] int program_descriptor() const { return object_.program("astil_xdp"); }

 private:
  XdpDataplane(Options options, GracePeriod grace, KernelObject object, MappedTables mapped);
  static Result<std::unique_ptr<XdpDataplane>> open_or_throw(Options options);
  static Result<std::vector<PinnedTables>> live_tables(const std::filesystem::path& folder);
  static Result<std::unique_ptr<XdpDataplane>> adopt(const Options& options, const PinnedTables& live);
  static Result<std::unique_ptr<XdpDataplane>> make(const Options& options);
  Result<void> replace(const std::vector<PinnedTables>& live);
  Result<std::unique_ptr<Predecessor>> carry_services(const PinnedTables& old);
  Result<void> take_over_links(MovedLinks& moved) const;
  Result<int> tc_program();
  Result<void> listen();
  [[nodiscard]] std::filesystem::path folder() const;

  Options options_;
  GracePeriod grace_;
  KernelObject object_;
  MappedTables mapped_;
  NewPins pins_;                         ///< until packets meet the tables
  std::filesystem::path tables_folder_;  ///< where they are pinned
  std::optional<KernelObject> tc_object_;
  Programs programs_;
  Attachments attachments_;
  std::unique_ptr<ring_buffer, FreeRing> ring_;
  std::unique_ptr<Capture> capture_;  ///< none: the plain programs are attached
  const dataplane::EventTaker* take_ = nullptr;
  std::size_t taken_ = 0;  ///< in this call of `take_events`
  Origin origin_;
};

/// Does a packet path of this instance run, left by an earlier daemon?
bool is_running(const std::string& instance, const std::filesystem::path& bpffs = "/sys/fs/bpf");

/// The addresses of the services that an instance's pinned tables hold; none where there are no tables, or unreadable
/// ones.
std::vector<core::Address> pinned_services(const std::string& instance,
                                           const std::filesystem::path& bpffs = "/sys/fs/bpf");

/// Removes everything that an instance has pinned, with or without a daemon: links first, so that nothing is left
/// attached. Returns the number of links removed. No error where there is nothing.
Result<std::size_t> remove_instance(const std::string& instance, const std::filesystem::path& bpffs = "/sys/fs/bpf");

}  // namespace astil::xdp
