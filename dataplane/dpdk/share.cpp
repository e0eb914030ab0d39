#include "dataplane/dpdk/share.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "dataplane/dpdk/device.hpp"

namespace astil::dpdk {
namespace {

constexpr const char* kRoot = "/dev/shm/astil";

struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

/// Who could write here could change where packets go.
Result<void> own_folder(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return system_error("make " + folder.string(), errno);
  struct stat found {};
  if (::lstat(folder.c_str(), &found) != 0) return system_error("look at " + folder.string(), errno);
  constexpr mode_t kOthersWrite = 022;
  if (S_ISDIR(found.st_mode) && found.st_uid != ::geteuid())
    return Error{folder.string() + " is another user's", "run as the user that astild runs as, root as a rule"};
  if (!S_ISDIR(found.st_mode) || (found.st_mode & kOthersWrite) != 0)
    return Error{folder.string() + " is not a folder that only this user can write to", "remove it"};
  return {};
}

struct Mapped {
  Share* share;
  ino_t inode;
};

Result<Mapped> map(int file, const std::filesystem::path& path) {
  struct stat found {};
  if (::fstat(file, &found) != 0) return system_error("look at " + path.string(), errno);
  if (static_cast<std::size_t>(found.st_size) < sizeof(Share))
    return Error{path.string() + " is of another version, or cut short", "give it up: astil detach"};
  void* memory = ::mmap(nullptr, sizeof(Share), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) return system_error("map " + path.string(), errno);
  return Mapped{.share = static_cast<Share*>(memory), .inode = found.st_ino};
}

/// What others are counted by.
bool has_sound_numbers(const Share& share) {
  return share.plan.ports <= kMostPorts && share.plan.workers <= kMostWorkers && share.running_workers <= kMostWorkers;
}

Result<Mapped> open(const std::filesystem::path& path) {
  const base::Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file.valid()) return system_error("open " + path.string(), errno);
  auto mapped = map(file.get(), path);
  if (mapped.has_error()) return mapped.error();
  const Share& share = *mapped->share;
  const bool is_ours = share.magic == kShareMagic && share.version == kShareVersion;
  if (is_ours && has_sound_numbers(share)) return *mapped;
  ::munmap(mapped->share, sizeof(Share));
  if (is_ours) return Error{path.string() + " is damaged", "give it up: astil detach"};
  return Error{path.string() + " is of another version of astil",
               "run astild and astil-dpdk of one version, or give up the flows: astil detach"};
}

/// It comes under its name when it is complete. Another process may make it at the same time: the first one's it is.
Result<void> create(const std::filesystem::path& path) {
  const std::string action = "make " + path.string();
  const base::Descriptor file(::open(path.parent_path().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file.valid()) return system_error(action, errno);
  if (const int failed = ::posix_fallocate(file.get(), 0, sizeof(Share)); failed != 0)
    return system_error(action, failed);
  auto mapped = map(file.get(), path);
  if (mapped.has_error()) return mapped.error();
  mapped->share->version = kShareVersion;
  mapped->share->magic = kShareMagic;
  ::munmap(mapped->share, sizeof(Share));
  const std::string unnamed = "/proc/self/fd/" + std::to_string(file.get());
  if (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0 && errno != EEXIST)
    return system_error(action, errno);
  return {};
}

/// A copy of what another process writes, and the number that it had; none: it is being written.
template <class Value>
std::optional<Value> read_numbered(const Value& place, const std::uint32_t& number, std::uint32_t& read) {
  read = __atomic_load_n(&number, __ATOMIC_ACQUIRE);
  Value value = place;
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  const bool is_whole = read % 2 == 0 && read == __atomic_load_n(&number, __ATOMIC_RELAXED);
  return is_whole ? std::optional(value) : std::nullopt;
}

/// A writer that was killed may have left the number odd.
template <class Value>
void write_numbered(Value& place, std::uint32_t& number, const Value& value) {
  const std::uint32_t during = number | 1U;
  __atomic_store_n(&number, during, __ATOMIC_RELAXED);
  __atomic_thread_fence(__ATOMIC_RELEASE);
  place = value;
  __atomic_store_n(&number, during + 1, __ATOMIC_RELEASE);
}

}  // namespace

std::filesystem::path folder_of(const std::string& instance) { return std::filesystem::path(kRoot) / instance; }

Result<MappedShare> MappedShare::make(const std::string& instance) {
  const std::filesystem::path folder = folder_of(instance);
  for (const auto& each : {folder.parent_path(), folder}) {
    if (auto owned = own_folder(each); owned.has_error()) return owned.error();
  }
  const std::filesystem::path file = folder / "engine";
  if (std::error_code error; !std::filesystem::exists(file, error)) {
    if (auto created = create(file); created.has_error()) return created.error();
  }
  auto mapped = open(file);
  if (mapped.has_error()) return mapped.error();
  return MappedShare(folder, mapped->share, mapped->inode);
}

Result<std::optional<MappedShare>> MappedShare::find(const std::string& instance) {
  const std::filesystem::path folder = folder_of(instance);
  if (std::error_code error; !std::filesystem::exists(folder / "engine", error)) return std::optional<MappedShare>();
  for (const auto& each : {folder.parent_path(), folder}) {
    if (auto owned = own_folder(each); owned.has_error()) return owned.error();
  }
  auto mapped = open(folder / "engine");
  if (mapped.has_error()) return mapped.error();
  return std::optional<MappedShare>(MappedShare(folder, mapped->share, mapped->inode));
}

std::uint64_t own_network() {
  struct stat found {};
  return ::stat("/proc/self/ns/net", &found) == 0 ? found.st_ino : 0;
}

std::string who_takes(const std::string& interface, const std::string& instance) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kRoot, error)) {
    const std::string other = entry.path().filename().string();
    if (other == instance) continue;
    const auto share = MappedShare::find(other);
    if (share.has_error() || !share->has_value() || (**share)->network != own_network()) continue;
    const auto plan = read_plan(***share);
    for (std::uint32_t i = 0; plan && i < plan->plan.ports; ++i) {
      if (taken_interface(plan->plan.port[i].device.str()) == interface) return other;
    }
  }
  return {};
}

