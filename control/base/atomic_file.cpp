#include "control/base/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace astil::base {
namespace {

/// Writes all and closes; 0, or what went wrong.
int write_and_close(int descriptor, const std::string& text) {
  std::size_t written = 0;
  int failed = 0;
  while (failed == 0 && written < text.size()) {
    const ssize_t count = ::write(descriptor, text.data() + written, text.size() - written);
    if (count >= 0) written += static_cast<std::size_t>(count);
    if (count < 0 && errno != EINTR) failed = errno;
  }
  if (failed == 0 && ::fdatasync(descriptor) != 0) failed = errno;
  if (::close(descriptor) != 0 && failed == 0) failed = errno;
  return failed;
}

/// `keep`, where it is given: whose mode and owner the file gets.
Result<void> exchange(const std::string& path, const std::string& text, const struct stat* keep) {
  const std::string next = path + ".new";
  constexpr mode_t kUsual = 0644;
  const int descriptor =
      ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, keep == nullptr ? kUsual : 0600);
  if (descriptor < 0) return system_error("write " + next, errno);
  int failed = 0;
  if (keep != nullptr && ::fchown(descriptor, keep->st_uid, keep->st_gid) != 0) failed = errno;
  if (keep != nullptr && failed == 0 && ::fchmod(descriptor, keep->st_mode & 07777U) != 0) failed = errno;
  const int unwritten = write_and_close(descriptor, failed == 0 ? text : std::string());
  if (failed == 0) failed = unwritten;
  if (failed == 0 && ::rename(next.c_str(), path.c_str()) != 0) failed = errno;
  if (failed == 0) return {};
  (void)::unlink(next.c_str());
  return system_error("write " + path, failed);
}

}  // namespace

Result<void> write_atomically(const std::string& path, const std::string& text) {
  return exchange(path, text, nullptr);
}

Result<void> rewrite_atomically(const std::string& path, const std::string& text) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  struct stat found {};
  if (!real || ::stat(real.get(), &found) != 0) return system_error(path, errno);
  return exchange(real.get(), text, &found);
}

}  // namespace astil::base
