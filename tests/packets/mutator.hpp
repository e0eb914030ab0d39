// Random frames that know what a frame looks like: a valid one for the services of a test, then bits flipped, fields
// replaced by values at their limits, and the end cut off. From one seed always the same frames.
#pragma once

#include <random>

#include "tests/packets/packet.hpp"

namespace astil::test {

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  /// Another frame. About every second one is as its sender would have it.
  Bytes next();

 private:
  /// In [0, limit).
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }
  Packet valid();
  void flip_bits(Bytes& frame);
  void replace_field(Bytes& frame);
  void cut(Bytes& frame);

  std::mt19937_64 random_;
};

}  // namespace astil::test
