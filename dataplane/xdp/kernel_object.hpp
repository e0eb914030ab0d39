// One BPF object with our tables: opened from memory, its maps sized or taken over from pins, loaded, mapped.
#pragma once

#include <bpf/libbpf.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/result.hpp"
#include "dataplane/tables.hpp"

namespace astil::xdp {

/// Tables mapped from BPF maps. Unmaps when it goes; the maps live on as long as a program or a pin holds them.
class MappedTables {
 public:
  MappedTables() = default;
  MappedTables(MappedTables&& other) noexcept { *this = std::move(other); }
  MappedTables& operator=(MappedTables&& other) noexcept;
  ~MappedTables();

  /// Maps the maps behind these descriptors, in the order of TableId. A negative one is a table that there is not: its
  /// records read as zeros.
  static Result<MappedTables> map(std::span<const int, dataplane::kTableCount> descriptors, const core::Sizes& sizes);

  [[nodiscard]] const dataplane::Tables& tables() const { return tables_; }

 private:
  void unmap();
  dataplane::Tables tables_;
};

/// The pins of one set of tables. Reading them tells layout and sizes. Another layout may have other tables.
struct PinnedTables {
  std::filesystem::path folder;
  std::vector<std::uint32_t> map_ids;  ///< the kernel's: a program with one in its map list runs over this set
  core::LayoutHeader header{};         ///< zeros where there are no settings
  std::array<base::Descriptor, dataplane::kTableCount> maps;
  std::string missing;  ///< names of tables that have no pin

  /// Error: a pin that is there can not be opened, or is not what its name says.
  static Result<PinnedTables> open(const std::filesystem::path& folder);
  [[nodiscard]] Result<MappedTables> map() const;
};

class KernelObject {
 public:
  /// Opens and loads `program` of the object in `bytes` over new tables of these sizes; `settings` come zeroed.
  static Result<KernelObject> with_new_tables(std::span<const std::byte> bytes, const core::Sizes& sizes);
  /// The same over tables that are there already.
  static Result<KernelObject> with_tables(std::span<const std::byte> bytes, const PinnedTables& pinned);

  /// The same over all maps of another object that have the same names.
  static Result<KernelObject> beside(std::span<const std::byte> bytes, const KernelObject& other);

  /// Pins all tables in a folder, which is made.
  [[nodiscard]] Result<void> pin_tables(const std::filesystem::path& folder) const;
  /// Pins again those that have no pin there any more; their names.
  [[nodiscard]] Result<std::vector<std::string>> mend_pins(const std::filesystem::path& folder) const;
  [[nodiscard]] Result<MappedTables> map(const core::Sizes& sizes) const;
  [[nodiscard]] int program(const char* name) const;
  [[nodiscard]] int map_descriptor(const char* name) const;

 private:
  struct Close {
    void operator()(bpf_object* object) const { bpf_object__close(object); }
  };
  using Object = std::unique_ptr<bpf_object, Close>;
  explicit KernelObject(Object object) : object_(std::move(object)) {}
  static Result<KernelObject> open(std::span<const std::byte> bytes);
  Result<void> load();

  Object object_;
};
}  // namespace astil::xdp
