#include "control/pcapng/writer.hpp"

#include <cstring>

#include "control/pcapng/format.hpp"

namespace astil::pcapng {
namespace {

constexpr std::uint32_t kByteOrder = 0x1a2b3c4d;
constexpr std::uint16_t kMajor = 1;
constexpr std::uint16_t kMinor = 0;
constexpr std::uint64_t kLengthUnknown = ~std::uint64_t{0};
constexpr std::uint16_t kEthernet = 1;     // LINKTYPE_ETHERNET
constexpr std::uint8_t kNanoseconds = 9;   // a negative power of 10
constexpr std::size_t kMaxOption = 65535;  // bytes

/// A block in the making.
class Block {
 public:
  explicit Block(std::uint32_t type) { number(type).number(std::uint32_t{0}); }

  template <class Number>
  Block& number(Number value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  /// The high half first, whatever the order of bytes.
  Block& time(std::uint64_t nanoseconds) {
    return number(static_cast<std::uint32_t>(nanoseconds >> 32U)).number(static_cast<std::uint32_t>(nanoseconds));
  }
  Block& filled(std::string_view bytes) {
    bytes_.append(bytes);
    bytes_.append((kAlignment - bytes.size() % kAlignment) % kAlignment, '\0');
    return *this;
  }
  Block& option(Option option, std::string_view value) {
    value = value.substr(0, kMaxOption);
    return number(static_cast<std::uint16_t>(option)).number(static_cast<std::uint16_t>(value.size())).filled(value);
  }
  template <class Number>
  Block& option_number(Option which, Number value) {
    return option(which, {reinterpret_cast<const char*>(&value), sizeof(value)});
  }

  std::string finish() {
    number(std::uint32_t{static_cast<std::uint16_t>(Option::end)});
    const auto length = static_cast<std::uint32_t>(bytes_.size() + sizeof(std::uint32_t));
    number(length);
    std::memcpy(bytes_.data() + sizeof(std::uint32_t), &length, sizeof(length));
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
};

}  // namespace

std::string section_header(std::string_view application, std::string_view comment) {
  return Block(kSectionHeader)
      .number(kByteOrder)
      .number(kMajor)
      .number(kMinor)
      .number(kLengthUnknown)
      .option(Option::section_application, application)
      .option(Option::comment, comment)
      .finish();
}

std::string interface_description(const Interface& interface) {
  return Block(kInterfaceDescription)
      .number(kEthernet)
      .number(std::uint16_t{0})
      .number(interface.snap)
      .option(Option::interface_name, interface.name)
      .option_number(Option::interface_resolution, kNanoseconds)
      .finish();
}

std::string enhanced_packet(const Frame& frame) {
  return Block(kEnhancedPacket)
      .number(frame.interface)
      .time(frame.time)
      .number(static_cast<std::uint32_t>(frame.bytes.size()))
      .number(frame.length)
      .filled({reinterpret_cast<const char*>(frame.bytes.data()), frame.bytes.size()})
      .option(Option::comment, frame.comment)
      .option_number(Option::packet_flags, static_cast<std::uint32_t>(frame.direction))
      .option_number(Option::packet_id, frame.packet_id)
      .finish();
}

std::string interface_statistics(const Statistics& statistics) {
  return Block(kInterfaceStatistics)
      .number(std::uint32_t{0})
      .time(statistics.time)
      .option(Option::comment, statistics.comment)
      .option_number(Option::statistics_dropped_by_interface, statistics.over_rate)
      .option_number(Option::statistics_accepted, statistics.delivered + statistics.over_rate + statistics.lost)
      .option_number(Option::statistics_dropped_by_system, statistics.lost)
      .option_number(Option::statistics_delivered, statistics.delivered)
      .finish();
}

}  // namespace astil::pcapng
