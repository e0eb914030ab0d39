// astil-dpdk: the workers of the DPDK engine. It does what the plan in shared memory says, which astild writes; it
// needs astild for nothing else, and forwards by the tables that it finds while nobody writes them. Where the plan
// changes in more than the tables, it executes itself anew, since DPDK can be started once in a process.
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "control/base/log.hpp"
#include "control/base/notify.hpp"
#include "dataplane/dpdk/app/eal.hpp"
#include "dataplane/dpdk/app/engine.hpp"

namespace {

using namespace astil;
using namespace astil::dpdk;
using namespace std::chrono_literals;

constexpr int kUsage = 2;
constexpr auto kBetweenLooks = 20ms;
/// How long a plan has to stand before it is followed: astild attaches one interface after the other.
constexpr auto kPlanSettles = 60ms;

/// A plan is written within microseconds.
constexpr auto kHalfWritten = 2s;

volatile std::sig_atomic_t ended = 0;

enum class Next { end, begin_anew, fail };

/// The plan when it has ports, and has not changed for a while; none: this process is to end, or the file is another
/// one.
std::optional<NumberedPlan> await_plan(const MappedShare& share) {
  std::optional<NumberedPlan> seen;
  auto since = std::chrono::steady_clock::now();
  bool told = false;
  while (ended == 0 && share.is_current()) {
    const auto now = read_plan(*share);
    const bool same = now.has_value() == seen.has_value() && (!now || now->number == seen->number);
    if (!same) since = std::chrono::steady_clock::now();
    seen = now;
    if (!seen && !told && std::chrono::steady_clock::now() - since >= kHalfWritten) {
      const Error problem{"the plan of astild is half written: it was killed meanwhile",
                          "start astild: it writes it anew"};
      log::warning("no plan to follow", {{"error", problem.what}, {"remedy", problem.remedy}});
      write_problem(*share, problem);
      told = true;
    }
    if (seen && seen->plan.ports == 0) {
      __atomic_store_n(&share->plan_in_force, seen->number, __ATOMIC_RELEASE);
    } else if (seen && same && std::chrono::steady_clock::now() - since >= kPlanSettles &&
               __atomic_load_n(&share->tables_number, __ATOMIC_ACQUIRE) != 0) {
      return seen;
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
  return std::nullopt;
}

/// What an earlier process has left: nobody looks at tables yet, frames are too old, and astild may wait for a bell
/// that was not rung.
void begin(const MappedShare& mapped) {
  Share& share = *mapped;
  __atomic_store_n(&share.running_workers, 0U, __ATOMIC_SEQ_CST);
  for (WorkerShare& worker : share.workers) {
    __atomic_store_n(&worker.turn, 0U, __ATOMIC_RELEASE);
    __atomic_store_n(&worker.tables, 0U, __ATOMIC_RELEASE);
    __atomic_store_n(&worker.capture, 0U, __ATOMIC_RELEASE);
  }
  __atomic_store_n(&share.plan_in_force, 1U, __ATOMIC_RELEASE);  // none: the numbers of plans that stand are even
  for (PortShare& port : share.ports) port.state = PortState::absent;
  mapped.frames().clear();
  if (auto sender = open_sender(); sender.has_value()) (void)ring(*sender, mapped.folder() / "events");
}

Next fail(const std::string& message, const Error& error) {
  log::error(message, {{"error", error.what}, {"remedy", error.remedy}});
  return Next::fail;
}

Next serve(const std::string& instance) {
  auto share = MappedShare::make(instance);
  if (share.has_error()) return fail("shared memory not opened", share.error());
  auto lock = lock_engine(share->folder());
  if (lock.has_error()) return fail("not started", lock.error());
  begin(*share);
  base::notify("READY=1");
  const auto plan = await_plan(*share);
  if (!plan) return ended != 0 ? Next::end : Next::begin_anew;
  auto engine = Engine::start(instance, *share, *plan);
  if (engine.has_error()) {
    write_problem(**share, engine.error());
    return fail("not forwarding", engine.error());
  }
  log::info("forwarding", {{"ports", plan->plan.ports}, {"workers", plan->plan.workers}, {"burst", plan->plan.burst}});
  while (ended == 0) {
    if (!(*engine)->run()) return Next::begin_anew;
  }
  return Next::end;
}

constexpr std::string_view kUsageText =
    "usage: astil-dpdk [--instance NAME]\n"
    "       astil-dpdk --help | --version\n"
    "The workers of the DPDK engine of a balancer. Its configuration says what they do: dataplane.dpdk.\n";

/// As the configuration has them.
bool is_instance_name(std::string_view name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789-";
  return !name.empty() && name.size() <= 32 && name.find_first_not_of(kLetters) == std::string_view::npos;
}

int refuse_words(const std::string& what) {
  std::cerr << "astil-dpdk: " << what << "\n" << kUsageText;
  return kUsage;
}

}  // namespace

int main(int count, char** words) {
  const std::string_view first = count > 1 ? words[1] : "";
  if (count == 2 && first == "--help") return std::cout << kUsageText, 0;
  if (count == 2 && first == "--version") return std::cout << "astil-dpdk " ASTIL_VERSION "\n", 0;
  if (count != 1 && (count != 3 || first != "--instance")) return refuse_words("no such arguments");
  const std::string instance = count == 3 ? words[2] : "main";
  if (!is_instance_name(instance))
    return refuse_words("'" + instance + "' is no instance: a name of a-z, 0-9 and minus, at most 32 characters");
  (void)::prctl(PR_SET_NAME, "astil-dpdk");  // one that executes itself anew is "exe" else
  const auto end = [](int /*signal*/) { ended = 1; };
  std::signal(SIGTERM, end);
  std::signal(SIGINT, end);
  const Next next = serve(instance);
  end_eal();
  if (next == Next::begin_anew) {
    // Libraries leave descriptors open, and with them sockets at queues that the next process wants.
    (void)::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    ::execv("/proc/self/exe", words);
    log::error("not started anew", {{"error", system_error("exec", errno).text()}});
  }
  return next == Next::end ? 0 : 1;
}
