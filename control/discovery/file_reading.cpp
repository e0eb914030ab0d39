#include "control/discovery/file_reading.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "dataplane/base/descriptor.hpp"

namespace astil::discovery {

Result<std::string> read_whole(const std::string& path) {
  // A pipe would wait for whoever writes into it.
  const base::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return system_error("read " + path, errno);
  struct stat kind {};
  if (::fstat(file.get(), &kind) != 0) return system_error("read " + path, errno);
  if (!S_ISREG(kind.st_mode)) return Error{path + " is no regular file", "name a file"};
  std::string text;
  // What it says of its size may not be so any more.
  for (std::size_t room = std::max<std::size_t>(static_cast<std::size_t>(kind.st_size) + 1, 4096);;) {
    const std::size_t had = text.size();
    text.resize(std::min(had + room, kLongestFile + 1));
    const ssize_t more = ::read(file.get(), text.data() + had, text.size() - had);
    if (more < 0 && errno == EINTR) {
      text.resize(had);
      continue;
    }
    if (more < 0) return system_error("read " + path, errno);
    text.resize(had + static_cast<std::size_t>(more));
    if (more == 0) return {boost::system::in_place_value, std::move(text)};
    if (text.size() > kLongestFile)
      return Error{path + " is longer than 8 MiB, which are read at most",
                   "65,000 targets, the most that are followed, take less"};
  }
}

Result<Set> read_set(const std::string& path) {
  const auto text = read_whole(path);
  if (text.has_error()) return text.error();
  auto set = read_targets(*text, path);
  if (set.has_error()) return set.error().within(path);
  return set;
}

struct FileReading::State {
  std::mutex mutex;
  std::condition_variable ended;
  std::optional<Result<Set>> set;
  bool waited_for = false;  ///< of the loop only
};

FileReading FileReading::begin(base::Aside& aside, std::function<Result<Set>()> read,
                               std::function<void(const FileReading&)> then) {
  FileReading reading(std::make_shared<State>());
  aside.run([reading, read = std::move(read), then = std::move(then)]() -> base::Aside::Then {
    auto set = read();
    {
      const std::lock_guard lock(reading.state_->mutex);
      reading.state_->set = std::move(set);
    }
    reading.state_->ended.notify_all();
    return [reading, then] {
      if (then && !reading.state_->waited_for) then(reading);
    };
  });
  return reading;
}

bool FileReading::wait_until(std::chrono::steady_clock::time_point limit) const {
  std::unique_lock lock(state_->mutex);
  if (!state_->ended.wait_until(lock, limit, [&] { return state_->set.has_value(); })) return false;
  return state_->waited_for = true;
}

const Result<Set>& FileReading::set() const { return *state_->set; }

}  // namespace astil::discovery
