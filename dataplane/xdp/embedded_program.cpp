#include "dataplane/xdp/embedded_program.hpp"

#include "dataplane/core/layout.hpp"

#ifndef ASTIL_ALSO_READS
#define ASTIL_ALSO_READS 0
#endif

extern "C" {
// NOLINTBEGIN(readability-identifier-naming): made by the assembler
extern const std::byte astil_embedded_program[];
extern const std::byte astil_embedded_program_end[];
extern const std::byte astil_embedded_tc_program[];
extern const std::byte astil_embedded_tc_program_end[];
extern const std::byte astil_embedded_capture[];
extern const std::byte astil_embedded_capture_end[];
extern const std::byte astil_embedded_tc_capture[];
extern const std::byte astil_embedded_tc_capture_end[];
extern const std::byte astil_embedded_probe[];
extern const std::byte astil_embedded_probe_end[];
// NOLINTEND(readability-identifier-naming)
}

namespace astil::xdp {

Program embedded_program() {
  return {.object = {astil_embedded_program, astil_embedded_program_end},
          .tc_object = {astil_embedded_tc_program, astil_embedded_tc_program_end},
          .capture_object = {astil_embedded_capture, astil_embedded_capture_end},
          .tc_capture_object = {astil_embedded_tc_capture, astil_embedded_tc_capture_end},
          .probe_object = {astil_embedded_probe, astil_embedded_probe_end},
          .layout_version = core::kLayoutVersion,
          .also_reads = ASTIL_ALSO_READS};
}

}  // namespace astil::xdp
