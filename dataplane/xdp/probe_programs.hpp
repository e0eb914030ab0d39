// The programs that send health probes through the forwarding path (bpf/probe.bpf.cpp), loaded and attached. They are
// no part of the packet path: they go with the daemon, and without them packets flow as they do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>

#include "dataplane/base/result.hpp"
#include "dataplane/core/probe_way.hpp"

struct bpf_object;

namespace astil::xdp {

class ProbePrograms {
 public:
  [[nodiscard]] static Result<ProbePrograms> load(std::span<const std::byte> object, const std::string& instance);
  /// Detaches from every interface.
  ~ProbePrograms();
  ProbePrograms(ProbePrograms&& other) noexcept = default;
  ProbePrograms& operator=(ProbePrograms&&) = delete;

  /// The programs' table, shared with them: kProbePorts records, zeroed.
  [[nodiscard]] std::span<core::ProbeWay> ways() const { return {ways_.get(), core::kProbePorts}; }

  /// At the host's end of the pair of devices, which takes the attachment with it when it goes.
  [[nodiscard]] Result<void> attach_out(std::uint32_t ifindex) const;

  /// What answers probes comes in by these interfaces from now on, and by no others. Attaches where the filter is
  /// missing, so that one which somebody took away is back. The first error, after all have been tried.
  [[nodiscard]] Result<void> follow(const std::set<std::uint32_t>& interfaces);
  /// How often `follow` found an interface without the program that it had.
  [[nodiscard]] std::size_t mended() const { return mended_; }

 private:
  struct Close {
    void operator()(bpf_object* object) const;
  };
  struct Unmap {
    void operator()(core::ProbeWay* ways) const;
  };

  ProbePrograms(std::unique_ptr<bpf_object, Close> object, std::unique_ptr<core::ProbeWay, Unmap> ways,
                const std::string& instance);
  [[nodiscard]] Result<void> attach(std::uint32_t ifindex, const char* program) const;

  std::unique_ptr<bpf_object, Close> object_;
  std::unique_ptr<core::ProbeWay, Unmap> ways_;
  std::uint32_t handle_;
  std::set<std::uint32_t> attached_;
  std::size_t mended_ = 0;
};

/// Takes away what a daemon left that was killed, at whatever interface of this network namespace.
void remove_probe_filters(const std::string& instance);

}  // namespace astil::xdp
