#include "control/config/checks_life.hpp"

#include <algorithm>

#include "control/config/keys.hpp"
#include "control/config/utf8.hpp"

namespace astil::config {
namespace {

enum class Kind { usual, fallback };

/// Backends that new flows can go to, of one kind.
std::size_t count(const Service& service, Kind kind) {
  return static_cast<std::size_t>(
      std::count_if(service.backends.begin(), service.backends.end(), [&](const Backend& backend) {
        return backend.is_fallback == (kind == Kind::fallback) && backend.weight != Weight{0};
      }));
}

void check_fallbacks(const ServiceView& service, Mistakes& mistakes) {
  if (service.model->when_down == WhenDown::fallback) {
    if (count(*service.model, Kind::fallback) != 0) return;
    mistakes.add(service.place_of("when_down"), service.name() + " has no fallback backend with a weight",
                 "set fallback: true of one that shall be used then");
    return;
  }
  for (const BackendView& backend : service.backends) {
    if (!backend.model->is_fallback) continue;
    mistakes.add(backend.place_of("fallback"),
                 "backend " + in_quotes(backend.model->name) + " would never be used: it is a fallback, and " +
                     service.name() + " has when_down " + kWhenDown.show(service.model->when_down),
                 "set when_down: fallback, or leave it out");
  }
}

void check_minimum(const ServiceView& service, Mistakes& mistakes) {
  if (service.model->discovery) return;  // what is found counts, too
  const std::size_t usual = count(*service.model, Kind::usual);
  if (usual == 0 && count(*service.model, Kind::fallback) != 0) {
    mistakes.add(service.place_of("backends"), service.name() + " has only fallback backends with a weight",
                 "name one that is used as a rule");
  } else if (usual != 0 && service.model->minimum_up > usual) {
    mistakes.add(service.place_of("minimum_up"),
                 service.name() + " can not have " + std::to_string(service.model->minimum_up) +
                     " backends in rotation: it has " + std::to_string(usual) + " with a weight",
                 "write " + std::to_string(usual) + " at most");
  }
}

}  // namespace

void check_when_down(const Model& model, const ServiceView& service, Mistakes& mistakes) {
  if (!service.is_sound("when_down") || !service.is_sound("minimum_up")) return;
  const auto is_sound = [](const BackendView& backend) {
    return backend.is_sound("weight") && backend.is_sound("fallback");
  };
  if (!std::all_of(service.backends.begin(), service.backends.end(), is_sound)) return;
  check_fallbacks(service, mistakes);
  check_minimum(service, mistakes);
  if (service.model->when_down != WhenDown::withdraw || model.addresses != AddressOwner::none) return;
  mistakes.add(service.place_of("when_down"),
               "withdraw takes an address away that astild has added, and addresses.owner is none",
               "set addresses.owner to daemon, or choose another way");
}

}  // namespace astil::config
