// keepalived.conf as a whole: groups of addresses, virtual servers, and what is told of the rest.
#include <algorithm>
#include <array>
#include <map>

#include "control/import/statements.hpp"
#include "control/import/values.hpp"
#include "control/import/virtual_server.hpp"

namespace astil::import {
namespace {

struct Rest {
  std::string_view name;
  std::string_view why;
};

/// What else stands at the top of the file.
constexpr std::array kRest{
    Rest{"global_defs", "settings of keepalived itself"},
    Rest{"SSL", "checks by TLS verify no certificate, as keepalived's do, and show none"},
    Rest{"vrrp_instance", "there is no failover to a second balancer: astild holds the addresses of its services"},
    Rest{"vrrp_sync_group", "there is no failover to a second balancer"},
    Rest{"vrrp_script", "there is no failover to a second balancer"},
    Rest{"vrrp_track_process", "there is no failover to a second balancer"},
    Rest{"track_file", "there is no failover to a second balancer"},
    Rest{"bfd_instance", "there is no BFD"},
    Rest{"static_ipaddress", "the host's own addresses are left to it"},
    Rest{"static_routes", "the host's routes are left to it"},
    Rest{"static_rules", "the host's rules are left to it"},
};

/// An address and port that clients reach.
struct Target {
  config::address host;
  config::Port port{};
};

class KeepalivedImporter {
 public:
  explicit KeepalivedImporter(Draft& draft) : draft_(draft) {}

  void run(const std::vector<Statement>& statements) {
    for (const auto& statement : statements) {
      if (statement.name() == "virtual_server_group") groups_.emplace(statement.word(1), &statement);
    }
    for (const auto& statement : statements) take(statement);
    for (const auto& [name, group] : groups_) {
      if (!used_.contains(name)) note(*group, "no virtual server uses it");
    }
  }

 private:
  void note(const Statement& statement, std::string why) {
    draft_.add_finding(statement.origin, statement.text(), std::move(why));
  }

  void take(const Statement& statement) {
    const auto& name = statement.name();
    if (name == "virtual_server") return take_server(statement);
    if (name == "virtual_server_group") {
      if (groups_.at(statement.word(1)) != &statement) note(statement, "a group of this name stands there before");
      return;
    }
    if (name == "vrrp_instance") take_interface(statement);
    const auto found = std::ranges::find(kRest, name, &Rest::name);
    note(statement, found == kRest.end() ? "is not known here" : std::string(found->why));
  }

  void take_interface(const Statement& instance) {
    for (const auto& statement : instance.block) {
      if (statement.name() == "interface") draft_.interfaces.push_back(statement.word(1));
    }
  }

  void take_server(const Statement& statement) {
    const auto& first = statement.word(1);
    if (first == "fwmark") return note(statement, "left out: packets have no marks before the kernel has seen them");
    if (first == "group") return take_group(statement);
    const auto host = address_of(first);
    const auto port = statement.words.size() > 2 ? number_of(statement.word(2), 65'535) : 0;
    if (!host || !port) return note(statement, "left out: it has no address and port that are such");
    add(statement, {{*host, static_cast<config::Port>(*port)}});
  }

  void take_group(const Statement& statement) {
    const auto group = groups_.find(statement.word(2));
    if (group == groups_.end()) return note(statement, "left out: there is no group of this name");
    auto used = used_.find(group->first);
    if (used == used_.end()) used = used_.emplace(group->first, targets_of(*group->second)).first;
    if (used->second.empty()) return note(statement, "left out: its group has no address that is carried over");
    add(statement, used->second);
  }

  std::vector<Target> targets_of(const Statement& group) {
    std::vector<Target> targets;
    for (const auto& entry : group.block) {
      if (entry.name() == "fwmark") {
        note(entry, "left out: packets have no marks before the kernel has seen them");
        continue;
      }
      const auto hosts = range_of(entry.name(), kMostServices);
      const auto port = entry.words.size() > 1 ? number_of(entry.word(1), 65'535) : 0;
      if (!hosts || !port) {
        note(entry, "left out: it is no address, nor a range of at most 10000");
        continue;
      }
      for (const auto& host : *hosts) {
        if (targets.size() == kMostServices) {
          note(entry, "left out from " + host.to_string() + " on: there are too many addresses");
          break;
        }
        targets.push_back({host, static_cast<config::Port>(*port)});
      }
    }
    return targets;
  }

  /// One service for each address; what is told of the virtual server is told once for each port.
  void add(const Statement& statement, const std::vector<Target>& targets) {
    std::map<config::Port, std::optional<config::Service>> made;
    for (const auto& [host, port] : targets) {
      auto service = made.find(port);
      if (service == made.end()) service = made.emplace(port, VirtualServer(statement, draft_).run(port)).first;
      if (!service->second) continue;
      backends_ += service->second->backends.size();
      if (draft_.services.size() == kMostServices || backends_ > kMostBackends)
        return note(statement, "left out from " + host.to_string() + " on: there are too many services");
      service->second->host = host;
      draft_.services.push_back({*service->second, statement.origin, shown(statement.text())});
    }
  }

  Draft& draft_;
  std::size_t backends_ = 0;  ///< of all services
  std::map<std::string, const Statement*, std::less<>> groups_;
  std::map<std::string, std::vector<Target>, std::less<>> used_;  ///< the addresses of groups
};

}  // namespace

Imported import_keepalived(std::string_view text, const std::string& file, const Files& files) {
  Draft draft{.made_by = "astil import keepalived", .file = file, .interfaces = {}, .services = {}, .findings = {}};
  const auto statements = StatementReader(files, draft).read(text, file);
  KeepalivedImporter(draft).run(statements);
  return finish(std::move(draft));
}

}  // namespace astil::import
