// A handover on its way: first the other node has all flows of this one, then this node leaves the groups, then the
// other one is heard to have them. It never waits: whoever asked for it calls `step` again and again, and the daemon
// goes on meanwhile, also where astil-vrrp does not answer. Time and all else comes from outside.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/api/pair_view.hpp"
#include "control/base/result.hpp"

namespace astil::app {

class Handover {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Owner { here, other, nobody };  ///< `nobody`: as far as is known

  /// What it needs of the daemon until it has ended.
  struct Hands {
    std::function<Clock::time_point()> now;
    /// Whether the other node has all flows that were here at that time.
    std::function<Result<bool>(Clock::time_point)> has_flows_since;
    /// Orders it, and does not wait. Gives what `is_answered` is asked about.
    std::function<Result<std::uint32_t>(const std::vector<std::string>& groups)> step_down;
    std::function<bool(std::uint32_t order)> is_answered;
    std::function<Owner(const std::string& group)> owner_of;
  };

  static constexpr std::chrono::milliseconds kFlowsLimit{1000};
  static constexpr std::chrono::milliseconds kAnswerLimit{2000};

  /// `view` names the groups; `advert_limit` is how long the other node may take to be heard.
  Handover(Hands hands, api::HandoverView view, std::chrono::milliseconds advert_limit);

  /// None: it has not ended. Not to be called afterwards.
  [[nodiscard]] std::optional<Result<api::HandoverView>> step();

 private:
  enum class Phase { flows, answer, takeover };

  [[nodiscard]] std::optional<Error> await_flows();
  [[nodiscard]] std::optional<Error> await_answer();
  [[nodiscard]] std::optional<Error> await_takeover();
  [[nodiscard]] bool is_late(std::chrono::milliseconds limit) const { return hands_.now() - phase_begun_ >= limit; }
  void enter(Phase phase);

  Hands hands_;
  api::HandoverView view_;
  std::chrono::milliseconds advert_limit_;
  Clock::time_point begun_;
  Clock::time_point phase_begun_;
  Phase phase_ = Phase::flows;
  std::uint32_t order_ = 0;
  bool done_ = false;
};

}  // namespace astil::app
