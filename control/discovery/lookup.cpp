#include "control/discovery/lookup.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <sstream>

#include "control/config/keys.hpp"
#include "control/discovery/answer.hpp"
#include "control/discovery/exchange.hpp"

namespace astil::discovery {
namespace {

using config::DiscoveryRecord;
using Clock = std::chrono::steady_clock;

constexpr const char* kResolvers = "/etc/resolv.conf";
/// What one answer can make us ask is bounded, whoever wrote it.
constexpr std::size_t kMostTargetsOfSrv = 256;
constexpr std::chrono::seconds kLongest{60};

Result<std::vector<config::Endpoint>> servers_for(const config::DnsDiscovery& how) {
  if (how.server) return std::vector{*how.server};
  std::ifstream file(kResolvers);
  std::ostringstream text;
  text << file.rdbuf();
  auto servers = name_servers_of(text.view());
  if (servers.empty())
    return Error{std::string("no name server in ") + kResolvers,
                 "name one there, or in the service's discovery.server"};
  return servers;
}

class Looking {
 public:
  Looking(const config::DnsDiscovery& how, std::vector<config::Endpoint> servers)
      : how_(how), servers_(std::move(servers)) {}

  Result<void> addresses(const std::string& name, RecordType type, config::Port port, config::Weight weight) {
    const auto records = records_of(name, type);
    if (records.has_error()) return records.error();
    for (const config::address& host : records->hosts) {
      // What is no host's is passed over, as if it were not there.
      if (config::kHostAddress.read({.text = host.to_string()}).has_error()) continue;
      found_.push_back({.host = host, .port = port, .weight = weight});
    }
    return {};
  }

  Result<void> services() {
    const auto records = records_of(how_.name, RecordType::srv);
    if (records.has_error()) return records.error();
    if (records->services.empty()) return {};
    const auto best = std::ranges::min_element(records->services, {}, &ServiceRecord::priority)->priority;
    std::set<std::string> targets;
    for (const ServiceRecord& service : records->services) {
      if (service.priority != best || service.target == "." || service.port == 0) continue;
      targets.insert(service.target);
      if (targets.size() > kMostTargetsOfSrv)
        return Error{"more than " + std::to_string(kMostTargetsOfSrv) + " targets of SRV",
                     "give more addresses to each"};
      const config::Weight weight{static_cast<std::uint16_t>(std::clamp<unsigned>(service.weight, 1, 1000))};
      for (const RecordType type : {RecordType::a, RecordType::aaaa}) {
        if (auto done = addresses(service.target, type, config::Port{service.port}, weight); done.has_error())
          return done;
      }
    }
    return {};
  }

  Answer answer() { return {.set = made_set(std::move(found_)), .keep = std::chrono::seconds(keep_.value_or(0))}; }

 private:
  Result<Records> records_of(const std::string& name, RecordType type) {
    if (Clock::now() - begun_ > kLongest)
      return Error{how_.name + ": not known within " + std::to_string(kLongest.count()) + " s", "see the name server"};
    const auto message = ask(servers_, name, static_cast<std::uint16_t>(type));
    if (message.has_error()) return message.error();
    auto records = read_records(*message, type);
    if (records.has_error()) return records.error().within(name);
    if (records->keep) keep_ = std::min(keep_.value_or(*records->keep), *records->keep);
    return records;
  }

  const config::DnsDiscovery& how_;
  std::vector<config::Endpoint> servers_;
  Clock::time_point begun_ = Clock::now();
  std::vector<Found> found_;
  std::optional<std::uint32_t> keep_;
};

}  // namespace

Result<Answer> look_up(const config::DnsDiscovery& how) {
  auto servers = servers_for(how);
  if (servers.has_error()) return servers.error();
  Looking looking(how, std::move(*servers));
  const auto done = [&] {
    if (how.record == DiscoveryRecord::srv) return looking.services();
    const RecordType type = how.record == DiscoveryRecord::a ? RecordType::a : RecordType::aaaa;
    return looking.addresses(how.name, type, how.port.value_or(config::Port{}), config::Weight{1});
  }();
  if (done.has_error()) return done.error();
  return looking.answer();
}

}  // namespace astil::discovery
