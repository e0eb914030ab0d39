#include "control/app/repairs.hpp"

#include <array>
#include <utility>

namespace astil::app {
namespace {

/// Those that are counted, each from the start.
constexpr std::array kKinds{"attachment", "pin", "table", "address", "next-hop", "probe"};

std::string name_of(dataplane::Repaired kind) {
  switch (kind) {
    case dataplane::Repaired::attachment:
      return "attachment";
    case dataplane::Repaired::pin:
      return "pin";
    case dataplane::Repaired::table:
      break;
  }
  return "table";
}

}  // namespace

void Repairs::see(const std::vector<dataplane::Repair>& found) {
  std::set<std::string> failing;
  for (const dataplane::Repair& repair : found) {
    const std::string kind = name_of(repair.kind);
    if (repair.failure.empty()) {
      repaired(kind, repair.what);
      continue;
    }
    ++counts_[kind].failed;
    const std::string sentence = repair.what + ": " + repair.failure;
    if (!failing_.contains(sentence)) told_.failed(kind, repair.what, repair.failure);
    failing.insert(sentence);
  }
  failing_ = std::move(failing);
}

void Repairs::repaired(const std::string& kind, const std::string& what) {
  ++counts_[kind].done;
  told_.repaired(kind, what);
}

std::vector<api::RepairView> Repairs::view() const {
  std::vector<api::RepairView> view;
  for (const char* const kind : kKinds) {
    const auto found = counts_.find(kind);
    api::RepairView counted = found == counts_.end() ? api::RepairView{} : found->second;
    counted.what = kind;
    view.push_back(std::move(counted));
  }
  return view;
}

}  // namespace astil::app
