#include "dataplane/shared_tables.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "dataplane/base/descriptor.hpp"

namespace astil::dataplane {
namespace {

constexpr std::size_t kPage = 4096;

/// Where each table begins, and behind the last one the length of the file.
std::array<std::size_t, kTableCount + 1> places(const core::Sizes& sizes) {
  std::array<std::size_t, kTableCount + 1> at{};
  for (std::size_t i = 0; i < kTableCount; ++i) {
    const std::size_t bytes = kTableSpecs[i].record_bytes * kTableSpecs[i].records(sizes);
    at[i + 1] = at[i] + (bytes + kPage - 1) / kPage * kPage;
  }
  return at;
}

Result<std::byte*> map(int file, std::size_t bytes, const std::string& name) {
  // Whoever meets a page first would wait for it: a worker has no time for that.
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
  if (memory == MAP_FAILED) return system_error("map " + name, errno);
  return static_cast<std::byte*>(memory);
}

}  // namespace

SharedTables::SharedTables(std::byte* memory, const core::Sizes& sizes) : memory_(memory) {
  const auto at = places(sizes);
  bytes_ = at.back();
  tables_.sizes = sizes;
  for (std::size_t i = 0; i < kTableCount; ++i) tables_.memory[i] = memory + at[i];
}

SharedTables::SharedTables(SharedTables&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_), tables_(other.tables_) {}

SharedTables& SharedTables::operator=(SharedTables&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(bytes_, other.bytes_);
  std::swap(tables_, other.tables_);
  return *this;
}

SharedTables::~SharedTables() {
  if (memory_ != nullptr) ::munmap(memory_, bytes_);
}

Result<SharedTables> SharedTables::make(const std::filesystem::path& file, const core::Sizes& sizes,
                                        std::span<const std::uint64_t, core::kHashKeys> hash_key,
                                        std::uint32_t tick_multiplier) {
  const std::string unfinished = file.string() + ".new";
  ::unlink(unfinished.c_str());  // of a maker that was killed
  const base::Descriptor made(::open(unfinished.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!made.valid()) return system_error("make " + unfinished, errno);
  const std::size_t bytes = places(sizes).back();
  // All of the memory now: a page that is missing later would end whoever writes to it.
  int failed = ::posix_fallocate(made.get(), 0, static_cast<off_t>(bytes));
  if (failed == 0) {
    auto memory = map(made.get(), bytes, unfinished);
    if (memory.has_value()) {
      SharedTables shared(*memory, sizes);
      initialise(shared.tables(), hash_key, tick_multiplier);
      if (std::rename(unfinished.c_str(), file.c_str()) == 0) return shared;
    }
    failed = errno;
  }
  ::unlink(unfinished.c_str());
  Error error = system_error("make tables of " + std::to_string(bytes >> 20U) + " MiB in " + file.string(), failed);
  error.remedy = "make room in that file system, or ask for smaller ones in dataplane.tables";
  return error;
}

Result<SharedTables> SharedTables::open(const std::filesystem::path& file) {
  const base::Descriptor found(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  if (!found.valid()) return system_error("open " + file.string(), errno);
  core::LayoutHeader header{};
  if (::pread(found.get(), &header, sizeof(header), 0) != static_cast<ssize_t>(sizeof(header)) ||
      header.magic != core::kLayoutMagic)
    return Error{file.string() + " holds no tables", {}};
  if (header.layout_version != core::kLayoutVersion) {
    return Error{file.string() + " has layout version " + std::to_string(header.layout_version) + ", not " +
                     std::to_string(core::kLayoutVersion),
                 {}};
  }
  struct stat status {};
  const std::size_t bytes = places(header.sizes).back();
  if (::fstat(found.get(), &status) != 0 || static_cast<std::size_t>(status.st_size) != bytes)
    return Error{file.string() + " is not as long as its tables", {}};
  auto memory = map(found.get(), bytes, file.string());
  if (memory.has_error()) return memory.error();
  return SharedTables(*memory, header.sizes);
}

}  // namespace astil::dataplane
