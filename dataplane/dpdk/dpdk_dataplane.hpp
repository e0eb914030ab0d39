// The engine outside the kernel, as the control plane drives it: tables in shared memory, and a plan that the process
// astil-dpdk follows (dataplane/dpdk/share.hpp). It needs nothing of DPDK, and no astil-dpdk to be there: what is
// published is done when one is.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/dataplane.hpp"
#include "dataplane/dpdk/capture.hpp"
#include "dataplane/dpdk/drive.hpp"
#include "dataplane/dpdk/events.hpp"
#include "dataplane/dpdk/share.hpp"
#include "dataplane/shared_tables.hpp"

namespace astil::dpdk {

struct Options {
  std::string instance;
  core::Sizes sizes;  ///< `cpus` is filled in by `open`
  Drive drive;
};

class DpdkDataplane final : public dataplane::Dataplane {
 public:
  /// Takes over the tables that stand there, or makes new ones: with other sizes, of what they hold.
  static Result<std::unique_ptr<DpdkDataplane>> open(Options options);

  [[nodiscard]] dataplane::Origin origin() const override { return origin_; }
  [[nodiscard]] const dataplane::Tables& tables() const override { return tables_->tables(); }
  /// Throws std::runtime_error where a worker that runs stands still: to go on would be to write under packets.
  void wait_for_readers() override;
  Result<void> check_readers() override;
  [[nodiscard]] std::uint32_t tick() const override;
  [[nodiscard]] std::uint32_t fine_tick() const override;
  [[nodiscard]] std::uint64_t source_clock() const override;
  /// The interface has to be among Drive::devices.
  Result<dataplane::Attachment> attach(std::uint32_t ifindex, dataplane::Hook hook) override;
  Result<void> detach(std::uint32_t ifindex) override;
  [[nodiscard]] std::vector<dataplane::Attachment> attachments() const override;
  /// Looks whether workers come round, besides.
  std::vector<dataplane::Repair> mend() override;
  [[nodiscard]] int event_descriptor() const override { return events_.get(); }
  void take_events(const dataplane::EventTaker& take) override;
  Result<void> inject(std::uint32_t ifindex, std::span<const std::byte> frame) override;
  [[nodiscard]] std::optional<dataplane::PortReport> port_report() const override;
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> forwarding_since() const override;
  [[nodiscard]] bool is_dead() const override;
  /// Waits until every worker that runs captures, or does no more.
  Result<void> start_capture(const core::CaptureFilter& filter, const dataplane::CaptureTaker& take) override;
  void change_capture(const core::CaptureFilter& filter) override;
  Result<core::CaptureCounts> stop_capture() override;

  [[nodiscard]] bool has_device(std::uint32_t ifindex) const;
  /// Puts up the fences of all devices, before they are attached: the kernel gets none of their frames any more.
  Result<void> raise_fences();
  /// What is planned stays as it is, whatever the options were.
  void keep_drive();
  /// Gives up all ports, and waits until astil-dpdk has; the kernel still gets no frames.
  Result<void> release();

 private:
  static Result<std::unique_ptr<DpdkDataplane>> open_or_throw(Options options);
  explicit DpdkDataplane(Options options, MappedShare share) : options_(std::move(options)), share_(std::move(share)) {}
  Result<void> open_tables();
  Result<void> carry_tables(dataplane::SharedTables from, const std::string& why);
  Result<dataplane::SharedTables> make_tables(std::uint32_t number);
  void switch_to_tables(std::uint32_t number);
  void write(Plan plan);
  Result<void> release_to(const Plan& plan, const Plan& before);
  void wake();
  void take_message(std::span<const std::byte> message, const dataplane::EventTaker& take) const;
  void rest_or_ring();
  bool have_workers_capture(std::uint32_t number);
  [[nodiscard]] Plan driven(Plan plan) const;
  [[nodiscard]] std::optional<std::uint32_t> standing_still() const;

  Options options_;
  MappedShare share_;
  std::optional<dataplane::SharedTables> tables_;
  base::Descriptor events_;
  base::Descriptor sender_;
  dataplane::Origin origin_;
  std::optional<Capture> capture_;  ///< the one that runs
  /// What was seen last of a worker's rounds, and when they had gone on.
  struct Pulse {
    std::uint64_t polls = 0;
    std::chrono::steady_clock::time_point since;
  };
  std::vector<Pulse> pulses_;  ///< of the workers that run
  std::chrono::steady_clock::time_point looked_;
};

}  // namespace astil::dpdk
