#include "control/config/text_kinds.hpp"

#include "control/base/server_name.hpp"

namespace astil::config {
namespace {

// RFC 1035 section 2.3.4: of a label, and of a name, whose 255 octets hold a length for each label and the root's.
constexpr std::size_t kLongestLabel = 63;
constexpr std::size_t kLongestName = 253;

bool is_of_label(char c) {
  return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') || ('0' <= c && c <= '9') || c == '-' || c == '_';
}

bool is_label(std::string_view text) {
  return !text.empty() && text.size() <= kLongestLabel && std::all_of(text.begin(), text.end(), is_of_label);
}

bool is_name(std::string_view text) {
  if (text == ".") return true;
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.size() > kLongestName) return false;
  for (std::size_t dot = text.find('.'); dot != std::string_view::npos; dot = text.find('.')) {
    if (!is_label(text.substr(0, dot))) return false;
    text.remove_prefix(dot + 1);
  }
  return is_label(text);
}

}  // namespace

Result<std::string> DomainName::read(const Scalar& scalar) const {
  if (!is_name(scalar.text)) return Error{};
  return read_text(scalar);
}

Shape DomainName::shape() const {
  Shape shape;
  shape.words = "a domain name such as www.example.org";
  shape.pattern = "^([A-Za-z0-9_-]{1,63}([.][A-Za-z0-9_-]{1,63})*[.]?|[.])$";
  shape.longest = kLongestName + 1;
  return shape;
}

Result<std::string> RemoteServer::read(const Scalar& scalar) const {
  if (scalar.text.size() > kLongestName + 2 + sizeof ":65535" || !parse_server(std::string(scalar.text)))
    return Error{};
  return read_text(scalar);
}

Shape RemoteServer::shape() const {
  Shape shape;
  shape.words = "a host and a port such as lb1.example.org:9443 or [2001:db8::5]:9443";
  shape.pattern = R"(^(\[[^]]+\]|[^:]+):[0-9]{1,5}$)";
  shape.longest = kLongestName + 2 + sizeof ":65535";
  return shape;
}

Result<std::string> Payload::read(const Scalar& scalar) const {
  if (scalar.text.size() > longest) return Error{};
  return read_text(scalar);
}

Shape Payload::shape() const {
  Shape shape;
  shape.words = "text of at most " + std::to_string(longest) + " bytes";
  shape.longest = longest;
  return shape;
}

}  // namespace astil::config
