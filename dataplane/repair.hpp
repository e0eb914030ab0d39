// What somebody else has changed of the packet path behind the daemon's back, and was put right.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace astil::dataplane {

/// What it was that was changed.
enum class Repaired {
  attachment,  ///< a program that was detached, or exchanged for another
  pin,         ///< a name in the BPF file system by which the next daemon finds what runs
  table,       ///< records of a table
};

struct Repair {
  Repaired kind = Repaired::attachment;
  std::string what;     ///< a sentence without its full stop
  std::string failure;  ///< why it could not be put right; empty: it is
};

}  // namespace astil::dataplane
