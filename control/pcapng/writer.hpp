// Blocks of a pcapng file (draft-ietf-opsawg-pcapng), as bytes in the order of this machine. A file is a section
// header, then the description of each interface before its first packet, packets, and statistics at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace astil::pcapng {

/// `application` is who writes it.
[[nodiscard]] std::string section_header(std::string_view application, std::string_view comment);

/// Of an Ethernet interface. Its id, which packets name it by, is its place among the descriptions, from 0 on.
struct Interface {
  std::string_view name;
  std::uint32_t snap = 0;  ///< bytes of a frame that are kept at most
};
[[nodiscard]] std::string interface_description(const Interface& interface);

enum class Direction : std::uint32_t { inbound = 1, outbound = 2 };

struct Frame {
  std::uint32_t interface = 0;  ///< id
  std::uint64_t time = 0;       ///< nanoseconds since 1970
  std::span<const std::byte> bytes;
  std::uint32_t length = 0;  ///< on the wire
  Direction direction = Direction::inbound;
  std::uint64_t packet_id = 0;  ///< the same for frames of one packet
  std::string_view comment;
};
[[nodiscard]] std::string enhanced_packet(const Frame& frame);

/// What became of the packets that a capture was to have.
struct Statistics {
  std::uint64_t time = 0;       ///< of the end, nanoseconds since 1970
  std::uint64_t delivered = 0;  ///< are in the file
  std::uint64_t over_rate = 0;  ///< left out, since there were too many in a second
  std::uint64_t lost = 0;       ///< left out, since they were not taken in time
  std::string comment;          ///< why the capture ended
};
/// They stand with interface 0, and are for all.
[[nodiscard]] std::string interface_statistics(const Statistics& statistics);

}  // namespace astil::pcapng
