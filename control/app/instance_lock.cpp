#include "control/app/instance_lock.hpp"

#include <fcntl.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace astil::app {
namespace {

// An open file description's lock (fcntl(2), F_OFD_SETLK) goes with its last descriptor as one of flock(2) does, and
// can be asked about without being taken.
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

std::filesystem::path file_of(const std::string& instance, const std::filesystem::path& folder) {
  return folder / (instance + ".lock");
}

std::string read_socket(int file) {
  std::array<char, sizeof(sockaddr_un::sun_path)> text{};
  const auto length = ::pread(file, text.data(), text.size(), 0);
  return length <= 0 ? std::string() : std::string(text.data(), static_cast<std::size_t>(length));
}

Error held(const std::string& instance, const std::string& socket) {
  if (socket.empty()) return {"instance " + instance + " is being detached", "try again when 'astil detach' has ended"};
  return {"instance " + instance + " has a daemon already, which answers at " + socket,
          "stop that one, or use another instance name"};
}

}  // namespace

Result<InstanceLock> InstanceLock::take(const std::string& instance, const std::string& socket,
                                        const std::filesystem::path& folder) {
  const auto path = file_of(instance, folder);
  const std::string context = "lock " + path.string();
  std::error_code not_made;
  std::filesystem::create_directories(folder, not_made);
  if (not_made) return Error{context + ": make its folder: " + not_made.message(), {}};
  base::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file.valid()) return system_error(context, errno);
  auto lock = whole_file();
  if (::fcntl(file.get(), F_OFD_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES) return system_error(context, errno);
    return held(instance, read_socket(file.get()));
  }
  if (::ftruncate(file.get(), 0) != 0 ||
      ::pwrite(file.get(), socket.data(), socket.size(), 0) != static_cast<ssize_t>(socket.size())) {
    return system_error(context + ": write", errno);
  }
  return InstanceLock(std::move(file));
}

std::optional<std::string> holder_of(const std::string& instance, const std::filesystem::path& folder) {
  const base::Descriptor file(::open(file_of(instance, folder).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return std::nullopt;
  auto lock = whole_file();
  if (::fcntl(file.get(), F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return std::nullopt;
  return read_socket(file.get());
}

}  // namespace astil::app
