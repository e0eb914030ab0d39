#include "control/app/site_orders.hpp"

#include "control/app/orders_file.hpp"

namespace astil::app {
namespace {

OrdersFile file_at(const std::string& path) { return {.path = path, .whose = "sites", .again = "up and down"}; }

}  // namespace

SiteOrders::SiteOrders(std::string path)
    : path_(std::move(path)),
      file_(path_),
      damage_(file_at(path_).read<api::DnsOrdersView>([&](const api::DnsOrdersView& kept) { return take(kept); })) {}

Result<> SiteOrders::take(const api::DnsOrdersView& kept) {
  for (const api::DnsOrderView& order : kept.orders) {
    if (order.state != "up" && order.state != "down") return Error{"'" + order.state + "' is no order", {}};
  }
  for (const api::DnsOrderView& order : kept.orders) orders_[order.site] = order.state;
  return {};
}

std::string SiteOrders::of(const std::string& site) const {
  const auto found = orders_.find(site);
  return found == orders_.end() ? "auto" : found->second;
}

Result<> SiteOrders::set(const std::string& site, const std::string& state) {
  std::map<std::string, std::string> wanted = orders_;
  if (state == "auto") {
    wanted.erase(site);
  } else {
    wanted[site] = state;
  }
  api::DnsOrdersView view;
  for (const auto& [name, order] : wanted) view.orders.push_back({.site = name, .state = order});
  if (auto kept = file_at(path_).write(std::move(view), file_); kept.has_error()) return kept;
  orders_ = std::move(wanted);
  return {};
}

}  // namespace astil::app
