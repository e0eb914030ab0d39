// The kinds of values that keys take: reading, showing, and what each accepts.
#include "control/config/kinds.hpp"

namespace astil::config {
namespace {

bool is_digit(char c) { return '0' <= c && c <= '9'; }

bool all_digits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

/// Text without quotes that readers of YAML take for a truth value or a number, and not all of them for the same one.
bool reads_as_other_type(std::string_view text) {
  constexpr std::array<std::string_view, 8> kTruths{"true", "false", "yes", "no", "on", "off", "y", "n"};
  std::string lower(text);
  for (char& c : lower) c = 'A' <= c && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (std::find(kTruths.begin(), kTruths.end(), lower) != kTruths.end()) return true;
  std::string_view number = lower;
  if (number.starts_with('+') || number.starts_with('-')) number.remove_prefix(1);
  if (number.starts_with("0x") || number.starts_with("0o")) return true;
  if (number.empty() || !(is_digit(number.front()) || number.front() == '.')) return false;
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  return end == number.data() + number.size() && error != std::errc::invalid_argument;
}

struct Unit {
  std::string_view name;
  std::int64_t milliseconds;
};
constexpr std::array kUnits{Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000}, Unit{"h", 3'600'000}};

/// Whether the set, as Text has it, holds the character.
bool set_holds(std::string_view set, char c) {
  for (std::size_t i = 0; i < set.size(); ++i) {
    const bool is_range = i + 2 < set.size() && set[i + 1] == '-';
    if (is_range ? set[i] <= c && c <= set[i + 2] : set[i] == c) return true;
    if (is_range) i += 2;
  }
  return false;
}

constexpr std::string_view kAnyPort = "any";

/// The set as a bracket expression. Only what means something inside the brackets needs its backslash.
std::string bracket(std::string_view set) {
  std::string out = "[";
  for (const char c : set) {
    if (c == '[' || c == ']' || c == '\\' || c == '^') out += '\\';
    out += c;
  }
  return out + ']';
}

}  // namespace

Result<std::uint64_t> read_integer(const Scalar& scalar) {
  const std::string_view text = scalar.text;
  if (!all_digits(text)) return Error{};
  const std::size_t zeros = std::min(text.find_first_not_of('0'), text.size() - 1);
  if (scalar.quoted) return Error{{}, "write it without quotes"};
  if (zeros > 0) return Error{{}, "write " + std::string(text.substr(zeros)) + ", without a leading zero"};
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return Error{};
  return number;
}

Result<bool> Boolean::read(const Scalar& scalar) const {
  std::string lower(scalar.text);
  for (char& c : lower) c = 'A' <= c && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const auto is_one_of = [&](std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), lower) != words.end();
  };
  const bool means_true = is_one_of({"true", "yes", "on", "y"});
  const bool means_false = is_one_of({"false", "no", "off", "n"});
  if (scalar.text != show(means_true)) {
    return Error{{}, means_true || means_false ? "write " + show(means_true) : ""};
  }
  if (scalar.quoted) return Error{{}, "write it without quotes"};
  return means_true;
}

Shape Boolean::shape() const {
  Shape shape;
  shape.type = Shape::Type::boolean;
  shape.words = "true or false";
  return shape;
}

Result<Port> ServicePort::read(const Scalar& scalar) const {
  if (scalar.text == kAnyPort) return Port{0};
  auto number = kPort.read(scalar);
  if (number || !number.error().remedy.empty()) return number;
  // As other load balancers have it.
  if (scalar.text == "0" || scalar.text == "*" || scalar.text == "all") return Error{{}, "write any for all ports"};
  const std::array known{kAnyPort};
  return Error{{}, did_you_mean(scalar.text, known)};
}

std::string ServicePort::show(const Port& value) const {
  return value == Port{0} ? std::string(kAnyPort) : kPort.show(value);
}

Shape ServicePort::shape() const {
  Shape shape = kPort.shape();
  shape.type = Shape::Type::integer_or_text;
  shape.words += ", or any";
  shape.choices = {std::string(kAnyPort)};
  return shape;
}

