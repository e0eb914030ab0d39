#include "control/base/aside_file.hpp"

#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "control/base/atomic_file.hpp"
#include "control/base/log.hpp"
#include "control/base/regular_file.hpp"

namespace astil::base {
namespace {

/// None: there is no such file.
std::optional<std::string> text_of(const std::string& path) {
  auto text = read_regular_file(path);
  if (text.has_error()) return std::nullopt;
  return std::move(*text);
}

}  // namespace

/// Of the caller and the thread that writes; it lives as long as the last of them.
struct AsideFile::Shared {
  explicit Shared(std::string where) : path(std::move(where)) {}
  const std::string path;
  std::mutex mutex;
  std::condition_variable done;
  bool is_busy = false;
  bool was_given_up = false;  ///< nobody waits for the writing any more
  Result<void> outcome{};
};

AsideFile::AsideFile(std::string path) : shared_(std::make_shared<Shared>(std::move(path))) {}

void AsideFile::write_now(Shared& shared, const std::string& text) {
  const std::optional<std::string> before = text_of(shared.path);
  std::error_code told_below;
  std::filesystem::create_directories(std::filesystem::path(shared.path).parent_path(), told_below);
  Result<void> outcome = write_atomically(shared.path, text);
  std::unique_lock lock(shared.mutex);
  if (shared.was_given_up) {
    // Its order was refused, and must not come into force with the next start.
    lock.unlock();
    if (before) {
      if (auto undone = write_atomically(shared.path, *before); undone.has_error())
        log::error("file not as it was", {{"file", shared.path}, {"error", undone.error().text()}});
    } else {
      (void)std::remove(shared.path.c_str());
    }
    lock.lock();
  }
  shared.outcome = std::move(outcome);
  shared.is_busy = false;
  shared.was_given_up = false;
  shared.done.notify_all();
}

Result<void> AsideFile::write(const std::string& text) {
  std::unique_lock lock(shared_->mutex);
  const Error hangs{shared_->path + " is still being written", "does its disk answer?"};
  if (shared_->is_busy) return hangs;
  try {
    std::thread([shared = shared_, text] { write_now(*shared, text); }).detach();
  } catch (const std::system_error& failed) {
    return Error{std::string("thread to write with: ") + failed.what(), {}};
  }
  shared_->is_busy = true;
  if (shared_->done.wait_for(lock, kPatience, [&] { return !shared_->is_busy; })) return shared_->outcome;
  shared_->was_given_up = true;
  return hangs;
}

}  // namespace astil::base
