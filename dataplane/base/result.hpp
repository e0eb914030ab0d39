// Errors as values. A function that can fail returns Result<T>; the error carries a sentence for the operator and is
// turned into output once, at the edge (command line, log, HTTP answer).
#pragma once

#include <boost/system/result.hpp>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

namespace astil {

/// What went wrong, and what to do about it. Both are whole sentences without a newline; `remedy` may be empty.
struct Error {
  std::string what;
  std::string remedy;

  [[nodiscard]] std::string text() const { return remedy.empty() ? what : what + "; " + remedy; }

  /// The same error, seen from a caller that knows more: "interface eth0: <what>".
  [[nodiscard]] Error within(const std::string& context) const { return {context + ": " + what, remedy}; }
};

template <class T = void>
using Result = boost::system::result<T, Error>;

/// boost::system::result calls this where value() is asked of an error, which is a mistake in the program.
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location& /*where*/) {
  throw std::runtime_error(error.text());
}

/// "open /x: No such file or directory" from errno's value.
inline Error system_error(const std::string& action, int errno_value) {
  return {action + ": " + std::strerror(errno_value), {}};
}

}  // namespace astil
