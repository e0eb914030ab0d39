#include "control/discovery/file_reading.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>

#include "control/base/regular_file.hpp"

namespace astil::discovery {

Result<std::string> read_whole(const std::string& path) {
  auto text = base::read_regular_file(path, kLongestFile + 1);
  if (text.has_value() && text->size() > kLongestFile)
    return Error{path + " is longer than 8 MiB, which are read at most",
                 "65,000 targets, the most that are followed, take less"};
  return text;
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
