// The name server as the daemon has it: made from the configuration, made to follow another one, and told what is known
// of the sites that names lead to.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "control/api/dns_view.hpp"
#include "control/base/result.hpp"
#include "control/config/model.hpp"
#include "control/dns/load_weights.hpp"
#include "control/dns/responder.hpp"
#include "control/dns/server.hpp"

namespace astil::app {

/// What is known of an address of a site.
struct AddressFact {
  bool is_up = true;
  std::uint32_t steady = UINT32_MAX;  ///< as dns::AddressState has it
  std::string why;
};

/// What is known of sites at a moment.
struct SiteFacts {
  std::chrono::steady_clock::time_point now;
  /// `name` is the whole name that the site is of.
  std::function<AddressFact(const std::string& name, const config::DnsSite& site, const config::address& host)> address;
  std::function<std::optional<dns::SiteLoad>(const config::DnsSite& site)> load;
};

/// Of a site: "up", "down" or "auto".
using Orders = std::function<std::string(const std::string& site)>;

class NameServer {
 public:
  /// Whether it could be followed. Error: a file can not be read, or a zone is not whole with it.
  [[nodiscard]] static Result<> check(const config::Dns& wanted, const std::vector<config::Service>& services);

  /// Serves this from now on; none: nothing. An error leaves all as it was. Where ports, workers or limits are others,
  /// queries that wait at the old sockets are lost.
  [[nodiscard]] Result<> follow(const config::Model& model, const SiteFacts& facts);

  /// The facts are other ones, perhaps. What is answered follows at once.
  void learn(const SiteFacts& facts);

  /// Writes down the queries that were kept for that since the last time.
  void write_queries(std::chrono::steady_clock::time_point now);

  /// Whether there is a server that keeps some.
  [[nodiscard]] bool keeps_queries() const { return server_ && wanted_->query_log; }
  /// Whether answers depend on facts.
  [[nodiscard]] bool has_names() const { return zones_ && !zones_->names().empty(); }
  /// Whether a name leads there.
  [[nodiscard]] bool has_site(const std::string& site) const;

  [[nodiscard]] std::optional<api::DnsView> view(const SiteFacts& facts, const Orders& order) const;
  [[nodiscard]] Result<api::DnsExplainView> explain(const api::DnsQuestion& question, const SiteFacts& facts,
                                                    const Orders& order) const;

 private:
  using Answers = std::shared_ptr<std::atomic<std::uint64_t>>;
  using AnswersOf = std::map<std::pair<std::string, std::string>, Answers>;  ///< by name and site

  [[nodiscard]] static Result<dns::CookieSecrets> read_secrets(const config::Dns& wanted);
  [[nodiscard]] std::vector<dns::NameState> states(const SiteFacts& facts);
  [[nodiscard]] std::vector<dns::NameState> inherited_states(const NameServer& before) const;
  void forget_the_gone();
  void weigh_by_load(std::size_t number, const SiteFacts& facts, dns::NameState& state);
  [[nodiscard]] std::shared_ptr<const dns::Snapshot> snapshot() const;
  [[nodiscard]] std::uint64_t count(dns::Counter counter) const;
  [[nodiscard]] api::DnsNameView name_view(std::size_t number, const SiteFacts& facts, const Orders& order) const;
  void explain_names(api::DnsExplainView& view, std::string name, dns::Type type, const dns::Client& client,
                     const SiteFacts& facts, const Orders& order) const;
  [[nodiscard]] std::string why_near(const config::DnsName& name, const dns::Asker& asker) const;
  [[nodiscard]] std::string why_of(std::size_t number, dns::Type type, const dns::Client& client) const;
  void retire();

  std::optional<config::Dns> wanted_;
  std::vector<const config::DnsName*> names_;  ///< of wanted_, in the order of the zones' names
  /// By name and site, as dns::DynamicName has them.
  std::vector<std::vector<std::vector<config::address>>> hosts_;
  std::unique_ptr<dns::Server> server_;
  std::shared_ptr<const dns::Zones> zones_;
  std::vector<dns::NameState> states_;
  std::map<std::string, dns::LoadWeights> load_weights_;  ///< by name
  dns::CookieSecrets secrets_;
  std::uint64_t seed_ = std::random_device{}();
  dns::CookieSecret own_secret_ = dns::random_cookie_secret();
  AnswersOf answers_;
  std::chrono::steady_clock::time_point lines_since_{};
  std::uint32_t lines_ = 0;  ///< of queries, written within a second since then
  std::uint64_t lines_lost_ = 0;
  std::array<std::uint64_t, dns::kCounters> retired_{};  ///< what earlier servers counted
};

}  // namespace astil::app
