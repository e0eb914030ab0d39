#include "control/health/spawner.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <memory>

#include "control/base/privileges.hpp"

namespace astil::health {
namespace {

/// With a clean-up function; posix_spawn's objects have no other way.
template <class Object, int (*Make)(Object*), int (*Destroy)(Object*)>
class Held {
 public:
  Held() { (void)Make(&object_); }
  ~Held() { (void)Destroy(&object_); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  [[nodiscard]] Object* get() { return &object_; }

 private:
  Object object_{};
};
using Attributes = Held<posix_spawnattr_t, posix_spawnattr_init, posix_spawnattr_destroy>;
using Actions = Held<posix_spawn_file_actions_t, posix_spawn_file_actions_init, posix_spawn_file_actions_destroy>;

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// A group of its own, and signals as a program expects them.
int set_up(Attributes& attributes) {
  sigset_t all;
  sigset_t none;
  sigfillset(&all);
  sigemptyset(&none);
  int failed = posix_spawnattr_setflags(attributes.get(),
                                        POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  if (failed == 0) failed = posix_spawnattr_setpgroup(attributes.get(), 0);
  if (failed == 0) failed = posix_spawnattr_setsigdefault(attributes.get(), &all);
  if (failed == 0) failed = posix_spawnattr_setsigmask(attributes.get(), &none);
  return failed;
}

int set_up(Actions& actions, int output) {
  int failed = posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    if (failed == 0) failed = posix_spawn_file_actions_adddup2(actions.get(), output, stream);
  }
  if (failed == 0) failed = posix_spawn_file_actions_addclosefrom_np(actions.get(), STDERR_FILENO + 1);
  if (failed == 0) failed = posix_spawn_file_actions_addchdir_np(actions.get(), "/");
  return failed;
}

Result<Spawned> spawn_here(Command& command) {
  if (auto dropped = base::drop_all_privileges(); dropped.has_error()) return dropped.error();
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("make a pipe", errno);
  Spawned spawned;
  spawned.output = base::Descriptor(ends[0]);
  const base::Descriptor theirs(ends[1]);
  Attributes attributes;
  Actions actions;
  int failed = set_up(attributes);
  if (failed == 0) failed = set_up(actions, theirs.get());
  const std::vector<char*> words = pointers_to(command.words);
  const std::vector<char*> environment = pointers_to(command.environment);
  if (failed == 0)
    failed =
        ::posix_spawn(&spawned.process, words[0], actions.get(), attributes.get(), words.data(), environment.data());
  if (failed != 0) return system_error("run " + command.words[0], failed);
  spawned.end = base::Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, spawned.process, 0)));
  if (!spawned.end.valid()) {
    Error error = system_error("wait for " + command.words[0], errno);
    ::kill(-spawned.process, SIGKILL);
    (void)::waitpid(spawned.process, nullptr, 0);
    return error;
  }
  return spawned;
}

}  // namespace

/// Threads that hang in the kernel are left to the end of the process: to wait for them could take as long as a disk is
/// away.
Spawner::~Spawner() {
  threads_->stop();
  bool is_idle = true;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->loop = nullptr;
    shared_->waiting.clear();
    is_idle = shared_->under_way.empty();
  }
  if (is_idle) {
    threads_->join();
  } else {
    static auto& hanging = *new std::vector<std::unique_ptr<boost::asio::thread_pool>>;  // never destroyed
    hanging.push_back(std::move(threads_));
  }
}

void Spawner::spawn(Command command, Done done) {
  const std::string& program = command.words[0];
  const std::lock_guard lock(shared_->mutex);
  const auto [first, last] = shared_->under_way.equal_range(program);
  const auto hangs = [now = Clock::now()](const auto& start) { return now - start.second >= kHangs; };
  if (static_cast<std::size_t>(std::count_if(first, last, hangs)) >= kOfOneProgram) {
    Error error{"run " + program + ": earlier starts of it have not come back", "does its disk answer?"};
    boost::asio::post(loop_, [done = std::move(done), error = std::move(error)] { done(error); });
    return;
  }
  shared_->waiting.push_back({.command = std::move(command), .done = std::move(done)});
  boost::asio::post(*threads_, [shared = shared_] { work(*shared); });
}

/// The first that waits whose program has a thread to spare; it is under way then.
std::optional<Spawner::Job> Spawner::next_of(Shared& shared) {
  const std::lock_guard lock(shared.mutex);
  const auto next = std::find_if(shared.waiting.begin(), shared.waiting.end(), [&](const Job& job) {
    return shared.under_way.count(job.command.words[0]) < kOfOneProgram;
  });
  if (next == shared.waiting.end()) return std::nullopt;
  Job job = std::move(*next);
  shared.waiting.erase(next);
  shared.under_way.emplace(job.command.words[0], Clock::now());
  return job;
}

/// Whoever ends with one looks for more: those that waited for its program, too.
void Spawner::work(Shared& shared) {
  while (auto job = next_of(shared)) {
    const std::string program = job->command.words[0];
    auto spawned = std::make_shared<Result<Spawned>>(spawn_here(job->command));
    const std::lock_guard lock(shared.mutex);
    shared.under_way.erase(shared.under_way.find(program));
    if (shared.loop == nullptr) return;
    boost::asio::post(*shared.loop, [spawned, done = std::move(job->done)] { done(std::move(*spawned)); });
  }
}

}  // namespace astil::health
