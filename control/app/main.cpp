// The program `astild`.
#include <getopt.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <utility>

#include "control/app/daemon.hpp"
#include "control/base/log.hpp"
#include "control/base/notify.hpp"
#include "control/base/privileges.hpp"

namespace {

using namespace astil;

constexpr int kFailed = 1;
constexpr int kInvalid = 2;

constexpr const char* kUsage =
    "usage: astild [--config FILE] [--log-level info|warning|error]\n"
    "       astild --version | --help\n"
    "\n"
    "Forwards connections as FILE says (default /etc/astil/astil.yaml). SIGHUP applies the file again. SIGTERM ends "
    "the\n"
    "daemon and leaves packets flowing; 'astil detach' takes the packet path away.\n";

struct Arguments {
  std::string config = "/etc/astil/astil.yaml";
};

/// Exits where the arguments say so.
Arguments parse(int count, char** values) {
  constexpr option kOptions[] = {{"config", required_argument, nullptr, 'c'},
                                 {"log-level", required_argument, nullptr, 'l'},
                                 {"version", no_argument, nullptr, 'V'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {nullptr, 0, nullptr, 0}};
  Arguments arguments;
  for (int letter = 0; (letter = ::getopt_long(count, values, "c:l:Vh", kOptions, nullptr)) != -1;) {
    const std::string value = optarg == nullptr ? "" : optarg;
    if (letter == 'c') {
      arguments.config = value;
    } else if (letter == 'l' && value == "info") {
      log::set_level(log::Level::info);
    } else if (letter == 'l' && value == "warning") {
      log::set_level(log::Level::warning);
    } else if (letter == 'l' && value == "error") {
      log::set_level(log::Level::error);
    } else if (letter == 'V') {
      std::cout << "astild " << ASTIL_VERSION << "\n";
      std::exit(EXIT_SUCCESS);
    } else if (letter == 'h') {
      std::cout << kUsage;
      std::exit(EXIT_SUCCESS);
    } else {
      if (letter == 'l') std::cerr << "astild: no such log level: " << value << "\n";
      std::cerr << kUsage;
      std::exit(kInvalid);
    }
  }
  if (optind < count) {
    std::cerr << "astild: unexpected argument: " << values[optind] << "\n" << kUsage;
    std::exit(kInvalid);
  }
  return arguments;
}

/// SIGTERM and SIGINT end the loop; SIGHUP applies the file again, many of them within a while once.
class Signals {
 public:
  Signals(boost::asio::io_context& loop, boost::asio::signal_set& signals, app::Daemon& daemon)
      : loop_(loop), signals_(signals), daemon_(daemon), reload_(loop) {
    follow();
  }

 private:
  static constexpr std::chrono::milliseconds kBetweenReloads{250};

  void follow() {
    signals_.async_wait([this](boost::system::error_code error, int number) {
      if (error) return;
      if (number != SIGHUP) {
        log::info("daemon ends; packets flow on", {{"signal", number}});
        base::notify("STOPPING=1");
        loop_.stop();
        return;
      }
      follow();
      reload();
    });
  }

  void reload() {
    if (std::exchange(is_due_, true)) return;
    reload_.expires_at(std::max(std::chrono::steady_clock::now(), last_ + kBetweenReloads));
    reload_.async_wait([this](boost::system::error_code error) {
      if (error) return;
      is_due_ = false;
      daemon_.reload();
      last_ = std::chrono::steady_clock::now();
    });
  }

  boost::asio::io_context& loop_;
  boost::asio::signal_set& signals_;
  app::Daemon& daemon_;
  boost::asio::steady_timer reload_;
  std::chrono::steady_clock::time_point last_{};
  bool is_due_ = false;
};

/// Every probe under way takes a descriptor.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

/// As systemd names it (StateDirectory=), the first if there are several.
std::string state_directory() {
  const char* named = std::getenv("STATE_DIRECTORY");
  const std::string list = named == nullptr ? "" : named;
  return list.empty() ? "/var/lib/astil" : list.substr(0, list.find(':'));
}

int serve(const Arguments& arguments) {
  std::string text;
  auto model = config::load_file(arguments.config, &text);
  if (model.has_error()) {
    for (const config::Diagnostic& mistake : model.error()) std::cerr << config::render(mistake);
    return kInvalid;
  }
  if (auto allowed = base::check_privileges(); allowed.has_error()) {
    log::error("daemon not started", {{"error", allowed.error().text()}});
    return kFailed;
  }
  base::drop_privileges();  // before there are threads: each has capabilities of its own
  raise_descriptor_limit();
  boost::asio::io_context loop(1);
  boost::asio::signal_set signals(loop, SIGTERM, SIGINT, SIGHUP);
  auto daemon = app::Daemon::start(loop,
                                   {.config_file = arguments.config,
                                    .state_directory = state_directory(),
                                    .config_text = std::move(text),
                                    .program = xdp::embedded_program()},
                                   std::move(*model), [] {
                                     log::info("daemon ready", {{"version", ASTIL_VERSION}});
                                     base::notify("READY=1");
                                   });
  if (daemon.has_error()) {
    log::error("daemon not started", {{"error", daemon.error().text()}});
    return kFailed;
  }
  const Signals followed(loop, signals, **daemon);
  loop.run();
  return EXIT_SUCCESS;
}

}  // namespace

int main(int count, char** values) {
  std::signal(SIGPIPE, SIG_IGN);
  return serve(parse(count, values));
}
