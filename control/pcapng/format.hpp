// Numbers of the pcapng format that writer and reader share.
#pragma once

#include <cstdint>

namespace astil::pcapng {

inline constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
inline constexpr std::uint32_t kInterfaceDescription = 1;
inline constexpr std::uint32_t kInterfaceStatistics = 5;
inline constexpr std::uint32_t kEnhancedPacket = 6;

/// Type and length in front of a block's body, and the length once more behind it.
inline constexpr std::uint32_t kBlockHead = 8;
inline constexpr std::uint32_t kBlockFrame = 12;
/// Bodies and options are filled up to a multiple of this.
inline constexpr std::uint32_t kAlignment = 4;

enum class Option : std::uint16_t {
  end = 0,
  comment = 1,
  section_application = 4,
  interface_name = 2,
  interface_resolution = 9,
  packet_flags = 2,
  packet_id = 5,
  statistics_dropped_by_interface = 5,
  statistics_accepted = 6,
  statistics_dropped_by_system = 7,
  statistics_delivered = 8,
};

/// Interface, and the two halves of the time.
inline constexpr std::uint32_t kStatisticsFields = 12;

}  // namespace astil::pcapng
