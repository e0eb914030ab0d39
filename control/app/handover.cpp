#include "control/app/handover.hpp"

#include <algorithm>
#include <utility>

namespace astil::app {

Handover::Handover(Hands hands, api::HandoverView view, std::chrono::milliseconds advert_limit)
    : hands_(std::move(hands)),
      view_(std::move(view)),
      advert_limit_(advert_limit),
      begun_(hands_.now()),
      phase_begun_(begun_) {}

void Handover::enter(Phase phase) {
  phase_ = phase;
  phase_begun_ = hands_.now();
}

std::optional<Result<api::HandoverView>> Handover::step() {
  while (true) {
    const Phase before = phase_;
    std::optional<Error> failed;
    if (phase_ == Phase::flows) {
      failed = await_flows();
    } else if (phase_ == Phase::answer) {
      failed = await_answer();
    } else {
      failed = await_takeover();
    }
    if (failed) return std::move(*failed);
    if (done_) break;
    if (phase_ == before) return std::nullopt;
  }
  view_.seconds = std::chrono::duration<double>(hands_.now() - begun_).count();
  return view_;
}

std::optional<Error> Handover::await_flows() {
  const auto has = hands_.has_flows_since(begun_);
  if (has.has_error()) return has.error();
  if (!*has) {
    if (!is_late(kFlowsLimit)) return std::nullopt;
    return Error{"the other node has not got all flows within " + std::to_string(kFlowsLimit.count()) +
                     " ms: the addresses stay here",
                 "see astil ha status"};
  }
  const auto ordered = hands_.step_down(view_.groups);
  if (ordered.has_error()) return ordered.error();
  order_ = *ordered;
  enter(Phase::answer);
  return std::nullopt;
}

std::optional<Error> Handover::await_answer() {
  if (hands_.is_answered(order_)) {
    enter(Phase::takeover);
  } else if (is_late(kAnswerLimit)) {
    return Error{"astil-vrrp does not answer, and may leave the addresses later",
                 "see whether the process runs, and astil ha status"};
  }
  return std::nullopt;
}

std::optional<Error> Handover::await_takeover() {
  const auto all = [&](Owner owner) {
    return std::all_of(view_.groups.begin(), view_.groups.end(),
                       [&](const std::string& group) { return hands_.owner_of(group) == owner; });
  };
  if (all(Owner::other)) {
    done_ = true;
  } else if (is_late(advert_limit_)) {
    if (all(Owner::here)) return Error{"the other node did not take the addresses: they are here again", "see its log"};
    return Error{"this node has left the addresses, and the other one is not heard to have them",
                 "see astil ha status on both"};
  }
  return std::nullopt;
}

}  // namespace astil::app
