#include "control/pcapng/reader.hpp"

#include <algorithm>
#include <cstring>

#include "control/pcapng/format.hpp"

namespace astil::pcapng {
namespace {

/// Longer ones are none of ours.
constexpr std::uint32_t kMaxBlock = 1U << 20U;

/// The number at a place; 0 where the bytes end before it does.
template <class Number>
Number number_at(std::string_view bytes, std::size_t place) {
  Number number = 0;
  if (place <= bytes.size() && bytes.size() - place >= sizeof(number))
    std::memcpy(&number, bytes.data() + place, sizeof(number));
  return number;
}

Statistics read_statistics(std::string_view options) {
  constexpr std::size_t kHead = 4;  // of an option: what it is, and its length
  Statistics statistics;
  while (options.size() >= kHead) {
    const auto option = static_cast<Option>(number_at<std::uint16_t>(options, 0));
    const auto length = number_at<std::uint16_t>(options, 2);
    if (option == Option::end) break;
    const std::string_view value = options.substr(kHead, length);
    if (option == Option::comment) statistics.comment = value;
    if (option == Option::statistics_delivered) statistics.delivered = number_at<std::uint64_t>(value, 0);
    if (option == Option::statistics_dropped_by_interface) statistics.over_rate = number_at<std::uint64_t>(value, 0);
    if (option == Option::statistics_dropped_by_system) statistics.lost = number_at<std::uint64_t>(value, 0);
    const std::size_t filled = (std::size_t{length} + kAlignment - 1) / kAlignment * kAlignment;
    options.remove_prefix(std::min(options.size(), kHead + filled));
  }
  return statistics;
}

}  // namespace

std::optional<std::string> Reader::take(std::string_view bytes) {
  rest_.append(bytes);
  std::size_t whole = 0;
  while (rest_.size() - whole >= kBlockHead) {
    const auto type = number_at<std::uint32_t>(rest_, whole);
    const auto length = number_at<std::uint32_t>(rest_, whole + sizeof(type));
    if (!begun_ && type != kSectionHeader) return std::nullopt;
    if (length < kBlockFrame || length % kAlignment != 0 || length > kMaxBlock) return std::nullopt;
    begun_ = true;
    if (rest_.size() - whole < length) break;
    read(std::string_view(rest_).substr(whole, length));
    whole += length;
  }
  std::string blocks = rest_.substr(0, whole);
  rest_.erase(0, whole);
  return blocks;
}

void Reader::read(std::string_view block) {
  const auto type = number_at<std::uint32_t>(block, 0);
  if (type == kEnhancedPacket) ++frames_;
  if (type != kInterfaceStatistics || block.size() < kBlockFrame + kStatisticsFields) return;
  block.remove_prefix(kBlockHead + kStatisticsFields);
  block.remove_suffix(kBlockFrame - kBlockHead);
  statistics_ = read_statistics(block);
}

}  // namespace astil::pcapng
