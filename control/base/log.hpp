// The structured log: one line an event on standard error, `level message key=value ...`, that journald and grep both
// read. Messages are fixed strings, so that a line can be searched for in the source; what varies stands in the fields.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace astil::log {

enum class Level { info, warning, error };

/// One `key=value`. A value with blanks, quotes or control characters is quoted and escaped.
struct Field {
  std::string_view key;
  std::string value;

  Field(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, std::integral auto v) : key(k), value(std::to_string(v)) {}
};

/// Lines below this level are not written. Default: info.
void set_level(Level level);

/// Writes one line. Thread safe. Under systemd (JOURNAL_STREAM set) the line begins with the syslog priority, `<6>`,
/// and has no time of its own; elsewhere it begins with the time in UTC.
void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});

inline void info(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::info, m, f); }
inline void warning(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::warning, m, f); }
inline void error(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::error, m, f); }

/// The line that `write` would write, without its end. For tests.
[[nodiscard]] std::string format(std::string_view message, std::initializer_list<Field> fields);

}  // namespace astil::log
