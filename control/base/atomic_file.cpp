#include "control/base/atomic_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

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

}  // namespace

Result<void> write_atomically(const std::string& path, const std::string& text) {
  const std::string next = path + ".new";
  const int descriptor = ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) return system_error("write " + next, errno);
  int failed = write_and_close(descriptor, text);
  if (failed == 0 && ::rename(next.c_str(), path.c_str()) != 0) failed = errno;
  if (failed == 0) return {};
  (void)::unlink(next.c_str());
  return system_error("write " + path, failed);
}

}  // namespace astil::base
