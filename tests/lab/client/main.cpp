// lab_client: drives HTTP/1.1 connections through a balancer and counts, connection by connection, what became of them.
// It prints one JSON object a line on standard output. Exit status 0 says that it ran, not that nothing failed: read
// the report.
#include <cstdlib>
#include <iostream>
#include <span>

#include "tests/lab/client/load.hpp"
#include "tests/lab/client/options.hpp"

int main(int argc, char** argv) {
  const auto options = astil::lab::parse_options(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
  if (!options) {
    std::cerr << "lab_client: " << options.error().text() << '\n' << astil::lab::kUsage;
    return 2;
  }
  if (const auto ran = astil::lab::Load(*options).run(); !ran) {
    std::cerr << "lab_client: " << ran.error().text() << '\n';
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
