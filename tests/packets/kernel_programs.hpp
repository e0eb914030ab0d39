// The kernel's programs as tests borrow them. The verifier takes longer over one than most tests do with it, so each is
// loaded once in a process for each size of tables, and lent to one test after the other with all of its maps as they
// were when it was loaded.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "dataplane/base/descriptor.hpp"
#include "dataplane/xdp/kernel_object.hpp"

namespace astil::test {

/// One map that the program changes, and its contents.
class KeptMap {
 public:
  static Result<KeptMap> of(std::uint32_t id);
  /// Puts back what was in it; a ring buffer is emptied.
  [[nodiscard]] Result<void> restore() const;

 private:
  enum class Kind { array, ring, fixed };
  [[nodiscard]] Result<void> empty() const;

  base::Descriptor map_;
  Kind kind_ = Kind::fixed;
  std::vector<std::uint32_t> keys_;
  std::vector<std::byte> values_;
};

class KernelProgram {
 public:
  static Result<std::unique_ptr<KernelProgram>> load(std::span<const std::byte> bytes, const char* name,
                                                     const core::Sizes& sizes);

  [[nodiscard]] const xdp::KernelObject& object() const { return object_; }
  [[nodiscard]] const dataplane::Tables& tables() const { return mapped_.tables(); }
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] Result<void> restore_maps() const;

 private:
  KernelProgram(xdp::KernelObject object, xdp::MappedTables mapped, int descriptor)
      : object_(std::move(object)), mapped_(std::move(mapped)), descriptor_(descriptor) {}
  Result<void> keep_maps();

  xdp::KernelObject object_;
  xdp::MappedTables mapped_;
  int descriptor_;
  std::vector<KeptMap> maps_;
};

/// Goes back to where it was borrowed.
struct GiveBack {
  std::span<const std::byte> bytes;
  void operator()(KernelProgram* program) const;
};
using BorrowedProgram = std::unique_ptr<KernelProgram, GiveBack>;

/// The program `name` of the object in `bytes`, over tables of these sizes.
[[nodiscard]] Result<BorrowedProgram> borrow_program(std::span<const std::byte> bytes, const char* name,
                                                     const core::Sizes& sizes);

}  // namespace astil::test
