#include "control/config/dpdk_kinds.hpp"

#include <regex>

namespace astil::config {
namespace {

constexpr const char* kPci = "[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}[.][0-7]";
constexpr const char* kVirtual = "(net_(af_packet|af_xdp|tap|memif|pcap|null|ring|vhost|virtio_user)|eth_vhost)[0-9]+";
constexpr const char* kArguments = "(,[A-Za-z0-9_-]+=[!-+--~]+)*";
constexpr std::size_t kLongestDevice = 239;
constexpr std::size_t kMostCores = 32;
constexpr std::uint64_t kHighestCore = 1023;

std::string device_pattern() { return "^(" + std::string(kPci) + "|" + kVirtual + ")" + kArguments + "$"; }

/// A decimal number at the begin of the text, which is taken from it.
std::optional<std::uint32_t> take_number(std::string_view& text) {
  const std::size_t length = std::min(text.find_first_not_of("0123456789"), text.size());
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + length, number);
  if (length == 0 || failed != std::errc() || number > kHighestCore) return std::nullopt;
  text.remove_prefix(length);
  return static_cast<std::uint32_t>(number);
}

}  // namespace

Result<std::string> DpdkDevice::read(const Scalar& scalar) const {
  static const std::regex pattern(device_pattern());
  std::string text(scalar.text);
  if (text.size() > kLongestDevice || !std::regex_match(text, pattern)) return Error{};
  return Result<std::string>(boost::system::in_place_value, std::move(text));
}

Shape DpdkDevice::shape() const {
  Shape shape;
  shape.words = "a PCI address such as 0000:03:00.0, or a virtual device such as net_af_xdp0,iface=eth0";
  shape.pattern = device_pattern();
  shape.longest = kLongestDevice;
  return shape;
}

Result<std::vector<std::uint32_t>> CoreList::read(const Scalar& scalar) const {
  std::vector<std::uint32_t> cores;
  std::string_view text = scalar.text;
  for (;;) {
    const auto first = take_number(text);
    if (!first) return Error{};
    auto last = first;
    if (text.starts_with('-')) {
      text.remove_prefix(1);
      last = take_number(text);
    }
    if (!last || *last < *first || cores.size() + (*last - *first) >= kMostCores) return Error{};
    for (std::uint32_t core = *first; core <= *last; ++core) {
      if (std::find(cores.begin(), cores.end(), core) != cores.end())
        return Error{{}, "core " + std::to_string(core) + " stands twice"};
      cores.push_back(core);
    }
    if (text.empty()) return cores;
    if (!text.starts_with(',')) return Error{};
    text.remove_prefix(1);
  }
}

std::string CoreList::show(const std::vector<std::uint32_t>& value) const {
  std::string text;
  for (const std::uint32_t core : value) text += (text.empty() ? "" : ",") + std::to_string(core);
  return text;
}

Shape CoreList::shape() const {
  Shape shape;
  shape.type = Shape::Type::integer_or_text;
  shape.words = "numbers of cores such as 2-3 or 2,4, at most 32";
  shape.minimum = 0;
  shape.maximum = static_cast<std::int64_t>(kHighestCore);
  shape.pattern = "^[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*$";
  return shape;
}

}  // namespace astil::config
