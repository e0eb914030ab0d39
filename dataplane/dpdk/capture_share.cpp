#include "dataplane/dpdk/capture_share.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <utility>

namespace astil::dpdk {
namespace {

constexpr std::uint32_t kLeastRing = 4096;

constexpr std::size_t bytes_of(std::uint32_t rings, std::uint32_t ring_bytes) {
  return sizeof(CaptureShare) + std::size_t{rings} * ring_bytes;
}

Result<CaptureShare*> map(int file, std::size_t bytes, const std::filesystem::path& path) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
  if (memory == MAP_FAILED) return system_error("map " + path.string(), errno);
  return static_cast<CaptureShare*>(memory);
}

}  // namespace

/// The memory is there when it returns: a page that is missing later would end whoever writes to it.
Result<MappedCapture> MappedCapture::make(const std::filesystem::path& path, std::uint32_t workers) {
  const std::uint32_t rings = std::clamp<std::uint32_t>(workers, 1, kMostWorkers);
  const auto ring_bytes = static_cast<std::uint32_t>(std::bit_floor(kCaptureBytes / rings));
  const std::size_t bytes = bytes_of(rings, ring_bytes);
  ::unlink(path.c_str());
  const base::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.valid()) return system_error("make " + path.string(), errno);
  if (const int failed = ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes)); failed != 0) {
    ::unlink(path.c_str());
    Error error = system_error("make " + path.string(), failed);
    error.remedy = "make room in that file system: df " + path.parent_path().string();
    return error;
  }
  auto share = map(file.get(), bytes, path);
  if (share.has_error()) return share.error();
  (*share)->rings = rings;
  (*share)->ring_bytes = ring_bytes;
  return MappedCapture(*share, bytes);
}

Result<MappedCapture> MappedCapture::open(const std::filesystem::path& path) {
  const base::Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file.valid()) return system_error("open " + path.string(), errno);
  struct stat found {};
  if (::fstat(file.get(), &found) != 0) return system_error("look at " + path.string(), errno);
  const auto bytes = static_cast<std::size_t>(found.st_size);
  const Error cut{path.string() + " is not as long as its rings", {}};
  if (bytes < sizeof(CaptureShare) || bytes > bytes_of(1, kCaptureBytes)) return cut;
  auto share = map(file.get(), bytes, path);
  if (share.has_error()) return share.error();
  MappedCapture capture(*share, bytes);
  const bool has_rooms = std::has_single_bit(capture->ring_bytes) && capture->ring_bytes >= kLeastRing;
  if (capture->rings > kMostWorkers || !has_rooms || bytes_of(capture->rings, capture->ring_bytes) != bytes) return cut;
  return capture;
}

MappedCapture::MappedCapture(MappedCapture&& other) noexcept
    : share_(std::exchange(other.share_, nullptr)), bytes_(other.bytes_) {}

MappedCapture& MappedCapture::operator=(MappedCapture&& other) noexcept {
  std::swap(share_, other.share_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedCapture::~MappedCapture() {
  if (share_ != nullptr) ::munmap(share_, bytes_);
}

RecordRing MappedCapture::ring(std::uint32_t worker) const {
  auto* rooms = reinterpret_cast<std::byte*>(share_ + 1);
  RingPlaces& places = share_->places[std::min<std::size_t>(worker, kMostWorkers - 1)];
  if (worker >= share_->rings) return {places, {}};
  return {places, std::span(rooms + std::size_t{worker} * share_->ring_bytes, share_->ring_bytes)};
}

}  // namespace astil::dpdk
