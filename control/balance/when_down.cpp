#include "control/balance/when_down.hpp"

namespace astil::balance {

using dataplane::BackendUse;
using dataplane::Rotation;

namespace {

/// Datagrams leave a fallback as soon as it rests; its connections end by themselves.
void let_fallbacks_rest(const ServiceInput& service, std::vector<BackendUse>& backends) {
  for (std::size_t i = 0; i < backends.size(); ++i) {
    const bool used = service.backends[i].role == Role::fallback && backends[i].rotation == Rotation::in;
    if (used) backends[i].rotation = Rotation::down;
  }
}

}  // namespace

bool provide_for_too_few(const ServiceInput& service, std::vector<BackendUse>& backends) {
  std::uint32_t usual = 0;
  for (std::size_t i = 0; i < backends.size(); ++i) {
    if (service.backends[i].role == Role::usual && backends[i].rotation == Rotation::in) ++usual;
  }
  const bool too_few = usual < service.minimum_up;
  if (!too_few || service.when_down != WhenDown::fallback) let_fallbacks_rest(service, backends);
  if (!too_few) return false;
  for (std::size_t i = 0; i < backends.size(); ++i) {
    const BackendInput& input = service.backends[i];
    BackendUse& use = backends[i];
    if (input.role == Role::fallback) continue;
    const bool nobody = service.when_down == WhenDown::drop || service.when_down == WhenDown::reject;
    if (nobody && use.rotation == Rotation::in) use.rotation = Rotation::out;
    const bool may_be_used = input.intake == Intake::open && input.weight != 0 && use.destination_mac != 0;
    if (service.when_down == WhenDown::fail_open && may_be_used) use.rotation = Rotation::in;
  }
  return true;
}

}  // namespace astil::balance
