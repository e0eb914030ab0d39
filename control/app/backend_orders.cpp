#include "control/app/backend_orders.hpp"

#include "control/app/orders_file.hpp"

namespace astil::app {
namespace {

OrdersFile file_at(const std::string& path) {
  return {.path = path, .whose = "backends", .again = "drain and maintenance"};
}

}  // namespace

BackendOrders::BackendOrders(std::string path)
    : path_(std::move(path)),
      file_(path_),
      damage_(file_at(path_).read<api::OrdersView>([&](const api::OrdersView& kept) { return take(kept); })) {}

Result<> BackendOrders::take(const api::OrdersView& kept) {
  for (const api::OrderView& order : kept.orders) {
    if (order.state != api::AdminState::active)
      orders_[{order.service, order.backend}] = {.state = order.state, .since = order.since};
  }
  return {};
}

BackendOrders::Order BackendOrders::of(const std::string& service, const std::string& backend) const {
  const auto found = orders_.find({service, backend});
  return found == orders_.end() ? Order{} : found->second;
}

Result<void> BackendOrders::set(const std::vector<Key>& keys, api::AdminState state, api::TimePoint now) {
  std::map<Key, Order> wanted = orders_;
  for (const Key& key : keys) {
    if (state == api::AdminState::active) {
      wanted.erase(key);
    } else if (wanted[key].state != state) {
      wanted[key] = {.state = state, .since = now};
    }
  }
  api::OrdersView view;
  for (const auto& [key, order] : wanted) {
    view.orders.push_back({.service = key.first, .backend = key.second, .state = order.state, .since = order.since});
  }
  if (auto kept = file_at(path_).write(std::move(view), file_); kept.has_error()) return kept;
  orders_ = std::move(wanted);
  return {};
}

}  // namespace astil::app
