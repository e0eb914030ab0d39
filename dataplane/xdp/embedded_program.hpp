// The XDP program that is built into a binary, and the layout of tables that it was compiled for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace astil::xdp {

struct Program {
  std::span<const std::byte> object;  ///< ELF, as clang made it
  std::uint32_t layout_version = 0;
};

Program embedded_program();

}  // namespace astil::xdp
