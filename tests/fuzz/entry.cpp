// libFuzzer's way into the one target that ASTIL_FUZZ_TARGET names.
#include <cstdint>

#include "tests/fuzz/targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  astil::fuzz::ASTIL_FUZZ_TARGET(std::as_bytes(std::span(data, size)));
  return 0;
}
