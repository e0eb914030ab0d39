#include "agent/shared_state.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>

#include <cerrno>
#include <fstream>
#include <system_error>

namespace astil::agent {
namespace {

constexpr const char* kRemedy = "run as root; the folder has to be writable, on a file system that is emptied at boot";

Result<base::Descriptor> open_file(const std::filesystem::path& path) {
  base::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file.valid()) return Error{system_error("open " + path.string(), errno).what, kRemedy};
  return file;
}

Result<void> lock(const base::Descriptor& file, const std::filesystem::path& path, int how) {
  while (::flock(file.get(), how) != 0) {
    if (errno != EINTR) return system_error("lock " + path.string(), errno);
  }
  return {};
}

}  // namespace

Result<SharedState> SharedState::open(const std::filesystem::path& folder, std::uint64_t scope) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return Error{"make the folder " + folder.string() + ": " + failed.message(), kRemedy};
  return SharedState(folder, scope);
}

std::filesystem::path SharedState::file_of(const std::string& name) const {
  return folder_ / (std::to_string(scope_) + "-" + name);
}

Result<SharedState::Turn> SharedState::turn() {
  const std::filesystem::path path = folder_ / "lock";
  auto file = open_file(path);
  if (file.has_error()) return file.error();
  if (auto locked = lock(*file, path, LOCK_EX); locked.has_error()) return locked.error();
  return Turn(*this, std::move(*file));
}

std::optional<std::string> SharedState::Turn::found(const std::string& name) const {
  std::ifstream file(state_->file_of(name));
  std::string text;
  if (!(file >> text)) return std::nullopt;
  return text;
}

Result<void> SharedState::Turn::hold(const std::string& name, const std::string& found) {
  const std::filesystem::path path = state_->file_of(name);
  auto file = open_file(path);
  if (file.has_error()) return file.error();
  if (auto locked = lock(*file, path, LOCK_SH); locked.has_error()) return locked.error();
  if (!this->found(name)) {
    std::ofstream text(path);
    if (!(text << found << std::flush)) return Error{"write " + path.string() + " failed", kRemedy};
  }
  state_->held_.insert_or_assign(name, std::move(*file));
  return {};
}

void SharedState::Turn::let_go(const std::string& name, const std::function<void(const std::string& found)>& put_back) {
  const auto held = state_->held_.extract(name);
  if (held.empty() || ::flock(held.mapped().get(), LOCK_EX | LOCK_NB) != 0) return;
  // In this order: an agent that is killed in between leaves the next one to do it.
  if (const auto before = found(name)) put_back(*before);
  std::error_code gone_already;
  std::filesystem::remove(state_->file_of(name), gone_already);
}

Result<std::uint64_t> network_namespace() {
  const base::Descriptor any(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (!any.valid() || ::getsockopt(any.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0)
    return system_error("ask which network namespace this is", errno);
  return cookie;
}

}  // namespace astil::agent
