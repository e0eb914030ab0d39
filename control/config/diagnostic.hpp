// A mistake in a configuration file, as an operator sees it: where it is, what is wrong, what was probably meant. Plain
// data for whoever prints it as text (render) or as JSON (the fields).
#pragma once

#include <boost/assert/source_location.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace astil::config {

struct Diagnostic {
  std::string file;
  std::uint32_t line = 0;    ///< counted from 1; 0: the file as a whole (it can not be read)
  std::uint32_t column = 0;  ///< counted from 1, in characters, a tab being one
  std::string message;       ///< a clause without a full stop: `unknown key "prot" in services.web`
  std::string hint;          ///< what to do about it, or empty: `did you mean "port"?`
  std::string source_line;   ///< fit for a terminal: UTF-8 without control characters but the tab; a long line is cut
  std::uint32_t caret = 0;   ///< of a line that was cut: the column within `source_line`; else 0

  bool operator==(const Diagnostic&) const = default;
};

/// All mistakes of one file, in order of position; never empty where it stands for a failure.
using Diagnostics = std::vector<Diagnostic>;

/// `file:line:column: error: message`, the source line, a caret with the hint; each line ends with a newline.
[[nodiscard]] std::string render(const Diagnostic& diagnostic);
[[nodiscard]] std::string render(const Diagnostics& diagnostics);

/// boost::system::result calls this where value() is asked of a failure, which is a mistake in the program.
[[noreturn]] void throw_exception_from_error(const Diagnostics& diagnostics, const boost::source_location& where);

}  // namespace astil::config
