#include "control/app/rotation_reason.hpp"

namespace astil::app {
namespace {

/// What keeps it out by itself; empty: nothing does.
std::string hindrance(const Circumstances& of) {
  if (of.admin == api::AdminState::maintenance) return "ordered into maintenance";
  if (of.health == api::BackendState::down)
    return "its checks fail" + (of.last_error.empty() ? "" : ": " + of.last_error);
  if (!of.unreachable.empty()) return "it can not be reached: " + of.unreachable;
  if (of.admin == api::AdminState::drain) return "ordered to drain";
  if (of.weight == 0) return "its weight is 0";
  if (of.checked && of.health == api::BackendState::unknown && !of.in_rotation) return "it has not been checked yet";
  return {};
}

}  // namespace

std::string rotation_reason(const Circumstances& of) {
  const std::string hindered = hindrance(of);
  if (!of.in_rotation) {
    if (!hindered.empty()) return hindered;
    if (of.fallback) return "a fallback, and enough other backends are well";
    if (of.too_few) return "too few backends of the service are well, and then it does " + of.when_down;
    return "the packet path has not followed yet";
  }
  if (!hindered.empty()) {
    return of.too_few ? "too few backends are well, and then the service does " + of.when_down + ", though " + hindered
                      : hindered + ", which the packet path has not followed yet";
  }
  if (of.fallback) return "a fallback, and too few other backends are well";
  if (!of.checked) return "its service has no health check";
  if (of.health == api::BackendState::unknown) return "it was, and has not been checked again yet";
  return "its checks succeed";
}

}  // namespace astil::app
