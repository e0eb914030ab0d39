// The fuzzer of the packet path: whatever stands in the tables and whatever comes, the native engine stays within its
// bounds (the sanitizers see to that), every frame ends as tests/packets/sense.hpp says, and nothing is written but
// flows, counters and turns.
#include <cstring>
#include <utility>

#include "tests/fuzz/packets/stage.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/packets/sense.hpp"

namespace astil::fuzz {
namespace {

using dataplane::TableId;
using dataplane::Tables;

/// The tables that only the control plane writes, as they were when frames began to come.
class Untouched {
 public:
  explicit Untouched(const Tables& tables) : tables_(tables) {}

  void remember() {
    if (std::exchange(remembers_, true)) return;
    for (std::size_t i = 0; i < kIds.size(); ++i) {
      const auto now = contents(kIds[i]);
      before_[i].assign(now.begin(), now.end());
    }
  }
  void check_and_forget() {
    if (!std::exchange(remembers_, false)) return;
    for (std::size_t i = 0; i < kIds.size(); ++i) {
      require(std::memcmp(contents(kIds[i]).data(), before_[i].data(), before_[i].size()) == 0,
              "the packet path leaves services, backends and rings as they are");
    }
  }

 private:
  static constexpr std::array kIds{TableId::settings, TableId::service_index, TableId::services,
                                   TableId::backends, TableId::rings,         TableId::members};

  [[nodiscard]] std::span<const std::byte> contents(TableId id) const {
    const auto index = static_cast<std::size_t>(id);
    const dataplane::TableSpec& spec = dataplane::kTableSpecs[index];
    return {tables_.memory[index], spec.record_bytes * spec.records(tables_.sizes)};
  }

  const Tables& tables_;
  std::array<Bytes, kIds.size()> before_;  // their memory is used again for every input
  bool remembers_ = false;
};

void check_flows(const Tables& tables) {
  for (const core::FlowLine& line : tables.flows()) {
    for (const std::uint64_t entry : line.entries) {
      if (entry == 0) continue;
      require(core::tag_of(entry) != 0 && core::state_of(entry) != core::FlowState::free, "an entry in use has a tag");
      require(core::backend_of(entry) < tables.sizes.backends, "an entry's backend has a record");
    }
  }
}

void run_frame(Stage& stage, test::Sense& sense, const Step& step) {
  Bytes in = step.bytes;
  if (step.kind == StepKind::repaired_frame) repair(in);
  Bytes out = in;
  const test::Exit exit = stage.run(out);
  const std::string fault = sense.check(in, out, exit);
  require(fault.empty(), fault);
}

}  // namespace

void packets(Input input) {
  static const std::unique_ptr<test::TestEngine> engine = test::native_engine(stage_sizes());
  static Untouched untouched(engine->tables());
  Stage stage(*engine);
  test::Sense sense(stage.tables());
  for (const Step& step : steps_of(input)) {
    if (step.kind == StepKind::frame || step.kind == StepKind::repaired_frame) {
      untouched.remember();
      run_frame(stage, sense, step);
    } else {
      untouched.check_and_forget();
      stage.prepare(step);
      sense = test::Sense(stage.tables());
    }
  }
  untouched.check_and_forget();
  check_flows(stage.tables());
}

}  // namespace astil::fuzz
