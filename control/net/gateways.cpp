#include "control/net/gateways.hpp"

namespace astil::net {

void Gateways::want(bool wanted) {
  if (wanted == wanted_) return;
  wanted_ = wanted;
  all_.clear();
  if (wanted) read();
}

void Gateways::read() {
  all_ = tables_.list_gateways(kMost);
  stale_ = false;
  read_at_ = std::chrono::steady_clock::now();
  for (const NeighbourKey& gateway : all_) tables_.use(gateway);
}

void Gateways::on_route(const RawMessage& message) {
  if (!wanted_) return;
  const auto gateways = parse_gateways(message);
  if (gateways.change == Change::removed) {
    stale_ = stale_ || !gateways.keys.empty();
    return;
  }
  for (const NeighbourKey& gateway : gateways.keys) {
    if (all_.size() < kMost && all_.insert(gateway).second) tables_.use(gateway);
  }
}

void Gateways::keep_up() {
  if (!wanted_) return;
  if (stale_ && std::chrono::steady_clock::now() - read_at_ >= kReadAgain) return read();
  for (const NeighbourKey& gateway : all_) tables_.use(gateway);
}

}  // namespace astil::net
