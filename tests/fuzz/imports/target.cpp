// The fuzzer of imports: whatever the bytes, the result is a configuration that our loader takes, and nothing in it or
// in the findings would trouble a terminal. The first byte says which format it is, and how what follows is cut into
// the file and one that it can include.
#include <algorithm>

#include "control/config/load.hpp"
#include "control/import/import.hpp"
#include "tests/fuzz/targets.hpp"

namespace astil::fuzz {
namespace {

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= ' ' && c <= '~') || c == '\n'; });
}

void expect_sound(const import::Imported& imported) {
  require(config::load(imported.yaml, "imported.yaml").has_value(), "the configuration is taken: " + imported.yaml);
  require(is_printable(imported.yaml), "the configuration is printable");
  for (const auto& finding : imported.findings) require(is_printable(render(finding)), "a finding is printable");
}

}  // namespace

void imports(Input input) {
  if (input.empty()) return;
  const auto choice = std::to_integer<std::size_t>(input[0]);
  const std::string text = text_of(input.subspan(1));
  if (choice % 2 == 1) return expect_sound(import::import_ipvsadm(text, "saved"));
  const std::size_t cut = text.size() * (choice / 2) / 127;
  const import::Files files{
      [&](const std::string& /*path*/) { return Result<std::string>(boost::system::in_place_value, text.substr(cut)); },
      [](const std::string& pattern) { return std::vector<std::string>{pattern}; }};
  expect_sound(import::import_keepalived(std::string_view(text).substr(0, cut), "keepalived.conf", files));
}

}  // namespace astil::fuzz
