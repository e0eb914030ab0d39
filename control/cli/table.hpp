// Text for people: columns that line up, numbers and times as they are read, and colour where a terminal shows it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/api/view.hpp"

namespace astil::cli {

enum class Colour { never, always };

enum class Tone { plain, strong, faint, good, bad, warning };

/// `text` in the tone's colour, or as it is.
[[nodiscard]] std::string paint(const std::string& text, Tone tone, Colour colour);

enum class Align { left, right };

/// One cell; its width is that of the text, never of the colour.
struct Cell {
  std::string text;
  Tone tone = Tone::plain;
};

class Table {
 public:
  struct Column {
    std::string title;
    Align align = Align::left;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// As many cells as there are columns.
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }

  /// Lines that each begin with `indent`. A column without any text in its rows is left out.
  [[nodiscard]] std::string text(Colour colour, const std::string& indent = "  ") const;

 private:
  [[nodiscard]] std::vector<std::size_t> widths() const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

/// "1234", from 100,000 on with three digits and a unit: "123 k", "1.23 M".
[[nodiscard]] std::string count_text(std::uint64_t count);
/// "999 B", "1.23 MB"; powers of 1000.
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
/// "12.5 %" of a ratio.
[[nodiscard]] std::string percent_text(double ratio);
/// "8 s", "5 min", "3 h 12 min", "4 d 3 h".
[[nodiscard]] std::string duration_text(std::chrono::seconds duration);
/// "192.0.2.1:80", "[2001:db8::1]:80"; a service's port 0 is any: "192.0.2.1:any".
[[nodiscard]] std::string endpoint_text(const api::ip::address& address, std::uint16_t port);
/// "1 flow", "2 flows".
[[nodiscard]] std::string plural(std::uint64_t count, const std::string& noun);
/// Without control characters, which what the daemon reports (a backend's error) might carry to a terminal.
[[nodiscard]] std::string printable(std::string text);

}  // namespace astil::cli
