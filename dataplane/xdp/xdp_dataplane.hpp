// The engine of the XDP hook. Programs, links and maps are pinned in one folder per instance, so that packets flow on
// when the daemon is gone; the next daemon adopts what it finds:
//
//   <bpffs>/astil/<instance>/tables-<n>/<table>   one set of tables
//   <bpffs>/astil/<instance>/link-<ifindex>       the attachment to an interface, which holds the program
//
// Same layout and sizes: the tables are taken over, and the program of this build replaces the one that runs,
// atomically. Other layout or sizes: new tables get the services, rings and flows of the old; the links change over;
// what changed in the old tables meanwhile is carried again. During that time old and new tables choose alike
// (LayoutHeader::ring_only).
#pragma once

#include <bpf/libbpf.h>

#include <chrono>
#include <filesystem>
#include <map>

#include "dataplane/carry.hpp"
#include "dataplane/dataplane.hpp"
#include "dataplane/xdp/embedded_program.hpp"
#include "dataplane/xdp/kernel_object.hpp"

namespace astil::xdp {

struct Options {
  std::string instance;
  core::Sizes sizes;  ///< `cpus` is filled in by `open`
  Program program;
  std::filesystem::path bpffs = "/sys/fs/bpf";
};

/// How `open` came by its tables.
struct Origin {
  enum class Kind { fresh, adopted, carried };
  Kind kind = Kind::fresh;
  std::vector<dataplane::Carried> carried;  ///< for Kind::carried: from each set of tables that was in use
  std::string why;                          ///< likewise: what differed
};

class XdpDataplane final : public dataplane::Dataplane {
 public:
  /// Mounts the BPF file system where it is missing. Attaches nothing new, but replaces the program where one of ours
  /// runs.
  static Result<std::unique_ptr<XdpDataplane>> open(const Options& asked);

  [[nodiscard]] const Origin& origin() const { return origin_; }
  [[nodiscard]] const dataplane::Tables& tables() const override { return mapped_.tables(); }
  void wait_for_readers() override;
  [[nodiscard]] std::uint32_t tick() const override;
  Result<dataplane::Attachment> attach(std::uint32_t ifindex) override;
  Result<void> detach(std::uint32_t ifindex) override;
  [[nodiscard]] std::vector<dataplane::Attachment> attachments() const override;
  [[nodiscard]] int event_descriptor() const override;
  void take_events(const std::function<void(const core::NeighbourWanted&)>& take) override;

  /// The program, for test runs and benchmarks.
  [[nodiscard]] int program_descriptor() const { return object_.program("astil_xdp"); }

 private:
  struct Link {
    base::Descriptor descriptor;
    std::string hook;
    std::string why;
  };
  /// Tables that were in use before.
  struct Predecessor {
    Predecessor(MappedTables from, const dataplane::Tables& to) : tables(std::move(from)), flows(tables.tables(), to) {}
    MappedTables tables;
    dataplane::FlowCarrier flows;
  };
  struct FreeRing {
    void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
  };

  XdpDataplane(Options options, KernelObject object, MappedTables mapped);
  static Result<std::unique_ptr<XdpDataplane>> adopt(const Options& options, const PinnedTables& live);
  static Result<std::unique_ptr<XdpDataplane>> make(const Options& options, std::uint32_t number);
  Result<void> replace(const std::vector<PinnedTables>& live);
  Result<std::unique_ptr<Predecessor>> carry_services(const PinnedTables& old);
  Result<void> take_over_links();
  Result<void> listen();
  [[nodiscard]] std::filesystem::path folder() const;

  Options options_;
  KernelObject object_;
  MappedTables mapped_;
  std::map<std::uint32_t, Link> links_;  ///< by ifindex
  std::unique_ptr<ring_buffer, FreeRing> ring_;
  std::function<void(const core::NeighbourWanted&)> take_;
  Origin origin_;
};

/// The addresses of the services that an instance's pinned tables hold; none where there are no tables, or unreadable
/// ones.
std::vector<core::Address> pinned_services(const std::string& instance,
                                           const std::filesystem::path& bpffs = "/sys/fs/bpf");

/// Removes everything that an instance has pinned, with or without a daemon: links first, so that nothing is left
/// attached. Returns the number of links removed. No error where there is nothing.
Result<std::size_t> remove_instance(const std::string& instance, const std::filesystem::path& bpffs = "/sys/fs/bpf");

}  // namespace astil::xdp
