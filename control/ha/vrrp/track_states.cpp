#include "control/ha/vrrp/track_states.hpp"

#include <algorithm>
#include <utility>

namespace astil::ha {
namespace {

bool is_told(const TrackRecord& record) { return record.interface.view().empty(); }
bool has_bit(std::uint8_t bits, std::size_t index) { return ((bits >> index) & 1U) != 0; }

}  // namespace

void TrackStates::configure(std::span<const TrackRecord> tracks) {
  const std::vector<Track> before = std::exchange(tracks_, {});
  for (const TrackRecord& record : tracks) {
    const auto same = std::find_if(before.begin(), before.end(), [&](const Track& track) {
      return track.record.name == record.name && is_told(track.record) == is_told(record);
    });
    tracks_.push_back({.record = record, .failing = same == before.end() ? is_new_ : same->failing});
  }
  is_new_ = false;
}

void TrackStates::tell(std::uint8_t known, std::uint8_t failing) {
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    if (is_told(tracks_[i].record) && has_bit(known, i)) tracks_[i].failing = has_bit(failing, i);
  }
}

void TrackStates::look(const std::function<bool(std::string_view interface)>& is_up) {
  for (Track& track : tracks_) {
    if (!is_told(track.record)) track.failing = !is_up(track.record.interface.view());
  }
}

std::uint8_t TrackStates::failing() const {
  unsigned bits = 0;
  for (std::size_t i = 0; i < tracks_.size(); ++i) bits |= tracks_[i].failing ? 1U << i : 0U;
  return static_cast<std::uint8_t>(bits);
}

unsigned TrackStates::penalty() const {
  unsigned sum = 0;
  for (const Track& track : tracks_) sum += track.failing ? track.record.subtract : 0U;
  return sum;
}

}  // namespace astil::ha
