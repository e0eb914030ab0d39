// What was changed behind the daemon's back and put right: counted, and told once each time. What can not be put right
// is told when it begins, and not each time it is tried.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "control/api/view.hpp"
#include "dataplane/repair.hpp"

namespace astil::app {

class Repairs {
 public:
  /// Each is called for what is new.
  struct Told {
    std::function<void(const std::string& kind, const std::string& what)> repaired;
    std::function<void(const std::string& kind, const std::string& what, const std::string& why)> failed;
  };
  explicit Repairs(Told told) : told_(std::move(told)) {}

  /// What one look at everything has found; what failed before and is not in it has ended.
  void see(const std::vector<dataplane::Repair>& found);
  /// Of what tells by itself that it was changed.
  void repaired(const std::string& kind, const std::string& what);

  /// What can not be put right now, as sentences.
  [[nodiscard]] const std::set<std::string>& failing() const { return failing_; }
  [[nodiscard]] std::vector<api::RepairView> view() const;

 private:
  Told told_;
  std::map<std::string, api::RepairView> counts_;
  std::set<std::string> failing_;
};

}  // namespace astil::app
