#include "control/base/regular_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "dataplane/base/descriptor.hpp"

namespace astil::base {

Result<std::string> read_regular_file(const std::string& path, std::size_t most) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return system_error("read " + path, errno);
  struct stat kind {};
  if (::fstat(file.get(), &kind) != 0) return system_error("read " + path, errno);
  if (!S_ISREG(kind.st_mode)) return Error{path + " is no regular file", "name a file"};
  std::string text;
  // What it says of its size may not be so any more.
  const std::size_t room = std::max<std::size_t>(static_cast<std::size_t>(kind.st_size) + 1, 4096);
  while (text.size() < most) {
    const std::size_t had = text.size();
    text.resize(had + std::min(room, most - had));
    const ssize_t more = ::read(file.get(), text.data() + had, text.size() - had);
    const int error = errno;
    text.resize(had + static_cast<std::size_t>(std::max<ssize_t>(more, 0)));
    if (more < 0 && error != EINTR) return system_error("read " + path, error);
    if (more == 0) break;
  }
  return {boost::system::in_place_value, std::move(text)};
}

}  // namespace astil::base
