// Fragments that came before the first one of their datagram, held until that has come. The packet path can not hold
// them; it gives them here, and takes them again when it knows where their datagram goes.
//
// Bounded in number, so in bytes, and in time: who sends fragments without a first one gains nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

namespace astil::app {

class FragmentHolder {
 public:
  using Clock = std::chrono::steady_clock;
  using Frame = std::span<const std::byte>;

  static constexpr std::size_t kMost = 512;                   ///< frames, of core::kMaxHeldBytes at most
  static constexpr std::chrono::milliseconds kLongest{1000};  ///< in which a first fragment must come
  static constexpr std::chrono::milliseconds kBetweenTries{5};

  /// What the packet path says of a frame, and how it gets it again. `ifindex`: where it came in.
  struct Path {
    std::function<bool(std::uint32_t ifindex, Frame frame)> knows_where;
    std::function<void(std::uint32_t ifindex, Frame frame)> send;
    std::function<void(std::uint32_t ifindex, Frame frame)> lose;  ///< it is given up
  };

  explicit FragmentHolder(Path path) : path_(std::move(path)) {}

  void hold(std::uint32_t ifindex, Frame frame, Clock::time_point now);

  /// Sends what can be sent, and gives up what has waited too long. In the order in which they came.
  void retry(Clock::time_point now);

  [[nodiscard]] std::size_t held() const { return held_.size(); }

 private:
  struct Held {
    std::uint32_t ifindex;
    std::vector<std::byte> frame;
    Clock::time_point since;
  };

  Path path_;
  std::deque<Held> held_;
};

}  // namespace astil::app
