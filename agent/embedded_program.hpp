// The kernel program that is built into the agent.
#pragma once

#include <cstddef>
#include <span>

extern "C" {
extern const std::byte astil_embedded_program[];      // NOLINT(readability-identifier-naming): made by the assembler
extern const std::byte astil_embedded_program_end[];  // NOLINT(readability-identifier-naming)
}

namespace astil::agent {

/// ELF, as clang made it.
inline std::span<const std::byte> embedded_program() { return {astil_embedded_program, astil_embedded_program_end}; }

}  // namespace astil::agent
