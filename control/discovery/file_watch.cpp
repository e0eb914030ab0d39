#include "control/discovery/file_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace astil::discovery {
namespace {

constexpr std::uint32_t kChanges =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

}  // namespace

FileWatch::FileWatch(boost::asio::io_context& loop, std::function<void(const std::string& folder)> changed)
    : changed_(std::move(changed)) {
  const int descriptor = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (descriptor < 0) return;
  events_.emplace(loop, descriptor);
  await();
}

FileWatch::~FileWatch() = default;

void FileWatch::follow(const std::set<std::string>& folders) {
  if (!events_) return;
  std::erase_if(watches_, [&](const auto& watch) {
    if (folders.contains(watch.first)) return false;
    (void)::inotify_rm_watch(events_->native_handle(), watch.second);
    return true;
  });
  for (const std::string& folder : folders) {
    if (watches_.contains(folder)) continue;
    const int watch = ::inotify_add_watch(events_->native_handle(), folder.c_str(), kChanges);
    if (watch >= 0) watches_.emplace(folder, watch);
  }
}

void FileWatch::await() {
  events_->async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
    if (error) return;
    alignas(inotify_event) std::array<char, 16384> bytes;
    std::set<int> changed;
    const ssize_t size = ::read(events_->native_handle(), bytes.data(), bytes.size());
    for (ssize_t at = 0; at < size;) {
      inotify_event event{};
      std::memcpy(&event, bytes.data() + at, sizeof(event));
      changed.insert(event.wd);
      // The folder itself is gone: the next `follow` looks for it.
      if ((event.mask & IN_IGNORED) != 0)
        std::erase_if(watches_, [gone = event.wd](const auto& w) { return w.second == gone; });
      at += static_cast<ssize_t>(sizeof(event) + event.len);
    }
    std::set<std::string> folders;
    for (const auto& [folder, watch] : watches_) {
      if (changed.contains(watch) || changed.contains(-1)) folders.insert(folder);
    }
    await();
    for (const std::string& folder : folders) changed_(folder);
  });
}

}  // namespace astil::discovery
