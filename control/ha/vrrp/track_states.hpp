// Which of the things that a group tracks take from its priority: interfaces, which are looked at here, and what astild
// tells of. What astild has not told yet of a group that was there before is as it was, a new one's is well: neither an
// astild that starts anew nor a change of its configuration moves the addresses. Of a group that is new nothing counts
// as well: a node that starts takes nothing from a node that lives before it knows that it is well. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "control/ha/channel.hpp"

namespace astil::ha {

class TrackStates {
 public:
  /// At most kMostChannelTracks.
  void configure(std::span<const TrackRecord> tracks);
  /// By astild: a bit for each track, as in TracksRecord. Interfaces do not change by it.
  void tell(std::uint8_t known, std::uint8_t failing);
  void look(const std::function<bool(std::string_view interface)>& is_up);

  /// A bit for each.
  [[nodiscard]] std::uint8_t failing() const;
  /// What they take together.
  [[nodiscard]] unsigned penalty() const;

 private:
  struct Track {
    TrackRecord record;
    bool failing = false;
  };
  std::vector<Track> tracks_;
  bool is_new_ = true;
};

}  // namespace astil::ha
