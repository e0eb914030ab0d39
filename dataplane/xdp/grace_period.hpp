// The wait until no packet that is under way can see what was there before.
#pragma once

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/result.hpp"

namespace astil::xdp {

/// XDP programs run under RCU. The kernel promises that an update of a map of maps returns only when no program that
/// was running can still see the old map inside (kernel/bpf/syscall.c, maybe_wait_bpf_programs: a full RCU grace
/// period). So there is one such map, with nothing in it that anybody reads. membarrier(2) would wait as well, but not
/// where the kernel was started with `nohz_full=`, as hosts that forward packets often are.
class GracePeriod {
 public:
  static Result<GracePeriod> make();

  /// Waits for one.
  [[nodiscard]] Result<void> wait() const;

 private:
  base::Descriptor inner_;
  base::Descriptor outer_;
};

}  // namespace astil::xdp
