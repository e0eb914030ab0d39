// The kinds of values that keys take: reading, showing, and what each accepts.
#include "control/config/kinds.hpp"

#include <boost/asio/ip/address.hpp>
#include <initializer_list>

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

/// The set as a bracket expression. Only what means something inside the brackets needs its backslash.
std::string bracket(std::string_view set) {
  std::string out = "[";
  for (const char c : set) {
    if (c == '[' || c == ']' || c == '\\' || c == '^') out += '\\';
    out += c;
  }
  return out + ']';
}

/// Why no host of a network can have the address; nothing where one can.
std::string_view not_a_host(const boost::asio::ip::address_v4& host) {
  const std::uint32_t bits = host.to_uint();
  if (bits >> 24U == 0) return "is not an address of a host (0.0.0.0/8)";
  if (host.is_loopback()) return "is a loopback address, which does not leave this host";
  if (host.is_multicast()) return "is a multicast address";
  if (bits >> 28U == 15) return "is a reserved address (240.0.0.0/4)";
  return {};
}

Result<Port> read_port(std::string_view text) { return Integer<Port>{1, 65535}.read({text, false}); }

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

std::string listed(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 < words.size() ? ", " : " or ";
    out += words[i];
  }
  return out;
}

bool Text::accepts(std::string_view text) const {
  if (text.empty() || text.size() > longest || !set_holds(first, text.front())) return false;
  text.remove_prefix(1);
  return std::all_of(text.begin(), text.end(), [this](char c) { return set_holds(rest, c); });
}

Result<std::string> Text::read(const Scalar& scalar) const {
  if (!accepts(scalar.text)) return Error{};
  if (!scalar.quoted && reads_as_other_type(scalar.text)) {
    return Error{{}, "put it in quotes: \"" + std::string(scalar.text) + '"'};
  }
  return Result<std::string>(boost::system::in_place_value, scalar.text);
}

Shape Text::shape() const {
  Shape shape;
  shape.words = words;
  shape.pattern = '^' + bracket(first) + bracket(rest) + "*$";
  shape.longest = longest;
  return shape;
}

Result<address> HostAddress::read(const Scalar& scalar) const {
  const std::string text(scalar.text);
  boost::system::error_code error;
  const address host = boost::asio::ip::make_address(text, error);
  if (error) {
    if (text.find('/') != std::string::npos) return Error{{}, "write the address without a prefix length"};
    const bool is_name = text.find_first_not_of("0123456789.:") != std::string::npos;
    return Error{{}, is_name ? "names are not resolved: write the address" : ""};
  }
  if (!host.is_v4()) return Error{"IPv6 addresses are not supported by this version", "use an IPv4 address"};
  const std::string_view reason = not_a_host(host.to_v4());
  if (!reason.empty()) return Error{text + ' ' + std::string(reason), {}};
  return host;
}

Shape HostAddress::shape() const {
  Shape shape;
  shape.words = "an IPv4 address";
  shape.pattern = R"(^[0-9]{1,3}(\.[0-9]{1,3}){3}$)";
  return shape;
}

Result<Endpoint> ListenEndpoint::read(const Scalar& scalar) const {
  const std::size_t colon = scalar.text.rfind(':');
  if (colon == std::string_view::npos) {
    return Error{{},
                 all_digits(scalar.text) ? "write the address too: \"127.0.0.1:" + std::string(scalar.text) + '"' : ""};
  }
  std::string_view host = scalar.text.substr(0, colon);
  const bool is_bracketed = host.starts_with('[') && host.ends_with(']');
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const address parsed = boost::asio::ip::make_address(std::string(host), error);
  const auto port = read_port(scalar.text.substr(colon + 1));
  if (error || !port) return Error{};
  if (parsed.is_v6() != is_bracketed) return Error{{}, is_bracketed ? "" : "write an IPv6 address in brackets"};
  if (parsed.is_multicast()) return Error{parsed.to_string() + " is a multicast address", {}};
  return Endpoint{parsed, *port};
}

std::string ListenEndpoint::show(const Endpoint& value) const {
  const std::string host = value.host.is_v6() ? '[' + value.host.to_string() + ']' : value.host.to_string();
  return host + ':' + std::to_string(static_cast<std::uint16_t>(value.port));
}

Shape ListenEndpoint::shape() const {
  Shape shape;
  shape.words = "an address and a port such as \"127.0.0.1:9105\"";
  shape.pattern = R"(^([0-9.]+|\[[^\]]+\]):[0-9]+$)";
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
