// The lines of `ipvsadm -S -n`, each of which is a command line: services by -A, their backends by -a.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <tuple>

#include "control/import/draft.hpp"
#include "control/import/method.hpp"
#include "control/import/values.hpp"

namespace astil::import {
namespace {

/// One option of a line, by its short name or the only one that it has.
struct Option {
  std::string_view name;
  std::string_view long_name;
  bool has_value;
};
constexpr std::array kOptions{
    Option{"-A", "--add-service", false},
    Option{"-a", "--add-server", false},
    Option{"-t", "--tcp-service", true},
    Option{"-u", "--udp-service", true},
    Option{"--sctp", "--sctp-service", true},
    Option{"-f", "--fwmark-service", true},
    Option{"-s", "--scheduler", true},
    Option{"-M", "--netmask", true},
    Option{"--pe", "--pe", true},
    Option{"-b", "--sched-flags", true},
    Option{"-o", "--ops", false},
    Option{"-6", "--ipv6", false},
    Option{"-r", "--real-server", true},
    Option{"-g", "--gatewaying", false},
    Option{"-i", "--ipip", false},
    Option{"-m", "--masquerading", false},
    Option{"-w", "--weight", true},
    Option{"-x", "--u-threshold", true},
    Option{"-y", "--l-threshold", true},
    Option{"--tun-type", "--tun-type", true},
    Option{"--tun-port", "--tun-port", true},
    Option{"--tun-nocsum", "--tun-nocsum", false},
    Option{"--tun-csum", "--tun-csum", false},
    Option{"--tun-remcsum", "--tun-remcsum", false},
    Option{"-p", "--persistent", true},
};

struct Given {
  std::string_view name;
  std::string_view value;
};

std::vector<std::string_view> words_of(std::string_view line) {
  constexpr std::string_view kBlanks = " \t\r\v\f";
  std::vector<std::string_view> words;
  while (true) {
    const auto begin = line.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    const auto end = std::min(line.find_first_of(kBlanks), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

/// ADDRESS:PORT, an IPv6 address in brackets; without a port, and with port 0, it is any.
std::optional<std::pair<config::address, config::Port>> place_of(std::string_view word) {
  const auto colon = word.rfind(':');
  const bool bracketed = word.starts_with('[');
  const auto end = bracketed ? word.find(']') : colon;
  const auto host =
      address_of(bracketed ? word.substr(1, end == std::string_view::npos ? end : end - 1) : word.substr(0, end));
  const bool has_port = colon != std::string_view::npos && (!bracketed || colon == end + 1);
  const auto port = has_port ? number_of(word.substr(colon + 1), 65'535) : 0;
  if (!host || !port) return std::nullopt;
  return std::pair{*host, static_cast<config::Port>(*port)};
}

class IpvsadmImporter {
 public:
  explicit IpvsadmImporter(Draft& draft) : draft_(draft) {}

  void take(std::string_view line, std::uint32_t number) {
    line_ = line;
    origin_ = {draft_.file, number};
    auto words = words_of(line);
    if (!words.empty() && words.front().ends_with("ipvsadm")) words.erase(words.begin());
    if (words.empty() || words.front().starts_with('#')) return;
    if (!read_options(words)) return;
    if (has("-A")) return take_service();
    if (has("-a")) return take_backend();
    note("left out: it adds neither a service (-A) nor a server (-a)");
  }

 private:
  void note(std::string why) { draft_.add_finding(origin_, line_, std::move(why)); }

  bool read_options(const std::vector<std::string_view>& words) {
    given_.clear();
    for (std::size_t i = 0; i < words.size(); ++i) {
      const auto known = std::ranges::find_if(
          kOptions, [&](const Option& each) { return each.name == words[i] || each.long_name == words[i]; });
      if (known == kOptions.end()) {
        note("left out: " + shown(words[i]) + " is not known here");
        return false;
      }
      // The time of -p may be left out.
      const bool value =
          known->has_value && i + 1 < words.size() && !(known->name == "-p" && words[i + 1].starts_with('-'));
      given_.push_back({known->name, value ? words[++i] : std::string_view{}});
    }
    return true;
  }

  [[nodiscard]] const Given* find(std::string_view name) const {
    const auto found = std::ranges::find(given_, name, &Given::name);
    return found == given_.end() ? nullptr : &*found;
  }
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  [[nodiscard]] std::string_view value(std::string_view name) const {
    const auto* given = find(name);
    return given == nullptr ? std::string_view{} : given->value;
  }

  /// The draft's service that the line is about; none: a finding says why. `Protocol` and place are enough to tell it.
  std::optional<config::Service> named_service() {
    config::Service service;
    service.protocol = has("-u") ? config::Protocol::udp : config::Protocol::tcp;
    if (has("-f") || has("--sctp")) {
      note(has("-f") ? "left out: packets have no marks before the kernel has seen them"
                     : "left out: services are for TCP and UDP");
      return std::nullopt;
    }
    const auto place = place_of(value(has("-u") ? "-u" : "-t"));
    if (!place) {
      note("left out: the service has no address and port that are such");
      return std::nullopt;
    }
    service.host = place->first;
    service.port = place->second;
    return service;
  }

  void take_service() {
    auto service = named_service();
    if (!service) return;
    if (numbers_.contains({service->host, service->port, service->protocol}))
      return note("left out: the service stands there before");
    if (draft_.services.size() == kMostServices) return note("left out: there are too many services");
    take_scheduler(*service);
    take_affinity(*service);
    for (const auto& [name, why] : std::array<std::pair<std::string_view, const char*>, 3>{
             {{"--pe", "--pe: affinity goes by the client's address"},
              {"-b", "-b: schedulers have no such flags"},
              {"-o", "-o: each flow of UDP has its backend"}}}) {
      if (has(name)) note(why);
    }
    numbers_.insert_or_assign({service->host, service->port, service->protocol}, draft_.services.size());
    draft_.services.push_back({std::move(*service), origin_, shown(line_)});
  }

  void take_scheduler(config::Service& service) {
    const auto name = has("-s") ? value("-s") : "wlc";
    const auto* known = scheduler_of(name);
    if (known == nullptr) return note("there is no scheduler " + shown(name) + "; maglev it is");
    service.scheduler = known->scheduler;
    if (!known->difference.empty()) note(shown(name) + ": " + std::string(known->difference));
    if (!known->by_weight)
      note(shown(name) + " does not go by weights, and ours do: put in weight 1 where they differ");
  }

  void take_affinity(config::Service& service) {
    constexpr std::uint32_t kUsual = 300;
    constexpr std::uint32_t kLongest = 136 * 60;
    if (!has("-p")) return;
    const auto seconds = value("-p").empty() ? kUsual : number_of(value("-p"), 0xffffffffU).value_or(0);
    if (seconds == 0) return note("-p is no number of seconds, and is left out");
    if (seconds > kLongest) note("-p is 136 minutes now, the longest that there is");
    service.affinity.emplace().timeout = config::Milliseconds(std::int64_t{std::min(seconds, kLongest)} * 1000);
    if (!has("-M")) return;
    const bool ipv4 = service.host.is_v4();
    const auto bits = mask_of(value("-M"), ipv4);
    if (!bits || *bits == 0) return note("-M is no netmask, and is left out");
    (ipv4 ? service.affinity->prefixes.ipv4 : service.affinity->prefixes.ipv6) = *bits;
  }

  void take_backend() {
    const auto named = named_service();
    if (!named) return;
    const auto number = numbers_.find({named->host, named->port, named->protocol});
    if (number == numbers_.end()) return note("left out: its service is not carried over");
    auto& service = draft_.services[number->second].service;
    const auto place = place_of(value("-r"));
    if (!place) return note("left out: the server has no address that is one");
    const auto method = method_of_line();
    if (!method) return;
    add_backend(service, *place, *method);
  }

  void add_backend(config::Service& service, const std::pair<config::address, config::Port>& place,
                   const Method& method) {
    if (service.backends.empty()) {
      service.forwarding = method.forwarding;
      service.tunnel = method.tunnel;
    } else if (method != Method{service.forwarding, service.tunnel}) {
      return note("left out: the first server is reached otherwise, and all of a service are reached alike");
    }
    config::Backend backend;
    backend.host = place.first;
    backend.port = service.port;
    if (place.second != config::Port{} && place.second != service.port) {
      if (method.forwarding == config::Forwarding::nat && service.port != config::Port{}) {
        backend.port = place.second;
      } else {
        note("packets keep their port: the server's is that of the service now");
      }
    }
    const bool duplicate = std::ranges::any_of(service.backends, [&](const config::Backend& other) {
      return other.host == backend.host && other.port == backend.port;
    });
    if (duplicate) return note("left out: the server stands there before");
    if (++backends_ > kMostBackends) return note("left out: there are too many backends");
    take_weight(backend);
    if (has("-x") || has("-y")) note("-x and -y: backends have no limit of connections");
    service.backends.push_back(backend);
  }

  void take_weight(config::Backend& backend) {
    constexpr std::uint32_t kMost = 1000;
    if (!has("-w")) return;
    const auto weight = number_of(value("-w"), 65'535);
    if (!weight) return note("-w is no weight; it is 1 now");
    if (*weight > kMost) note("-w is 1000 now, the largest that there is");
    backend.weight = static_cast<config::Weight>(std::min(*weight, kMost));
  }

  std::optional<Method> method_of_line() {
    Method method;
    method.forwarding = config::Forwarding::direct;  // ipvsadm's default
    if (has("-m")) method.forwarding = config::Forwarding::nat;
    if (!has("-i")) return method;
    method.forwarding = config::Forwarding::tunnel;
    if (has("--tun-csum") || has("--tun-remcsum")) note("tunnels have no checksum of their own");
    const auto type = value("--tun-type");
    if (type.empty() || type == "ipip") return method;
    const auto port = number_of(value("--tun-port"), 65'535);
    if (type != "gue" || !port || *port == 0) {
      note("left out: there are tunnels by ipip, and by gue to a port");
      return std::nullopt;
    }
    method.tunnel.encapsulation = config::Encapsulation::gue;
    method.tunnel.gue_port = static_cast<config::Port>(*port);
    return method;
  }

  Draft& draft_;
  std::string_view line_;
  Origin origin_;
  std::vector<Given> given_;
  std::map<std::tuple<config::address, config::Port, config::Protocol>, std::size_t> numbers_;  ///< of services
  std::size_t backends_ = 0;
};

}  // namespace

Imported import_ipvsadm(std::string_view text, const std::string& file) {
  Draft draft{.made_by = "astil import ipvsadm", .file = file, .interfaces = {}, .services = {}, .findings = {}};
  IpvsadmImporter importer(draft);
  if (text.size() > kMostText) {
    draft.add_finding({file, 1}, file, "there is more text than is read; what is behind its first 8 MiB is left out");
    text = text.substr(0, kMostText);
  }
  for (std::uint32_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    importer.take(text.substr(0, end), number);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  std::erase_if(draft.services, [&](const DraftService& each) {
    if (each.service.backends.empty())
      draft.add_finding(each.origin, each.what, "left out: it has no server that is carried over");
    return each.service.backends.empty();
  });
  if (!draft.services.empty())
    draft.add_finding({file, 1}, "health",
                      "LVS itself checks no servers, so they count as up: give the services a check");
  return finish(std::move(draft));
}

}  // namespace astil::import
