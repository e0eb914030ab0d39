// Columns, numbers and colours.
#include "control/cli/table.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace astil::cli {
namespace {

const char* escape_of(Tone tone) {
  switch (tone) {
    case Tone::strong:
      return "\033[1m";
    case Tone::faint:
      return "\033[2m";
    case Tone::good:
      return "\033[32m";
    case Tone::bad:
      return "\033[1;31m";
    case Tone::warning:
      return "\033[33m";
    case Tone::plain:
      break;
  }
  return "";
}

template <class... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

/// Three digits and the unit that makes them so.
std::string scaled(double value, const std::array<const char*, 7>& units) {
  std::size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < units.size(); ++unit) value /= 1000;
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return format("%.*f %s", decimals, value, units[unit]);
}

/// Characters, as a terminal counts them: bytes that do not continue a UTF-8 sequence.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

}  // namespace

std::string paint(const std::string& text, Tone tone, Colour colour) {
  if (colour == Colour::never || tone == Tone::plain || text.empty()) return text;
  return escape_of(tone) + text + "\033[0m";
}

std::vector<std::size_t> Table::widths() const {
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < columns_.size(); ++i) widths[i] = std::max(widths[i], width_of(row.at(i).text));
  }
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (widths[i] != 0) widths[i] = std::max(widths[i], width_of(columns_[i].title));
  }
  return widths;
}

std::string Table::text(Colour colour, const std::string& indent) const {
  const auto widths = this->widths();
  std::string text;
  const auto add_line = [&](const std::vector<Cell>& row) {
    std::string line = indent;
    std::string gap;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (widths[i] == 0) continue;
      const std::string padding(widths[i] - width_of(row[i].text), ' ');
      const auto painted = paint(row[i].text, row[i].tone, colour);
      line += gap + (columns_[i].align == Align::right ? padding + painted : painted + padding);
      gap = "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  std::vector<Cell> titles;
  for (const auto& column : columns_) titles.push_back({column.title, Tone::faint});
  add_line(titles);
  for (const auto& row : rows_) add_line(row);
  return text;
}

std::string count_text(std::uint64_t count) {
  if (count < 100'000) return std::to_string(count);
  return scaled(static_cast<double>(count), {"", "k", "M", "G", "T", "P", "E"});
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  return scaled(static_cast<double>(bytes), {"B", "kB", "MB", "GB", "TB", "PB", "EB"});
}

std::string percent_text(double ratio) { return format("%.1f %%", ratio * 100); }

std::string duration_text(std::chrono::seconds duration) {
  const auto seconds = std::max<std::int64_t>(duration.count(), 0);
  const auto pair = [](std::int64_t large, const char* unit, std::int64_t small, const char* small_unit) {
    auto text = std::to_string(large) + unit;
    return small == 0 ? text : text + " " + std::to_string(small) + small_unit;
  };
  if (seconds < 60) return std::to_string(seconds) + " s";
  if (seconds < 3600) return std::to_string(seconds / 60) + " min";
  if (seconds < 86400) return pair(seconds / 3600, " h", seconds / 60 % 60, " min");
  return pair(seconds / 86400, " d", seconds / 3600 % 24, " h");
}

std::string endpoint_text(const api::ip::address& address, std::uint16_t port) {
  const auto host = address.to_string();
  return (address.is_v6() ? "[" + host + "]" : host) + ":" + (port == 0 ? "any" : std::to_string(port));
}

std::string plural(std::uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string printable(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  return text;
}

}  // namespace astil::cli
