#include "tests/bench/testpmd.hpp"

#include <array>
#include <cstdio>
#include <memory>
#include <regex>
#include <string>

namespace astil::bench {
namespace {

struct Close {
  void operator()(std::FILE* output) const { ::pclose(output); }
};

std::string output_of(const std::string& command) {
  const std::unique_ptr<std::FILE, Close> output(::popen(command.c_str(), "r"));
  std::string all;
  std::array<char, 4096> part;
  while (output && std::fgets(part.data(), part.size(), output.get()) != nullptr) all += part.data();
  return all;
}

}  // namespace

/// It runs until its input ends.
std::optional<double> testpmd_macswap(std::size_t burst) {
  const std::string all = output_of(
      "sleep 1 | dpdk-testpmd --no-huge -m 256 --no-pci --no-telemetry --no-shconf --file-prefix=testpmd "
      "--vdev=net_null0 --lcores='0@0,1@0' -- --total-num-mbufs=4096 --forward-mode=macswap --record-core-cycles "
      "--nb-cores=1 --auto-start --burst=" +
      std::to_string(burst) + " 2>/dev/null");
  static const std::regex pattern("CPU cycles/packet=([0-9.]+) .* at ([0-9]+) MHz");
  std::smatch found;
  if (!std::regex_search(all, found, pattern)) return std::nullopt;
  return std::stod(found[1]) * 1000 / std::stod(found[2]);
}

}  // namespace astil::bench
