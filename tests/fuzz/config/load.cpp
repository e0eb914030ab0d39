// Fuzzer of the configuration loader: whatever the bytes, a model or mistakes within the text; no crash, no endless
// run.
#include "control/config/load.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using astil::config::Diagnostic;

bool is_in_order(const Diagnostic& a, const Diagnostic& b) {
  return a.line != b.line ? a.line < b.line : a.column <= b.column;
}

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto result = astil::config::load(text, "fuzz.yaml");
  if (result.has_value()) {
    require(!result->interfaces.empty());
    return 0;
  }
  const auto& mistakes = result.error();
  require(!mistakes.empty());
  require(std::adjacent_find(mistakes.begin(), mistakes.end(), [](const Diagnostic& a, const Diagnostic& b) {
            return !is_in_order(a, b);
          }) == mistakes.end());
  require(!astil::config::render(mistakes).empty());
  return 0;
}
