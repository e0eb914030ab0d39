#include "control/app/name_server.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <tuple>

#include "control/app/name_zones.hpp"
#include "control/base/log.hpp"
#include "control/base/regular_file.hpp"
#include "control/config/address_kinds.hpp"
#include "control/config/keys.hpp"
#include "control/dns/key_files.hpp"
#include "control/dns/name.hpp"
#include "control/dns/signer.hpp"

namespace astil::app {
namespace {

dns::ServerOptions options_of(const config::Dns& wanted) {
  dns::ServerOptions options;
  for (const config::Endpoint& endpoint : wanted.listen)
    options.listen.push_back({.host = endpoint.host, .port = static_cast<std::uint16_t>(endpoint.port)});
  options.workers = wanted.workers;
  options.tcp = {.idle = wanted.tcp.idle,
                 .connections = wanted.tcp.connections,
                 .connections_per_client = wanted.tcp.connections_per_client};
  return options;
}

/// RFC 1035 section 3.3.13: the first of the five numbers at the end.
std::uint32_t serial_of(const dns::Zone& zone) {
  const std::string& soa = zone.soa().data.front();
  constexpr std::size_t kNumbers = 20;
  std::uint32_t serial = 0;
  for (std::size_t i = soa.size() - kNumbers; i < soa.size() - kNumbers + 4; ++i)
    serial = serial << 8U | static_cast<unsigned char>(soa[i]);
  return serial;
}

api::DnsZoneView zone_view(const dns::Zone& zone) {
  api::DnsZoneView view{
      .name = dns::name_to_text(zone.apex()), .serial = serial_of(zone), .names = zone.size(), .keys = {}};
  if (zone.signer() == nullptr) return view;
  const auto& keys = zone.signer()->keys();
  const bool has_entry = std::any_of(keys.begin(), keys.end(), [](const auto& key) { return key.is_entry_point(); });
  for (const dns::SigningKey& key : keys) {
    const bool is_of_parent = key.is_entry_point() || !has_entry;
    view.keys.push_back({.tag = key.tag(),
                         .algorithm = std::string(dns::algorithm_name(key.algorithm())),
                         .ds = is_of_parent ? dns::show_ds(zone.apex(), key.dnskey()) : std::string()});
  }
  return view;
}

dns::Client client_of(const config::address& host) {
  dns::Client client;
  client.is_ipv4 = host.is_v4();
  client.transport = dns::Transport::tcp;  // nothing is cut
  const auto copy = [&](const auto& bytes) { std::memcpy(client.address.data(), bytes.data(), bytes.size()); };
  if (host.is_v4()) {
    copy(host.to_v4().to_bytes());
  } else {
    copy(host.to_v6().to_bytes());
  }
  return client;
}

std::string host_of(const dns::LoggedQuery& query) {
  namespace ip = boost::asio::ip;
  const auto bytes_of = [&](auto bytes) {
    std::memcpy(bytes.data(), query.client.data(), bytes.size());
    return bytes;
  };
  if (query.is_ipv4) return ip::address_v4(bytes_of(ip::address_v4::bytes_type())).to_string();
  return ip::address_v6(bytes_of(ip::address_v6::bytes_type())).to_string();
}

std::vector<std::byte> query_for(const std::string& name, dns::Type type) {
  std::vector<std::byte> query;
  const auto put = [&](unsigned value) { query.push_back(static_cast<std::byte>(value)); };
  for (const unsigned byte : {0U, 1U, 0U, 0U, 0U, 1U, 0U, 0U, 0U, 0U, 0U, 0U}) put(byte);
  for (const char c : name) put(static_cast<unsigned char>(c));
  const auto number = static_cast<unsigned>(type);
  for (const unsigned byte : {number >> 8U, number & 0xffU, 0U, unsigned{dns::kClassIn}}) put(byte);
  return query;
}

}  // namespace

Result<> NameServer::check(const config::Dns& wanted, const std::vector<config::Service>& services) {
  const auto zones = read_zones(wanted, services, [](const auto&, const auto&) { return nullptr; });
  if (zones.has_error()) return zones.error();
  const auto secrets = read_secrets(wanted);
  if (secrets.has_error()) return secrets.error();
  return {};
}

/// None where the daemon's own is meant.
Result<dns::CookieSecrets> NameServer::read_secrets(const config::Dns& wanted) {
  if (!wanted.cookie_secret_file) return dns::CookieSecrets{};
  const auto text = base::read_regular_file(*wanted.cookie_secret_file);
  if (text.has_error()) return text.error().within("dns.cookie_secret_file");
  auto secrets = dns::parse_cookie_secrets(*text);
  if (secrets.has_error()) return secrets.error().within(*wanted.cookie_secret_file);
  return secrets;
}

Result<> NameServer::follow(const config::Model& model, const SiteFacts& facts) {
  if (!model.dns) {
    if (server_) log::info("name server ends");
    retire();
    wanted_.reset();
    zones_.reset();
    names_.clear();
    hosts_.clear();
    states_.clear();
    return {};
  }
  auto zones = read_zones(*model.dns, model.services, [&](const std::string& name, const std::string& site) {
    Answers& answers = answers_[{name, site}];
    if (!answers) answers = std::make_shared<std::atomic<std::uint64_t>>(0);
    return answers;
  });
  if (zones.has_error()) return zones.error();
  auto secrets = read_secrets(*model.dns);
  if (secrets.has_error()) return secrets.error();
  if (secrets->empty()) secrets->push_back(own_secret_);
  NameServer next;  // all that follows from the configuration, until the ports are had
  next.wanted_ = model.dns;
  next.zones_ = std::move(*zones);
  next.secrets_ = std::move(*secrets);
  for (const config::DnsZone& zone : next.wanted_->zones) {
    for (const config::DnsName& name : zone.names) {
      next.names_.push_back(&name);
      std::vector<std::vector<config::address>>& hosts = next.hosts_.emplace_back();
      for (const config::DnsSite& site : name.sites) hosts.push_back(addresses_of(site, model.services));
    }
  }
  next.load_weights_ = load_weights_;
  next.states_ = next.inherited_states(*this);
  next.states_ = next.states(facts);
  dns::ServerOptions options = options_of(*model.dns);
  options.seed = seed_;
  if (server_ && server_->options() == options) {
    server_->publish(next.snapshot());
  } else {
    auto server = dns::Server::start(options, next.snapshot());
    if (server.has_error()) return server.error();
    retire();
    server_ = std::move(*server);
    log::info("name server listens", {{"endpoints", options.listen.size()}, {"workers", options.workers}});
  }
  wanted_.swap(next.wanted_);  // what names_ points at stays where it is: in the zones' vectors
  zones_ = std::move(next.zones_);
  names_ = std::move(next.names_);
  hosts_ = std::move(next.hosts_);
  states_ = std::move(next.states_);
  load_weights_ = std::move(next.load_weights_);
  secrets_ = std::move(next.secrets_);
  forget_the_gone();
  return {};
}

std::vector<dns::NameState> NameServer::states(const SiteFacts& facts) {
  std::vector<dns::NameState> states;
  for (std::size_t n = 0; n < names_.size(); ++n) {
    dns::NameState& state = states.emplace_back();
    bool any_ipv4 = false;
    bool any_ipv6 = false;
    for (std::size_t s = 0; s < hosts_[n].size(); ++s) {
      std::vector<dns::AddressState>& addresses = state.emplace_back().addresses;
      for (const config::address& host : hosts_[n][s]) {
        const AddressFact fact = facts.address(zones_->names()[n].name, names_[n]->sites[s], host);
        addresses.push_back({.is_up = fact.is_up, .was_up = fact.is_up, .steady = fact.steady});
        bool& any = host.is_v4() ? any_ipv4 : any_ipv6;
        any = any || fact.is_up;
      }
    }
    if (config::goes_by_load(*names_[n])) weigh_by_load(n, facts, state);
    // The last ones that were up of a version are remembered as they were.
    for (std::size_t s = 0; s < state.size(); ++s) {
      for (std::size_t a = 0; a < state[s].addresses.size(); ++a) {
        if (hosts_[n][s][a].is_v4() ? any_ipv4 : any_ipv6) continue;
        state[s].addresses[a].was_up = n >= states_.size() || states_[n][s].addresses[a].was_up;
      }
    }
  }
  return states;
}

/// Which addresses were up when the last of their name was, for names that are the next server's too.
std::vector<dns::NameState> NameServer::inherited_states(const NameServer& before) const {
  std::map<std::tuple<std::string, std::string, config::address>, bool> known;
  for (std::size_t n = 0; n < before.states_.size(); ++n) {
    for (std::size_t s = 0; s < before.hosts_[n].size(); ++s) {
      for (std::size_t a = 0; a < before.hosts_[n][s].size(); ++a)
        known[{before.zones_->names()[n].name, before.names_[n]->sites[s].name, before.hosts_[n][s][a]}] =
            before.states_[n][s].addresses[a].was_up;
    }
  }
  std::vector<dns::NameState> states;
  for (std::size_t n = 0; n < names_.size(); ++n) {
    dns::NameState& state = states.emplace_back();
    for (std::size_t s = 0; s < hosts_[n].size(); ++s) {
      auto& addresses = state.emplace_back().addresses;
      for (const config::address& host : hosts_[n][s]) {
        const auto found = known.find({zones_->names()[n].name, names_[n]->sites[s].name, host});
        addresses.push_back({.was_up = found == known.end() || found->second});
      }
    }
  }
  return states;
}

/// Of names and sites that there are no more.
void NameServer::forget_the_gone() {
  std::set<std::string> names;
  for (const dns::DynamicName& name : zones_->names()) names.insert(name.name);
  std::erase_if(load_weights_, [&](const auto& each) { return !names.contains(each.first); });
  std::erase_if(answers_, [](const auto& each) { return each.second.use_count() == 1; });
}

void NameServer::write_queries(std::chrono::steady_clock::time_point now) {
  if (!keeps_queries()) return;
  if (now - lines_since_ >= std::chrono::seconds(1)) {
    lines_since_ = now;
    lines_ = 0;
  }
  server_->take_log([&](const dns::LoggedQuery& query) {
    if (lines_ >= wanted_->query_log->per_second) {
      ++lines_lost_;
      return;
    }
    ++lines_;
    log::info("query", {{"client", host_of(query)},
                        {"transport", query.is_tcp ? "tcp" : "udp"},
                        {"name", dns::name_to_text({query.name.data(), query.name_size})},
                        {"type", dns::type_name(query.type)},
                        {"code", dns::code_name(query.code)},
                        {"answers", query.answers},
                        {"site", query.site.data()}});
  });
}

/// Weights can become others at any moment.
void NameServer::weigh_by_load(std::size_t number, const SiteFacts& facts, dns::NameState& state) {
  const config::DnsName& name = *names_[number];
  std::vector<dns::LoadedSite> sites;
  for (const config::DnsSite& site : name.sites)
    sites.push_back({.name = site.name, .weight = static_cast<unsigned>(site.weight), .load = facts.load(site)});
  const auto weights = load_weights_[zones_->names()[number].name].update(sites, facts.now);
  for (std::size_t s = 0; s < state.size(); ++s) {
    state[s].weight = weights[s];
    for (dns::AddressState& address : state[s].addresses)
      address.steady = std::min(address.steady, static_cast<std::uint32_t>(dns::LoadWeights::kToLess.count()));
  }
}

void NameServer::learn(const SiteFacts& facts) {
  if (!has_names()) return;
  std::vector<dns::NameState> now = states(facts);
  if (now == states_) return;
  states_ = std::move(now);
  server_->publish(snapshot());
}

std::shared_ptr<const dns::Snapshot> NameServer::snapshot() const {
  auto snapshot = std::make_shared<dns::Snapshot>();
  snapshot->zones = zones_;
  snapshot->states = states_;
  snapshot->nsid = wanted_->nsid;
  snapshot->udp_size = wanted_->udp_size;
  if (wanted_->cookies) snapshot->cookies = secrets_;
  snapshot->uses_client_subnet = wanted_->client_subnet;
  if (wanted_->query_log) snapshot->log_every = wanted_->query_log->every;
  if (const auto& limit = wanted_->rate_limit) {
    snapshot->rate_limit = {.per_second = limit->per_second,
                            .burst = limit->burst.value_or(limit->per_second),
                            .slip = limit->slip,
                            .ipv4_prefix = limit->ipv4_prefix,
                            .ipv6_prefix = limit->ipv6_prefix};
  }
  return snapshot;
}

bool NameServer::has_site(const std::string& site) const {
  return std::any_of(names_.begin(), names_.end(), [&](const config::DnsName* name) {
    return std::any_of(name->sites.begin(), name->sites.end(), [&](const auto& each) { return each.name == site; });
  });
}

/// Counters do not go down where a server makes room for another.
void NameServer::retire() {
  if (!server_) return;
  for (std::size_t i = 0; i < dns::kCounters; ++i) retired_[i] += server_->count(static_cast<dns::Counter>(i));
  server_.reset();
}

std::uint64_t NameServer::count(dns::Counter counter) const {
  return retired_[static_cast<std::size_t>(counter)] + server_->count(counter);
}

std::optional<api::DnsView> NameServer::view(const SiteFacts& facts, const Orders& order) const {
  if (!server_) return std::nullopt;
  api::DnsView view;
  for (const dns::ListenAddress& address : server_->bound())
    view.listen.push_back(config::show_endpoint(address.host, config::Port{address.port}));
  view.workers = server_->options().workers;
  view.tcp_connections = server_->tcp_connections();
  for (const dns::Zone& zone : zones_->all()) view.zones.push_back(zone_view(zone));
  for (std::size_t i = 0; i < dns::kCounters; ++i) {
    const auto [family, label] = dns::kCounterNames[i];
    const api::DnsCountView counted{.name = std::string(label), .count = count(static_cast<dns::Counter>(i))};
    if (family == "queries") view.queries.push_back(counted);
    if (family == "types") view.types.push_back(counted);
    if (family == "responses") view.responses.push_back(counted);
    if (family == "drops") view.drops.push_back(counted);
    if (family == "cookies") view.cookies.push_back(counted);
    if (family == "signatures") view.signatures.push_back(counted);
    if (family == "slipped") view.slipped = counted.count;
    if (family == "truncated") view.truncated = counted.count;
    if (family == "not-logged") view.queries_not_logged = counted.count + lines_lost_;
    if (family == "tcp-opened") view.tcp_opened = counted.count;
    if (family == "tcp-closed") view.tcp_closed.push_back(counted);
  }
  for (std::size_t i = 0; i < names_.size(); ++i) view.names.push_back(name_view(i, facts, order));
  return view;
}

api::DnsNameView NameServer::name_view(std::size_t number, const SiteFacts& facts, const Orders& order) const {
  const dns::DynamicName& name = zones_->names()[number];
  api::DnsNameView view{.name = name.name, .policy = config::kDnsPolicies.show(names_[number]->policy), .sites = {}};
  for (std::size_t s = 0; s < name.sites.size(); ++s) {
    const config::DnsSite& site = names_[number]->sites[s];
    api::DnsSiteView shown{.site = site.name,
                           .tier = site.tier,
                           .weight = static_cast<std::uint32_t>(site.weight),
                           .weight_by_load = std::nullopt,
                           .load = std::nullopt,
                           .order = order(site.name),
                           .addresses = {},
                           .answers = name.sites[s].answers->load(std::memory_order_relaxed)};
    if (const auto weight = states_[number][s].weight) {
      shown.weight_by_load = static_cast<double>(*weight) / dns::kMostWeight;
      shown.load = dns::fullness(facts.load(site));
    }
    for (const config::address& host : hosts_[number][s]) {
      const AddressFact fact = facts.address(name.name, site, host);
      shown.addresses.push_back({.address = host.to_string(), .up = fact.is_up, .why = fact.why});
    }
    view.sites.push_back(std::move(shown));
  }
  return view;
}

Result<api::DnsExplainView> NameServer::explain(const api::DnsQuestion& question, const SiteFacts& facts,
                                                const Orders& order) const {
  if (!server_) return Error{"there is no name server", "the configuration has no section dns"};
  const auto name = dns::name_from_text(question.name);
  if (name.has_error()) return name.error();
  const auto type = dns::type_by_name(question.type);
  if (type.has_error()) return type.error();
  boost::system::error_code failed;
  const auto from = boost::asio::ip::make_address(question.from, failed);
  if (failed) return Error{"from: '" + question.from + "' is not an IP address", "name the client, or its resolver"};
  const dns::Client client = client_of(from);
  dns::WorkerContext context{.random = dns::Random(std::random_device{}()), .counts_sites = false};
  std::vector<std::byte> room(dns::kLongestMessage);
  const std::vector<std::byte> query = query_for(*name, *type);
  const std::size_t size = dns::respond(*snapshot(), query, client, room, context);
  const dns::ShownResponse shown = dns::show_response(std::span(room).first(size));
  api::DnsExplainView view{.name = dns::name_to_text(*name),
                           .zone = {},
                           .type = dns::type_name(*type),
                           .code = shown.code,
                           .answers = shown.answers,
                           .why = {},
                           .names = {}};
  const dns::Zone* zone = zones_->find(*name);
  if (zone != nullptr) view.zone = dns::name_to_text(zone->apex());
  explain_names(view, *name, *type, client, facts, order);
  return view;
}

/// Follows aliases to the names that were chosen for, and says how the last was.
void NameServer::explain_names(api::DnsExplainView& view, std::string name, dns::Type type, const dns::Client& client,
                               const SiteFacts& facts, const Orders& order) const {
  view.why = "the zone's records say so";
  constexpr unsigned kLongestChain = 8;
  for (unsigned i = 0; i <= kLongestChain; ++i) {
    const dns::Zone* zone = zones_->find(name);
    if (zone == nullptr) {
      if (i == 0) view.why = "the name is in none of the zones here";
      return;
    }
    const auto [match, node] = zone->find(name, type);
    if (match == dns::Zone::Match::cut)
      view.why = "another server has it: " + dns::name_to_text(node->owner) + " is delegated";
    if (match == dns::Zone::Match::none) view.why = "there is no such name in zone " + dns::name_to_text(zone->apex());
    if (match == dns::Zone::Match::cut || match == dns::Zone::Match::none) return;
    if (node->dynamic) {
      view.names.push_back(name_view(*node->dynamic, facts, order));
      const bool is_address = type == dns::Type::a || type == dns::Type::aaaa;
      const bool is_service = (type == dns::Type::https || type == dns::Type::svcb) &&
                              !dns::service_of(zones_->names()[*node->dynamic], type).empty();
      if (is_address) view.why = why_of(*node->dynamic, type, client);
      if (is_service) view.why = "for its hints, as with A: " + why_of(*node->dynamic, dns::Type::a, client);
    }
    const dns::RecordSet* alias = node->find(dns::Type::cname);
    if (alias == nullptr || type == dns::Type::cname) return;
    name = alias->data.front();
    for (char& c : name) c = dns::folded(c);
  }
}

std::string NameServer::why_near(const config::DnsName& name, const dns::Asker& asker) const {
  const auto is_it = [&](const config::DnsMap& map) { return map.name == name.map; };
  const config::DnsMap& map = *std::find_if(wanted_->maps.begin(), wanted_->maps.end(), is_it);
  const std::string scope = "the client's first " + std::to_string(asker.scope) + " bits are in ";
  if (asker.region == dns::kNowhere) return scope + "no region of map " + map.name;
  return scope + "region " + map.regions[asker.region].name + " of map " + map.name;
}

std::string NameServer::why_of(std::size_t number, dns::Type type, const dns::Client& client) const {
  const dns::DynamicName& name = zones_->names()[number];
  dns::Random random(1);
  const dns::Asker asker = dns::asker_of(name, client.bytes(), client.is_ipv4);
  const dns::Choice choice = dns::choose(name, states_[number], type, asker, random);
  const std::string rule = config::kDnsAllDown.show(names_[number]->when_down);
  if (choice.kind == dns::Choice::Kind::no_data && !choice.all_down) return "no site has an address of that type";
  if (choice.all_down) return "no site is up: " + rule;
  std::string why = "policy " + config::kDnsPolicies.show(names_[number]->policy);
  if (name.policy == dns::Policy::failover)
    why += ": tier " + std::to_string(name.sites[choice.sites[0]].tier) + " is the first with a site that is up";
  if (names_[number]->policy == config::DnsPolicy::weighted) why += ": drawn among the sites that are up";
  if (config::goes_by_load(*names_[number])) why += ": drawn by weight, capacity and load";
  if (name.policy == dns::Policy::hash) why += ": by the client's network, among the sites that are up";
  if (name.policy == dns::Policy::nearest) why += ": " + why_near(*names_[number], asker);
  return why + "; it can be another in " + std::to_string(choice.ttl) + " s, or after the longest TTL";
}

}  // namespace astil::app
