#include "control/cli/fmt.hpp"

#include "control/base/atomic_file.hpp"
#include "control/config/format.hpp"

namespace astil::cli {
namespace {

int tell(const Command& command, const std::string& name, bool changed, const std::string& words) {
  if (command.as_json()) {
    print_json(command, {{"file", name}, {"changed", changed}});
  } else {
    command.with.out << name << " " << words << "\n";
  }
  return kDone;
}

}  // namespace

int fmt(const Command& command) {
  const std::string& file = command.invocation.operand;
  const auto text = read_input(command, file);
  if (!text) return misuse(command.with, text.error());
  const std::string name = name_of_input(file);
  const auto made = config::format(*text, name);
  if (!made) return fail(command, {name + ": " + plural(made.error().size(), "mistake"), {}, made.error()});
  const bool same = *made == *text;
  if (command.invocation.options.contains("--check")) {
    if (same) return tell(command, name, false, "is in its canonical form");
    return fail(command, Error{name + " is not in its canonical form", "astil fmt " + file});
  }
  if (file == "-") {
    command.with.out << *made;
    return kDone;
  }
  if (same) return tell(command, name, false, "is in its canonical form already");
  if (const auto written = base::rewrite_atomically(file, *made); !written) return fail(command, written.error());
  return tell(command, name, true, "is in its canonical form now");
}

}  // namespace astil::cli
