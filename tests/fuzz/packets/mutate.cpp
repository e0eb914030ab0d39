// libFuzzer changes scenarios step by step, so that a change of one leaves the others as they are; and new frames are
// those of the random run, which know what a frame looks like.
#include <algorithm>
#include <cstdint>

#include "tests/fuzz/packets/scenario.hpp"
#include "tests/packets/mutator.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace astil::fuzz {
namespace {

using test::Lots;

/// Lets libFuzzer change bytes as it likes, and add some.
void mutate(Bytes& bytes) {
  constexpr std::size_t kMore = 32;
  const std::size_t size = bytes.size();
  bytes.resize(std::min(size + kMore, kLongestStep));
  bytes.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(bytes.data()), size, bytes.size()));
}

Bytes drawn_bytes(Lots& lots, std::uint32_t count) {
  Bytes bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(lots.below(256));
  return bytes;
}

Step drawn_step(Lots& lots) {
  switch (lots.below(8)) {
    case 0:
    case 1:
      return {.kind = StepKind::services, .bytes = drawn_bytes(lots, 1 + lots.below(40))};
    case 2:
      return {.kind = StepKind::flows, .bytes = drawn_bytes(lots, 5 * (1 + lots.below(4)))};
    case 3:
      return {.kind = lots.one_in(2) ? StepKind::time : StepKind::census, .bytes = drawn_bytes(lots, 1)};
    default:
      return {.kind = lots.one_in(2) ? StepKind::frame : StepKind::repaired_frame,
              .bytes = test::Mutator(lots.below(1U << 31U)).next()};
  }
}

void change(std::vector<Step>& steps, Lots& lots) {
  const auto any = [&] { return lots.below(static_cast<std::uint32_t>(steps.size())); };
  const auto insert = [&](Step step) {
    const auto place = lots.below(static_cast<std::uint32_t>(steps.size()) + 1);
    steps.insert(steps.begin() + place, std::move(step));
  };
  if (steps.empty()) return insert({.kind = StepKind::services, .bytes = drawn_bytes(lots, 1 + lots.below(40))});
  switch (lots.below(8)) {
    case 0:
    case 1:
      return insert(drawn_step(lots));
    case 2:  // a packet that comes again
      return insert(steps[any()]);
    case 3:
      steps.erase(steps.begin() + any());
      return;
    case 4:
      std::swap(steps[any()], steps[any()]);
      return;
    default:
      return mutate(steps[any()].bytes);
  }
}

}  // namespace
}  // namespace astil::fuzz

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  using namespace astil::fuzz;
  astil::test::Lots lots(seed);
  std::vector<Step> steps = steps_of(std::as_bytes(std::span(data, size)));
  change(steps, lots);
  const Bytes bytes = bytes_of(steps);
  if (bytes.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::transform(bytes.begin(), bytes.end(), data, [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
  return bytes.size();
}
