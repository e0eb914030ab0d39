#include "control/base/log.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>

namespace astil::log {
namespace {

std::atomic<Level> threshold{Level::info};

struct Names {
  std::string_view text;
  std::string_view priority;  // as sd-daemon(3) has it
};

constexpr std::array<Names, 3> kNames{{{"info", "<6>"}, {"warning", "<4>"}, {"error", "<3>"}}};

bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == '\x7f') return true;
  }
  return false;
}

void append_quoted(std::string& line, std::string_view value) {
  constexpr std::string_view hex = "0123456789abcdef";
  line += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c == '\n') {
      line += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      line += "\\x";
      line += hex[byte >> 4U];
      line += hex[byte & 15U];
    } else {
      line += c;
    }
  }
  line += '"';
}

std::string utc_now() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::string fraction = std::to_string(1000 + millis);
  return std::string(text.data(), length) + "." + fraction.substr(1) + "Z ";
}

}  // namespace

void set_level(Level level) { threshold.store(level, std::memory_order_relaxed); }

std::string format(std::string_view message, std::initializer_list<Field> fields) {
  std::string line(message);
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    if (needs_quotes(field.value)) {
      append_quoted(line, field.value);
    } else {
      line += field.value;
    }
  }
  return line;
}

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (level < threshold.load(std::memory_order_relaxed)) return;
  static const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  const Names& names = kNames[static_cast<std::size_t>(level)];
  std::string line = journal ? std::string(names.priority) : utc_now();
  line += names.text;
  line += ' ';
  line += format(message, fields);
  line += '\n';
  // One write a line, so that lines of two threads do not mix. What standard error does not take is lost: a log must
  // not block.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace astil::log
