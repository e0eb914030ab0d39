// The programs that are built into a binary, and the layout of tables that they were compiled for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace astil::xdp {

struct Program {
  std::span<const std::byte> object;          ///< for XDP: ELF, as clang made it
  std::span<const std::byte> tc_object;       ///< likewise for tc
  std::span<const std::byte> capture_object;  ///< both again, as they are attached while packets are captured
  std::span<const std::byte> tc_capture_object;
  std::span<const std::byte> probe_object;  ///< what sends health probes through the forwarding path
  std::uint32_t layout_version = 0;
  std::uint32_t also_reads = 0;  ///< another layout version whose records are the same; 0: none
};

Program embedded_program();

}  // namespace astil::xdp
