// How long removed backends have been removed: what is left of them is given up at their service's limit. Time comes
// from outside.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "dataplane/core/layout.hpp"

namespace astil::app {

class RemovalClock {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  /// A use of a backend, whatever its number: service, endpoint, forwarding. Numbers change with the tables.
  using Key = std::tuple<std::string, std::string, core::Forwarding>;

  struct Removed {
    Key key;
    std::uint32_t number = 0;
    std::optional<std::chrono::milliseconds> limit;  ///< none: until its flows have ended
  };

  /// All that are removed at `now`. Gives the numbers of those that have been for as long as their limit.
  [[nodiscard]] std::vector<std::uint32_t> due(const std::vector<Removed>& removed, TimePoint now);

 private:
  std::map<Key, TimePoint> since_;
};

}  // namespace astil::app
