#include "tests/fuzz/packets/stage.hpp"

#include <algorithm>

#include "dataplane/census.hpp"
#include "tests/packets/sense.hpp"

namespace astil::fuzz {
namespace {

/// An engine that belongs to another.
class Borrowed final : public test::TestEngine {
 public:
  explicit Borrowed(test::TestEngine& engine) : engine_(engine) {}
  [[nodiscard]] const dataplane::Tables& tables() const override { return engine_.tables(); }
  test::Exit run(Bytes& frame) override { return engine_.run(frame); }
  [[nodiscard]] bool takes(const Bytes& frame) const override { return engine_.takes(frame); }

 private:
  test::TestEngine& engine_;
};

std::unique_ptr<test::TestEngine> emptied(test::TestEngine& engine) {
  const dataplane::Tables& tables = engine.tables();
  const std::uint32_t tick_multiplier = tables.settings().tick_multiplier;
  const auto key = std::to_array(tables.settings().hash_key);
  // They are large, and seldom used.
  const bool has_ports = !std::ranges::all_of(tables.settings().port_sources, dataplane::is_free);
  for (std::size_t i = 0; i < dataplane::kTableCount; ++i) {
    const auto id = static_cast<dataplane::TableId>(i);
    if (!has_ports && (id == dataplane::TableId::ports || id == dataplane::TableId::port_clients)) continue;
    const dataplane::TableSpec& spec = dataplane::kTableSpecs[i];
    std::fill_n(tables.memory[i], spec.record_bytes * spec.records(tables.sizes), std::byte{0});
  }
  dataplane::initialise(tables, key, tick_multiplier);
  return std::make_unique<Borrowed>(engine);
}

}  // namespace

core::Sizes stage_sizes() {
  core::Sizes sizes = test::small_sizes();
  sizes.flow_lines = 8;
  sizes.client_lines = 8;
  sizes.ring_lines = 128;
  return sizes;
}

Stage::Stage(test::TestEngine& engine) : world_(emptied(engine)) {}

void Stage::prepare(const Step& step) {
  switch (step.kind) {
    case StepKind::services:
      return publish(step.bytes);
    case StepKind::flows:
      return plant_flows(tables(), step.bytes);
    case StepKind::time:
      test::forget_limits(tables());
      return world_.let_pass(step.bytes.empty() ? 1 : std::to_integer<std::uint32_t>(step.bytes[0]));
    case StepKind::census:
      return take_census();
    case StepKind::frame:
    case StepKind::repaired_frame:
      break;
  }
}

/// What is refused leaves everything as it was.
void Stage::publish(std::span<const std::byte> bytes) {
  const Wanted wanted = state_of(bytes);
  if (world_.publisher().publish(wanted.state).has_error()) return;
  tables().settings().header.ring_only = wanted.ring_only ? core::kOld : core::kAlone;
}

void Stage::take_census() {
  const dataplane::Census census = dataplane::take_census(tables(), 0);
  world_.publisher().release([&](std::uint32_t number) { return census.active[number] != 0; });
  world_.publisher().settle_sources(census.ports);
}

}  // namespace astil::fuzz
