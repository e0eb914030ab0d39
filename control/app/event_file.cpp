#include "control/app/event_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "control/api/json.hpp"
#include "control/base/log.hpp"

namespace astil::app {
namespace {

std::string old_of(const std::string& path) { return path + ".old"; }

std::string why(const std::string& what, const std::string& path) {
  return what + " " + path + ": " + std::generic_category().message(errno);
}

void read_file_of(const std::string& path, const std::function<void(api::EventView)>& on_event) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    boost::system::error_code failed;
    const auto json = boost::json::parse(line, failed);
    if (failed) continue;
    auto event = api::from_json<api::EventView>(json);
    if (event && event->number != 0) on_event(std::move(*event));
  }
}

/// All, or nothing is sure.
bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

EventFile::EventFile(std::string path, std::size_t most_bytes) : path_(std::move(path)), most_bytes_(most_bytes) {}

EventFile::~EventFile() { writer_.join(); }

void EventFile::read(const std::function<void(api::EventView)>& on_event) const {
  read_file_of(old_of(path_), on_event);
  read_file_of(path_, on_event);
}

void EventFile::append(const api::EventView& event) {
  const std::string line = boost::json::serialize(api::to_json(event)) + "\n";
  const std::lock_guard lock(mutex_);
  if (pending_.size() + line.size() > kMostPending) {
    ++unkept_;
    return;
  }
  const bool idle = pending_.empty();
  pending_ += line;
  ++pending_events_;
  if (idle) boost::asio::post(writer_, [this] { write_pending(); });
}

std::string EventFile::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void EventFile::write_pending() {
  std::string lines;
  std::size_t events = 0;
  {
    const std::lock_guard lock(mutex_);
    lines.swap(pending_);
    events = std::exchange(pending_events_, 0);
  }
  std::string failure = write(lines);
  if (!failure.empty()) unkept_ += events;
  const std::lock_guard lock(mutex_);
  if (failure != failure_) {
    if (failure.empty()) log::info("events are kept again", {{"file", path_}});
    if (!failure.empty()) log::error("events not kept", {{"error", failure}});
  }
  failure_ = std::move(failure);
}

/// Why it failed; empty: it did not.
std::string EventFile::write(const std::string& lines) const {
  std::error_code told_below;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), told_below);
  const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (file < 0) return why("open", path_);
  struct stat before {};
  const bool known = ::fstat(file, &before) == 0;
  // A line that an earlier daemon began and could not end must not spoil ours: an empty one is skipped.
  const bool torn = known && before.st_size != 0;
  const bool written = write_all(file, torn ? "\n" + lines : lines);
  std::string failure = written ? "" : why("write", path_);
  const bool full = known && static_cast<std::size_t>(before.st_size) + lines.size() > most_bytes_;
  if (::close(file) != 0 && failure.empty()) failure = why("write", path_);
  if (full && ::rename(path_.c_str(), old_of(path_).c_str()) != 0 && failure.empty()) failure = why("rename", path_);
  return failure;
}

}  // namespace astil::app