Result<Milliseconds> Duration::read(const Scalar& scalar) const {
  const std::size_t end = std::min(scalar.text.find_first_not_of("0123456789"), scalar.text.size());
  const std::string_view digits = scalar.text.substr(0, end);
  const std::string_view name = scalar.text.substr(end);
  if (name.empty() && !digits.empty()) {
    return Error{{}, "write the unit: " + std::string(digits) + "s or " + std::string(digits) + "ms"};
  }
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == name; });
  if (unit == kUnits.end()) return Error{};
  const auto number = read_integer({digits, false});
  if (!number) return number.error();
  if (*number > static_cast<std::uint64_t>(most.count() / unit->milliseconds)) return Error{};
  const Milliseconds value{static_cast<std::int64_t>(*number) * unit->milliseconds};
  if (value < least) return Error{};
  return value;
}

std::string Duration::show(const Milliseconds& value) const {
  const auto divides = [&](const Unit& unit) { return value.count() % unit.milliseconds == 0; };
  const auto unit = std::find_if(kUnits.rbegin(), kUnits.rend(), divides);
  return std::to_string(value.count() / unit->milliseconds) + std::string(unit->name);
}

Shape Duration::shape() const {
  Shape shape;
  shape.words = "a duration from " + show(least) + " to " + show(most);
  shape.pattern = "^(0|[1-9][0-9]*)(ms|s|m|h)$";
  return shape;
}

Result<Milliseconds> TimeToLive::read(const Scalar& scalar) const {
  auto value = Duration{Milliseconds{0}, most}.read(scalar);
  if (value && *value % std::chrono::seconds(1) != Milliseconds{0}) return Error{};
  return value;
}

Shape TimeToLive::shape() const {
  Shape shape;
  shape.words = "a duration of whole seconds, at most " + show(most);
  shape.pattern = "^(0|[1-9][0-9]*)(s|m|h)$";
  return shape;
}

std::string listed(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 < words.size() ? ", " : " or ";
    out += words[i];
  }
  return out;
}

Result<std::string> read_text(const Scalar& scalar) {
  if (!scalar.quoted && reads_as_other_type(scalar.text)) {
    return Error{{}, "put it in quotes: \"" + std::string(scalar.text) + '"'};
  }
  return Result<std::string>(boost::system::in_place_value, scalar.text);
}

bool Text::accepts(std::string_view text) const {
  if (text.empty() || text.size() > longest || !set_holds(first, text.front())) return false;
  text.remove_prefix(1);
  return std::all_of(text.begin(), text.end(), [this](char c) { return set_holds(rest, c); });
}

Result<std::string> Text::read(const Scalar& scalar) const {
  if (!accepts(scalar.text)) return Error{};
  return read_text(scalar);
}

Shape Text::shape() const {
  Shape shape;
  shape.words = words;
  shape.pattern = '^' + bracket(first) + bracket(rest) + "*$";
  shape.longest = longest;
  return shape;
}

Result<StatusRange> StatusCodes::read(const Scalar& scalar) const {
  const std::size_t dash = std::min(scalar.text.find('-'), scalar.text.size());
  const std::string_view first = scalar.text.substr(0, dash);
  const std::string_view last = dash < scalar.text.size() ? scalar.text.substr(dash + 1) : first;
  const Integer<std::uint16_t> code{100, 599};
  const auto low = code.read({first, false});
  const auto high = code.read({last, false});
  if (!low || !high || *low > *high) return Error{};
  return StatusRange{*low, *high};
}

std::string StatusCodes::show(const StatusRange& value) const {
  if (value.low == value.high) return std::to_string(value.low);
  return std::to_string(value.low) + '-' + std::to_string(value.high);
}

Shape StatusCodes::shape() const {
  Shape shape;
  shape.type = Shape::Type::integer_or_text;
  shape.minimum = 100;
  shape.maximum = 599;
  shape.words = "a status code from 100 to 599, or a range such as 200-399";
  shape.pattern = "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$";
  return shape;
}

}  // namespace astil::config
