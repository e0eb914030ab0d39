#include "control/dns/name.hpp"

namespace astil::dns {
namespace {

bool is_plain(char c) {
  return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') || ('0' <= c && c <= '9') || c == '-' || c == '_' || c == '*';
}

}  // namespace

Result<std::string> name_from_text(std::string_view text) {
  const Error wrong{"'" + std::string(text) + "' is not a domain name", "write a name such as www.example.org"};
  using Made = Result<std::string>;
  if (text == ".") return Made(boost::system::in_place_value, 1, '\0');
  if (text.ends_with('.')) text.remove_suffix(1);
  std::string name;
  for (;;) {
    const std::string_view label = text.substr(0, text.find('.'));
    if (label.empty() || label.size() > kLongestLabel) return wrong;
    name += static_cast<char>(label.size());
    for (const char c : label) name += folded(c);
    if (label.size() == text.size()) break;
    text.remove_prefix(label.size() + 1);
  }
  name += '\0';
  if (name.size() > kLongestName) return wrong;
  return Result<std::string>(boost::system::in_place_value, std::move(name));
}

Result<std::string> name_below(std::string_view text, std::string_view origin) {
  if (text == "@") return Result<std::string>(boost::system::in_place_value, origin);
  auto name = name_from_text(text);
  if (name.has_error()) return name;
  name->pop_back();
  name->append(origin);
  if (name->size() > kLongestName) return Error{"'" + std::string(text) + "' is too long a name there", {}};
  return name;
}

std::string name_to_text(std::string_view name) {
  if (is_root(name)) return ".";
  std::string text;
  while (!is_root(name)) {
    if (!text.empty()) text += '.';
    const std::size_t length = static_cast<unsigned char>(name.front());
    for (const char c : name.substr(1, length)) {
      if (is_plain(c)) {
        text += c;
        continue;
      }
      const auto byte = static_cast<unsigned char>(c);
      text += '\\';
      for (const unsigned digit : {byte / 100U, byte / 10U % 10U, byte % 10U}) text += static_cast<char>('0' + digit);
    }
    name = parent_of(name);
  }
  return text;
}

bool is_within(std::string_view name, std::string_view other) {
  while (name.size() > other.size()) name = parent_of(name);
  return name == other;
}

}  // namespace astil::dns
