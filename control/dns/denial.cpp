#include "control/dns/denial.hpp"

#include <algorithm>

#include "control/dns/name.hpp"

namespace astil::dns {
namespace {

/// A letter in upper case is folded, so what follows `@` is what follows `Z`.
unsigned char following(unsigned char byte) { return byte == '@' ? '[' : static_cast<unsigned char>(byte + 1); }

}  // namespace

std::string next_name(std::string_view name, std::string_view apex) {
  constexpr std::string_view kLeast{"\1\0", 2};
  if (name.size() + kLeast.size() <= kLongestName) return std::string(kLeast) + std::string(name);
  // There is no room for another label: a longer one in front, or a greater one.
  const auto length = static_cast<unsigned char>(name.front());
  if (length < kLongestLabel && name.size() < kLongestName) {
    std::string longer(1, static_cast<char>(length + 1));
    longer += name.substr(1, length);
    longer += '\0';
    return longer.append(name.substr(1 + length));
  }
  for (; name != apex; name = parent_of(name)) {
    std::string_view label = name.substr(1, static_cast<unsigned char>(name.front()));
    while (!label.empty() && static_cast<unsigned char>(label.back()) == 0xff) label.remove_suffix(1);
    if (label.empty()) continue;
    std::string greater(1, static_cast<char>(label.size()));
    greater += label;
    greater.back() = static_cast<char>(following(static_cast<unsigned char>(greater.back())));
    return greater.append(parent_of(name));
  }
  return std::string(apex);
}

std::string nsec_data(std::string_view next, std::vector<Type> types) {
  std::string data(next);
  std::sort(types.begin(), types.end());
  for (std::size_t i = 0; i < types.size();) {
    // RFC 4034 section 4.1.2: a window is of 256 types, as many bytes as there are to the last that is not 0.
    const auto window = static_cast<unsigned>(types[i]) >> 8U;
    std::string bits;
    for (; i < types.size() && static_cast<unsigned>(types[i]) >> 8U == window; ++i) {
      const auto low = static_cast<unsigned>(types[i]) & 0xffU;
      bits.resize(low / 8U + 1);
      bits[low / 8U] = static_cast<char>(static_cast<unsigned char>(bits[low / 8U]) | 0x80U >> low % 8U);
    }
    data += static_cast<char>(window);
    data += static_cast<char>(bits.size());
    data += bits;
  }
  return data;
}

}  // namespace astil::dns
