#include "control/dns/worker.hpp"

#include <pthread.h>

#include <csignal>
#include <ctime>

namespace astil::dns {

std::thread start_worker(std::function<void()> run) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // threads inherit it
  std::thread thread(std::move(run));
  ::pthread_setname_np(thread.native_handle(), "astil-dns");
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

void tell_time(WorkerContext& worker) {
  timespec steady{};
  timespec wall{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &steady);
  ::clock_gettime(CLOCK_REALTIME_COARSE, &wall);
  worker.milliseconds = static_cast<std::uint32_t>(steady.tv_sec * 1000 + steady.tv_nsec / 1'000'000);
  worker.now = static_cast<std::uint32_t>(wall.tv_sec);
}

WorkerContext worker_context(std::uint64_t seed) {
  return {.random = Random(seed), .limiter = RateLimiter(Random(seed).next())};
}

}  // namespace astil::dns
