// A DPDK engine for tests, which takes many frames at once besides.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "tests/packets/world.hpp"

namespace astil::test {

class DpdkTestEngine : public TestEngine {
 public:
  /// At most dpdk::Worker::kLongestBurst frames, which become what came out.
  virtual std::vector<Exit> run_burst(std::span<Bytes> frames) = 0;
};

[[nodiscard]] std::unique_ptr<DpdkTestEngine> dpdk_burst_engine(const core::Sizes& sizes);

}  // namespace astil::test
