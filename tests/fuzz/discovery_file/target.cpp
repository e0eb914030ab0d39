// The fuzzer of files of targets, which other programs write, and of what is kept of them. The first byte says the
// language. A set that is taken is in order, and is the same when it is kept and read back.
#include <algorithm>

#include "control/discovery/kept_sets.hpp"
#include "control/discovery/targets.hpp"
#include "tests/fuzz/targets.hpp"

namespace astil::fuzz {

void discovery_file(Input input) {
  if (input.empty()) return;
  const auto choice = std::to_integer<unsigned>(input[0]) % 3;
  const std::string text = text_of(input.subspan(1));
  if (choice == 2) {
    const discovery::KeptSets kept = discovery::kept_sets_of(text);
    const std::string again = discovery::text_of(kept);
    require(discovery::text_of(discovery::kept_sets_of(again)) == again, "what is kept is read back");
    return;
  }
  const auto set = discovery::read_targets(text, choice == 0 ? "web.json" : "web.yaml");
  if (set.has_error()) {
    const std::string error = set.error().text();
    require(!error.empty() && error.size() < 1000, "what is wrong is told, and not at any length");
    return;
  }
  require(set->size() <= discovery::kMostTargets, "so many are read at most");
  require(std::ranges::is_sorted(*set), "a set is in order");
  require(discovery::made_set(*set) == *set, "each address and port is there once");
  for (const discovery::Found& found : *set) {
    require(static_cast<unsigned>(found.weight) <= 1000, "a weight is one of a backend");
    require(discovery::name_of(found, config::Port{80}).size() <= 63, "a name is one of a backend");
  }
  const discovery::KeptSets kept{{"web", {.source = "file web", .set = *set}}};
  require(discovery::kept_sets_of(discovery::text_of(kept)).at("web").set == *set, "what is found is kept as it is");
}

}  // namespace astil::fuzz
