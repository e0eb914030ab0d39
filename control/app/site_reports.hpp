// Sites elsewhere whose balancers tell of their services: they are asked again and again, and what they said last is
// kept. One question is under way for each site at a time.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/api/dns_view.hpp"
#include "control/app/name_server.hpp"
#include "control/config/model.hpp"
#include "control/dns/load_weights.hpp"

namespace astil::base {
class Aside;
}

namespace astil::app {

class SiteReports {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// `on_news` runs on the loop, after each answer.
  SiteReports(boost::asio::io_context& loop, std::function<void()> on_news);
  SiteReports(const SiteReports&) = delete;
  SiteReports& operator=(const SiteReports&) = delete;
  /// No news come any more.
  ~SiteReports();

  /// Sites that are asked as before keep what they have said.
  void follow(const std::vector<config::DnsReport>& wanted);

  [[nodiscard]] bool has(const std::string& site) const { return sources_.contains(site); }

  /// Of an address of a site that is asked. None: what it said last counts no more.
  [[nodiscard]] std::optional<AddressFact> fact(const std::string& site, const config::address& host, Time now) const;
  /// How the address counts then, by the rule for that.
  [[nodiscard]] AddressFact stale_fact(const std::string& site, const config::address& host, Time now) const;

  /// Of the site's services with these addresses that tell their capacity. None: there are none, or that counts no
  /// more.
  [[nodiscard]] std::optional<dns::SiteLoad> load(const std::string& site, const std::vector<config::address>& hosts,
                                                  Time now) const;

  [[nodiscard]] std::vector<api::DnsReportView> view(Time now) const;

 private:
  struct Source;

  boost::asio::io_context& loop_;
  std::function<void()> on_news_;
  std::shared_ptr<base::Aside> names_;
  std::map<std::string, std::shared_ptr<Source>> sources_;  ///< by site
};

}  // namespace astil::app
