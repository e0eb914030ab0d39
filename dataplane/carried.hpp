// What carrying flows from one set of tables to another came to (dataplane/carry.hpp).
#pragma once

#include <cstdint>

namespace astil::dataplane {

/// What became of the flows of all passes.
struct Carried {
  std::uint64_t flows = 0;    ///< written
  std::uint64_t known = 0;    ///< stood in the new tables already
  std::uint64_t without = 0;  ///< their backend is not in the new tables
  std::uint64_t crowded = 0;  ///< given up: their lines are full of flows that are worth more
};

}  // namespace astil::dataplane
