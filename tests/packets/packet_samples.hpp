// Frames of every kind that Packet can build, right ones and ones with a single fault, for those who judge frames.
#pragma once

#include <string>
#include <vector>

#include "tests/packets/packet.hpp"

namespace astil::test {

struct Sample {
  std::string name;
  Bytes frame;
};

[[nodiscard]] std::vector<Sample> right_samples();

/// Each with one thing wrong, which its name says.
[[nodiscard]] std::vector<Sample> broken_samples();

/// TCP and UDP whose checksum the hardware was to finish.
[[nodiscard]] std::vector<Sample> partial_samples();

}  // namespace astil::test
