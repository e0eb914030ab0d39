// The program `astil-vrrp`.
#include <fcntl.h>
#include <getopt.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>

#include "control/base/log.hpp"
#include "control/ha/vrrp/app/process.hpp"
#include "control/ha/vrrp/app/real_time.hpp"

namespace {

using namespace astil;

constexpr int kFailed = 1;
constexpr int kInvalid = 2;

constexpr const char* kUsage =
    "usage: astil-vrrp --socket PATH [--foreground]\n"
    "       astil-vrrp --version | --help\n"
    "\n"
    "The election of a pair, and its addresses; astild starts it, and tells it by PATH what to do. It returns when it\n"
    "listens there, and goes on in the background. SIGTERM leaves the addresses to the other node.\n";

struct Arguments {
  std::string socket;
  bool foreground = false;
};

/// Exits where the arguments say so.
Arguments parse(int count, char** values) {
  constexpr option kOptions[] = {{"socket", required_argument, nullptr, 's'},
                                 {"foreground", no_argument, nullptr, 'f'},
                                 {"version", no_argument, nullptr, 'V'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {nullptr, 0, nullptr, 0}};
  Arguments arguments;
  for (int letter = 0; (letter = ::getopt_long(count, values, "s:fVh", kOptions, nullptr)) != -1;) {
    if (letter == 's') {
      arguments.socket = optarg;
    } else if (letter == 'f') {
      arguments.foreground = true;
    } else if (letter == 'V') {
      std::cout << "astil-vrrp " << ASTIL_VERSION << "\n";
      std::exit(EXIT_SUCCESS);
    } else {
      (letter == 'h' ? std::cout : std::cerr) << kUsage;
      std::exit(letter == 'h' ? EXIT_SUCCESS : kInvalid);
    }
  }
  if (arguments.socket.empty() || optind < count) {
    std::cerr << kUsage;
    std::exit(kInvalid);
  }
  return arguments;
}

base::Descriptor take_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&signals, number);
  (void)::sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGHUP, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  return base::Descriptor(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
}

/// Goes on as a child. The parent ends, without taking the socket's file away, when the child listens as itself.
void leave_parent(ha::ChannelServer& channel) {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::_Exit(kFailed);
  const base::Descriptor to_read(ends[0]);
  base::Descriptor to_close(ends[1]);
  const pid_t child = ::fork();
  if (child != 0) {
    to_close.reset();
    char nothing = 0;
    if (child > 0) (void)!::read(to_read.get(), &nothing, 1);
    std::_Exit(child < 0 ? kFailed : EXIT_SUCCESS);
  }
  (void)::setsid();
  channel.listen_as_self();
}

int serve(const Arguments& arguments) {
  auto channel = ha::ChannelServer::listen(arguments.socket);
  if (channel.has_error()) {
    log::error("astil-vrrp not started", {{"error", channel.error().text()}});
    return kFailed;
  }
  if (!arguments.foreground) leave_parent(*channel);
  base::Descriptor signals = take_signals();
  auto guardian = ha::Guardian::start();
  if (guardian.has_error()) {
    log::error("astil-vrrp not started", {{"error", guardian.error().text()}});
    return kFailed;
  }
  auto scheduling = ha::Process::Scheduling::real_time;
  if (auto real_time = ha::become_real_time(); real_time.has_error()) {
    log::warning("not real-time", {{"error", real_time.error().text()}});
    scheduling = ha::Process::Scheduling::ordinary;
  }
  ha::keep_network_privileges();
  auto process = ha::Process::start(std::move(*channel), std::move(signals), std::move(*guardian), scheduling);
  if (process.has_error()) {
    log::error("astil-vrrp not started", {{"error", process.error().text()}});
    return kFailed;
  }
  log::info("astil-vrrp listens", {{"version", ASTIL_VERSION}, {"socket", arguments.socket}});
  (*process)->run();
  log::info("astil-vrrp ends");
  return EXIT_SUCCESS;
}

}  // namespace

int main(int count, char** values) { return serve(parse(count, values)); }
