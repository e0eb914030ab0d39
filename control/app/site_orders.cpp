#include "control/app/site_orders.hpp"

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

SiteOrders::SiteOrders(std::string path) : path_(std::move(path)) {
  if (std::error_code failed; !std::filesystem::exists(path_, failed) && !failed) return;
  const auto text = read_file(path_);
  if (text.has_error()) {
    damage_ = Error{"orders for sites not read: " + text.error().what, "make " + path_ + " readable, and restart"};
    return;
  }
  if (const auto done = read(*text); done.has_error()) {
    const std::string aside = path_ + ".broken";
    (void)std::rename(path_.c_str(), aside.c_str());
    damage_ = Error{"orders for sites lost: " + path_ + ": " + done.error().what,
                    "it is " + aside + " now; order up and down again"};
  }
}

Result<> SiteOrders::read(const std::string& text) {
  boost::system::error_code failed;
  const auto json = boost::json::parse(text, failed);
  if (failed) return Error{failed.message(), {}};
  const auto kept = api::from_json<api::DnsOrdersView>(json);
  if (kept.has_error()) return kept.error();
  if (kept->version != kVersion)
    return Error{"it has the form " + std::to_string(kept->version) + ", not " + std::to_string(kVersion), {}};
  for (const api::DnsOrderView& order : kept->orders) {
    if (order.state != "up" && order.state != "down") return Error{"'" + order.state + "' is no order", {}};
    orders_[order.site] = order.state;
  }
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
  api::DnsOrdersView view{.version = kVersion, .orders = {}};
  for (const auto& [name, order] : wanted) view.orders.push_back({.site = name, .state = order});
  std::error_code told_below;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), told_below);
  const auto kept = base::write_atomically(path_, boost::json::serialize(api::to_json(view)) + "\n");
  if (kept.has_error()) return Error{kept.error().what, "nothing has changed; let the daemon write there"};
  orders_ = std::move(wanted);
  return {};
}

}  // namespace astil::app
