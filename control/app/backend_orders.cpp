#include "control/app/backend_orders.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <filesystem>

#include "control/api/json.hpp"
#include "control/app/offline.hpp"
#include "control/base/atomic_file.hpp"

namespace astil::app {
namespace {

constexpr std::uint32_t kVersion = 1;

}  // namespace

BackendOrders::BackendOrders(std::string path) : path_(std::move(path)) {
  std::error_code unknown;
  if (!std::filesystem::exists(path_, unknown) && !unknown) return;
  const auto text = read_file(path_);
  if (text.has_error()) {
    damage_ = Error{"orders for backends not read: " + text.error().what, "make " + path_ + " readable, and restart"};
    return;
  }
  if (const auto done = read(*text); done.has_error()) {
    const std::string aside = path_ + ".broken";
    (void)std::rename(path_.c_str(), aside.c_str());
    damage_ = Error{"orders for backends lost: " + path_ + ": " + done.error().what,
                    "it is " + aside + " now; order drain and maintenance again"};
  }
}

Result<void> BackendOrders::read(const std::string& text) {
  boost::system::error_code failed;
  const auto json = boost::json::parse(text, failed);
  if (failed) return Error{failed.message(), {}};
  const auto kept = api::from_json<api::OrdersView>(json);
  if (kept.has_error()) return kept.error();
  if (kept->version != kVersion)
    return Error{"it has the form " + std::to_string(kept->version) + ", not " + std::to_string(kVersion), {}};
  for (const api::OrderView& order : kept->orders) {
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
  api::OrdersView view{.version = kVersion, .orders = {}};
  for (const auto& [key, order] : wanted) {
    view.orders.push_back({.service = key.first, .backend = key.second, .state = order.state, .since = order.since});
  }
  std::error_code told_below;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), told_below);
  const auto kept = base::write_atomically(path_, boost::json::serialize(api::to_json(view)) + "\n");
  if (kept.has_error()) return Error{kept.error().what, "nothing has changed; let the daemon write there"};
  orders_ = std::move(wanted);
  return {};
}

}  // namespace astil::app
