// A capture: the programs that are attached while it runs, over the tables of the plain ones, and what they give.
#pragma once

#include <bpf/libbpf.h>

#include <memory>
#include <optional>

#include "dataplane/dataplane.hpp"
#include "dataplane/xdp/attachments.hpp"
#include "dataplane/xdp/embedded_program.hpp"
#include "dataplane/xdp/kernel_object.hpp"

namespace astil::xdp {

struct FreeRing {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};

class Capture {
 public:
  /// Loads the program of XDP, which takes the kernel's verifier some tenths of a second. Nothing is attached.
  static Result<std::unique_ptr<Capture>> load(const Program& program, const KernelObject& plain,
                                               dataplane::CaptureTaker take);
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() = default;

  /// Also while packets are captured: one or another may meet a filter that is written in part.
  [[nodiscard]] Result<void> want(const core::CaptureFilter& filter) const;
  /// In force as long as this lives.
  [[nodiscard]] Programs programs();

  /// Readable while there is something to take.
  [[nodiscard]] int descriptor() const { return ring_buffer__epoll_fd(ring_.get()); }
  /// Gives so many packets at most to the taker.
  void take(std::size_t most);
  void take_all() { take(0); }
  [[nodiscard]] Result<core::CaptureCounts> counts() const;

 private:
  Capture(const Program& program, KernelObject object, dataplane::CaptureTaker take);
  Result<int> tc_program();
  static int on_record(void* self, void* record, std::size_t size);

  Program program_;
  KernelObject object_;
  std::optional<KernelObject> tc_object_;
  dataplane::CaptureTaker take_;
  std::unique_ptr<ring_buffer, FreeRing> ring_;
  std::size_t left_ = 0;  ///< to take in this call of `take`; 0: no limit
};

}  // namespace astil::xdp
