// A diagnostic as text: position, message, the source line, a caret under the column.
#include "control/config/diagnostic.hpp"

#include <stdexcept>

#include "control/config/utf8.hpp"

namespace astil::config {
namespace {

/// As wide on a terminal as the characters before the caret.
std::string margin_of(const Diagnostic& diagnostic) {
  const std::uint32_t caret = diagnostic.caret != 0 ? diagnostic.caret : diagnostic.column;
  std::string margin;
  std::string_view rest = diagnostic.source_line;
  for (std::uint32_t column = 1; column < caret && !rest.empty(); ++column) {
    const Character character = first_character(rest);
    rest.remove_prefix(character.bytes.size());
    // A tab stays a tab, so that it is as wide as the one above, whatever the terminal makes of it.
    if (character.code == '\t') {
      margin += '\t';
    } else {
      margin.append(display_width(character.code), ' ');
    }
  }
  return margin;
}

}  // namespace

std::string render(const Diagnostic& diagnostic) {
  std::string out = diagnostic.file;
  if (diagnostic.line == 0) {
    out += ": error: " + diagnostic.message + '\n';
    return diagnostic.hint.empty() ? out : out + diagnostic.hint + '\n';
  }
  out += ':' + std::to_string(diagnostic.line) + ':' + std::to_string(diagnostic.column);
  out += ": error: " + diagnostic.message + '\n';
  out += diagnostic.source_line + '\n' + margin_of(diagnostic) + '^';
  if (!diagnostic.hint.empty()) out += ' ' + diagnostic.hint;
  return out + '\n';
}

std::string render(const Diagnostics& diagnostics) {
  std::string out;
  for (const Diagnostic& diagnostic : diagnostics) out += render(diagnostic);
  return out;
}

void throw_exception_from_error(const Diagnostics& diagnostics, const boost::source_location& /*where*/) {
  throw std::runtime_error(render(diagnostics));
}

}  // namespace astil::config
