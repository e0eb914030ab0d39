#include "control/discovery/lookup.hpp"

#include <algorithm>
#include <memory>
#include <optional>

#include "control/config/keys.hpp"
#include "control/dns/ldns.hpp"

namespace astil::discovery {
namespace {

using config::DiscoveryRecord;

template <auto Free>
struct Freed {
  void operator()(auto* object) const { Free(object); }
};
using Resolver = std::unique_ptr<ldns_resolver, Freed<ldns_resolver_deep_free>>;
using Packet = std::unique_ptr<ldns_pkt, Freed<ldns_pkt_free>>;
using Data = std::unique_ptr<ldns_rdf, Freed<ldns_rdf_deep_free>>;

constexpr timeval kPatience{.tv_sec = 2, .tv_usec = 0};
constexpr std::uint8_t kTries = 2;

Result<Resolver> resolver_for(const config::DnsDiscovery& how) {
  ldns_resolver* made = nullptr;
  if (how.server) {
    made = ldns_resolver_new();
    const std::string host = how.server->host.to_string();
    const Data server(
        ldns_rdf_new_frm_str(how.server->host.is_v4() ? LDNS_RDF_TYPE_A : LDNS_RDF_TYPE_AAAA, host.c_str()));
    if (made == nullptr || !server) return Error{"look up " + how.name + ": not enough memory", {}};
    (void)ldns_resolver_push_nameserver(made, server.get());
    ldns_resolver_set_port(made, static_cast<std::uint16_t>(how.server->port));
  } else if (ldns_resolver_new_frm_file(&made, nullptr) != LDNS_STATUS_OK) {
    return Error{"no name server in /etc/resolv.conf", "name one there, or in the service's discovery.server"};
  }
  ldns_resolver_set_timeout(made, kPatience);
  ldns_resolver_set_retry(made, kTries);
  ldns_resolver_set_recursive(made, true);
  ldns_resolver_set_dnsrch(made, false);
  ldns_resolver_set_defnames(made, false);
  return Resolver(made);
}

/// The answer's records of that type, whatever aliases lead there.
Result<Packet> ask(ldns_resolver& resolver, const std::string& name, ldns_rr_type type) {
  const Data wanted(ldns_dname_new_frm_str(name.c_str()));
  if (!wanted) return Error{"\"" + name + "\" is no name", {}};
  ldns_pkt* answer = nullptr;
  const ldns_status status =
      ldns_resolver_query_status(&answer, &resolver, wanted.get(), type, LDNS_RR_CLASS_IN, LDNS_RD);
  Packet packet(answer);
  if (status != LDNS_STATUS_OK || !packet)
    return Error{name + ": " + ldns_get_errorstr_by_id(status), "is the name server there?"};
  const ldns_pkt_rcode code = ldns_pkt_get_rcode(packet.get());
  if (code == LDNS_RCODE_NOERROR || code == LDNS_RCODE_NXDOMAIN) return packet;
  char* const said = ldns_pkt_rcode2str(code);
  const Error error{name + ": the name server says " + (said == nullptr ? std::string("error") : said), {}};
  std::free(said);
  return error;
}

struct Service {
  std::string target;
  std::uint16_t priority;
  std::uint16_t weight;
  std::uint16_t port;
};

class Looking {
 public:
  Looking(const config::DnsDiscovery& how, ldns_resolver& resolver) : how_(how), resolver_(resolver) {}

  Result<void> addresses(const std::string& name, ldns_rr_type type, config::Port port, config::Weight weight) {
    return records(name, type, [&](const ldns_rr& record) {
      const ldns_rdf* const data = ldns_rr_rdf(&record, 0);
      if (const auto host = address_of(*data)) found_.push_back({.host = *host, .port = port, .weight = weight});
    });
  }

  Result<void> services() {
    std::vector<Service> all;
    auto asked = records(how_.name, LDNS_RR_TYPE_SRV, [&](const ldns_rr& record) {
      char* const target = ldns_rdf2str(ldns_rr_rdf(&record, 3));
      if (target == nullptr) return;
      all.push_back({.target = target,
                     .priority = ldns_rdf2native_int16(ldns_rr_rdf(&record, 0)),
                     .weight = ldns_rdf2native_int16(ldns_rr_rdf(&record, 1)),
                     .port = ldns_rdf2native_int16(ldns_rr_rdf(&record, 2))});
      std::free(target);
    });
    if (asked.has_error() || all.empty()) return asked;
    const auto best = std::ranges::min_element(all, {}, &Service::priority)->priority;
    for (const Service& service : all) {
      if (service.priority != best || service.target == "." || service.port == 0) continue;
      const config::Weight weight{static_cast<std::uint16_t>(std::clamp<unsigned>(service.weight, 1, 1000))};
      for (const ldns_rr_type type : {LDNS_RR_TYPE_A, LDNS_RR_TYPE_AAAA}) {
        if (auto done = addresses(service.target, type, config::Port{service.port}, weight); done.has_error())
          return done;
      }
    }
    return {};
  }

  Answer answer() { return {.set = made_set(std::move(found_)), .keep = std::chrono::seconds(keep_.value_or(0))}; }

 private:
  static std::optional<config::address> address_of(const ldns_rdf& data) {
    const auto* const bytes = ldns_rdf_data(&data);
    std::optional<config::address> host;
    if (ldns_rdf_size(&data) == 4) {
      boost::asio::ip::address_v4::bytes_type v4;
      std::copy_n(bytes, v4.size(), v4.begin());
      host = boost::asio::ip::address_v4(v4);
    } else if (ldns_rdf_size(&data) == 16) {
      boost::asio::ip::address_v6::bytes_type v6;
      std::copy_n(bytes, v6.size(), v6.begin());
      host = boost::asio::ip::address_v6(v6);
    }
    // What is no host's is passed over, as if it were not there.
    if (host && config::kHostAddress.read({.text = host->to_string()}).has_error()) return std::nullopt;
    return host;
  }

  Result<void> records(const std::string& name, ldns_rr_type type, auto&& each) {
    auto packet = ask(resolver_, name, type);
    if (packet.has_error()) return packet.error();
    const ldns_rr_list* const list = ldns_pkt_answer(packet->get());
    for (std::size_t i = 0; i < ldns_rr_list_rr_count(list); ++i) {
      const ldns_rr* const record = ldns_rr_list_rr(list, i);
      keep_ = std::min(keep_.value_or(ldns_rr_ttl(record)), ldns_rr_ttl(record));
      if (ldns_rr_get_type(record) == type) each(*record);
    }
    return {};
  }

  const config::DnsDiscovery& how_;
  ldns_resolver& resolver_;
  std::vector<Found> found_;
  std::optional<std::uint32_t> keep_;
};

}  // namespace

Result<Answer> look_up(const config::DnsDiscovery& how) {
  auto resolver = resolver_for(how);
  if (resolver.has_error()) return resolver.error();
  Looking looking(how, **resolver);
  const auto done = [&] {
    if (how.record == DiscoveryRecord::srv) return looking.services();
    const ldns_rr_type type = how.record == DiscoveryRecord::a ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA;
    return looking.addresses(how.name, type, how.port.value_or(config::Port{}), config::Weight{1});
  }();
  if (done.has_error()) return done.error();
  return looking.answer();
}

}  // namespace astil::discovery
