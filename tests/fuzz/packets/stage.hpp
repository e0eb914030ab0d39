// Where a scenario is played: an engine whose tables begin empty.
#pragma once

#include "tests/fuzz/packets/scenario.hpp"

namespace astil::fuzz {

/// Tables in which a few flows fill a line, and that are soon emptied.
[[nodiscard]] core::Sizes stage_sizes();

class Stage {
 public:
  /// Empties the engine's tables. The engine must outlive the stage.
  explicit Stage(test::TestEngine& engine);

  [[nodiscard]] const dataplane::Tables& tables() const { return world_.tables(); }
  test::Exit run(Bytes& frame) { return world_.engine().run(frame); }
  [[nodiscard]] bool takes(const Bytes& frame) { return world_.engine().takes(frame); }
  /// Does a step that is no frame.
  void prepare(const Step& step);

 private:
  void publish(std::span<const std::byte> bytes);
  void take_census();

  test::World world_;
};

}  // namespace astil::fuzz
