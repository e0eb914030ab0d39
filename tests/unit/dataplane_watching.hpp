// An engine that lets a test look at the tables at the moment in which a publisher waits for packets under way: what
// those may still read must be there.
#pragma once

#include <functional>
#include <memory>

#include "tests/packets/world.hpp"

namespace astil::test {

class WatchingEngine final : public TestEngine {
 public:
  explicit WatchingEngine(const core::Sizes& sizes) : inner_(native_engine(sizes)) {}

  [[nodiscard]] const dataplane::Tables& tables() const override { return inner_->tables(); }
  Exit run(Bytes& frame) override { return inner_->run(frame); }
  void wait_for_readers() override {
    if (at_wait) at_wait();
  }

  std::function<void()> at_wait;

 private:
  std::unique_ptr<TestEngine> inner_;
};

}  // namespace astil::test