MappedShare::MappedShare(MappedShare&& other) noexcept
    : folder_(std::move(other.folder_)), share_(std::exchange(other.share_, nullptr)), inode_(other.inode_) {}

MappedShare& MappedShare::operator=(MappedShare&& other) noexcept {
  std::swap(folder_, other.folder_);
  std::swap(share_, other.share_);
  std::swap(inode_, other.inode_);
  return *this;
}

MappedShare::~MappedShare() {
  if (share_ != nullptr) ::munmap(share_, sizeof(Share));
}

/// What can not be asked for a moment is no reason to give up what runs.
bool MappedShare::is_current() const {
  struct stat found {};
  if (::stat((folder_ / "engine").c_str(), &found) != 0) return errno != ENOENT && errno != ENOTDIR;
  return found.st_ino == inode_;
}

std::optional<NumberedPlan> read_plan(const Share& share) {
  std::uint32_t number = 0;
  const auto plan = read_numbered(share.plan, share.plan_number, number);
  return plan ? std::optional(NumberedPlan{.number = number, .plan = *plan}) : std::nullopt;
}

bool is_other_plan(const Share& share, std::uint32_t number) {
  const std::uint32_t now = __atomic_load_n(&share.plan_number, __ATOMIC_ACQUIRE);
  return now % 2 == 0 && now != number;
}

void write_plan(Share& share, const Plan& plan) { write_numbered(share.plan, share.plan_number, plan); }

Error read_problem(const Share& share) {
  std::uint32_t number = 0;
  const auto problem = read_numbered(share.problem, share.problem_number, number);
  return problem ? Error{problem->what.str(), problem->remedy.str()} : Error{};
}

void write_problem(Share& share, const Error& problem) {
  Problem written{};
  written.what.set(problem.what);
  written.remedy.set(problem.remedy);
  write_numbered(share.problem, share.problem_number, written);
}

Result<base::Descriptor> lock_engine(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "lock";
  base::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.valid()) return system_error("lock " + path.string(), errno);
  struct flock lock = whole_file();
  if (::fcntl(file.get(), F_OFD_SETLK, &lock) == 0) return file;
  if (errno != EAGAIN && errno != EACCES) return system_error("lock " + path.string(), errno);
  return Error{"another astil-dpdk runs for this instance", "stop that one first"};
}

bool is_engine_running(const std::filesystem::path& folder) {
  const base::Descriptor file(::open((folder / "lock").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return false;
  struct flock lock = whole_file();
  return ::fcntl(file.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

}  // namespace astil::dpdk
