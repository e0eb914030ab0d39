// The tables in a file that is mapped, for engines outside the kernel: whoever opens the file sees the same records,
// and they stay when every process that had them is gone. The file belongs on a tmpfs.
//
// The settings stand first, so that any build can read what layout and sizes a file has (LayoutHeader). A file comes
// under its name when it is complete. Whoever opens it is trusted: only its owner may.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "dataplane/base/result.hpp"
#include "dataplane/tables.hpp"

namespace astil::dataplane {

class SharedTables {
 public:
  /// New, empty tables under a name, in the place of any that have it. The arguments are as for `initialise`. Error:
  /// the file can not be made, or there is not enough room for it.
  static Result<SharedTables> make(const std::filesystem::path& file, const core::Sizes& sizes,
                                   std::span<const std::uint64_t, core::kHashKeys> hash_key,
                                   std::uint32_t tick_multiplier);

  /// Those that stand there. Error: there are none, or they are of another layout version, or cut short.
  static Result<SharedTables> open(const std::filesystem::path& file);

  SharedTables(SharedTables&& other) noexcept;
  SharedTables& operator=(SharedTables&& other) noexcept;
  ~SharedTables();

  /// Good as long as this lives.
  [[nodiscard]] const Tables& tables() const { return tables_; }

 private:
  SharedTables(std::byte* memory, const core::Sizes& sizes);

  std::byte* memory_ = nullptr;
  std::size_t bytes_ = 0;
  Tables tables_;
};

}  // namespace astil::dataplane
