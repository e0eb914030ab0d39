// The program `astil`.
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "control/app/offline.hpp"
#include "control/cli/run.hpp"

namespace {

/// Colour where a terminal shows it and nobody objects (no-color.org).
astil::cli::Colour colour_of_stdout() {
  const char* refused = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool plain =
      (refused != nullptr && *refused != '\0') || terminal == nullptr || std::string_view(terminal) == "dumb";
  return isatty(STDOUT_FILENO) == 1 && !plain ? astil::cli::Colour::always : astil::cli::Colour::never;
}

}  // namespace

int main(int count, char** values) {
  std::signal(SIGPIPE, SIG_IGN);  // the daemon may end while it is asked
  const std::vector<std::string> arguments(values + 1, values + count);
  return astil::cli::run(arguments, {.in = std::cin,
                                     .out = std::cout,
                                     .err = std::cerr,
                                     .colour = colour_of_stdout(),
                                     .out_is_terminal = isatty(STDOUT_FILENO) == 1,
                                     .detach_offline = astil::app::detach_offline,
                                     .find_socket = astil::app::socket_of_daemon});
}
