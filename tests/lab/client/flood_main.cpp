// lab_flood: floods a service with SYNs, SYNs and ACKs, or bare ACKs from sources that nobody has. It prints one JSON
// object when all have left.
#include <boost/json.hpp>
#include <cstdlib>
#include <iostream>
#include <span>

#include "tests/lab/client/flood.hpp"

int main(int argc, char** argv) {
  const auto options = astil::lab::parse_flood_options(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
  if (!options) {
    std::cerr << "lab_flood: " << options.error().text() << '\n' << astil::lab::kFloodUsage;
    return 2;
  }
  const auto report = astil::lab::flood(*options);
  if (!report) {
    std::cerr << "lab_flood: " << report.error().text() << '\n';
    return EXIT_FAILURE;
  }
  std::cout << boost::json::object{{"frames", report->frames}, {"pauses", report->pauses}, {"seconds", report->seconds}}
            << std::endl;
  return EXIT_SUCCESS;
}
