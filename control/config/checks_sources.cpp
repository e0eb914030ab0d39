// What a service's lists of sources say twice, or to no effect, and a limit that makes no sense.
#include "control/config/checks_sources.hpp"

#include <algorithm>
#include <tuple>

#include "control/config/address_kinds.hpp"
#include "control/config/utf8.hpp"

namespace astil::config {
namespace {

/// A prefix, and where it stands.
struct Listed {
  Prefix prefix;
  std::string_view list;
  Place place;
};

std::string show(const Listed& listed) { return ClientNetwork{}.show(listed.prefix); }

void gather(const Node& sources, std::string_view list, const Mistakes& mistakes, std::vector<Listed>& all) {
  const Entry* entry = sources.find(list);
  if (entry == nullptr || entry->value.kind != Node::Kind::list) return;
  for (const Node& item : entry->value.items) {
    if (item.kind != Node::Kind::scalar || mistakes.at(item.place)) continue;
    if (const auto prefix = ClientNetwork{}.read({item.text, item.quoted})) all.push_back({*prefix, list, item.place});
  }
}

void check_version(const ServiceView& service, const Listed& listed, Mistakes& mistakes) {
  const address& host = service.model->host;
  if (!service.has_value("address") || listed.prefix.network.is_v4() == host.is_v4()) return;
  mistakes.add(listed.place,
               show(listed) + " is of " + std::string(version_of(listed.prefix.network)) + ", and " + service.name() +
                   " has the " + std::string(version_of(host)) + " address " + host.to_string() +
                   line_of(service.place_of("address")),
               "clients are of the service's version: leave it out");
}

/// Each prefix is held by those before it that are still open; the last of them is the shortest way round it.
void check_overlaps(const ServiceView& service, std::vector<Listed> all, Mistakes& mistakes) {
  std::stable_sort(all.begin(), all.end(), [](const Listed& a, const Listed& b) {
    return std::tuple(a.prefix.network, a.prefix.length) < std::tuple(b.prefix.network, b.prefix.length);
  });
  std::vector<const Listed*> open;
  for (const Listed& listed : all) {
    while (!open.empty() && !holds(open.back()->prefix, listed.prefix.network)) open.pop_back();
    const Listed* around = open.empty() ? nullptr : open.back();
    open.push_back(&listed);
    if (around == nullptr) continue;
    const std::string already = std::string(around->list) + " has" + line_of(around->place);
    if (around->prefix == listed.prefix) {
      mistakes.add(listed.place, show(listed) + " stands twice in the sources of " + service.name(),
                   already + (around->list == listed.list ? " already" : " too: it can not be both"));
    } else if (around->list == listed.list) {
      mistakes.add(listed.place, show(listed) + " is within " + show(*around) + ", which " + already + " already",
                   "leave it out");
    }
  }
}

void check_limit(const ServiceView& service, const Node& node, Mistakes& mistakes) {
  const Sources& sources = *service.model->sources;
  const Entry* rate = node.find("new_flows_per_second");
  const Entry* burst = node.find("burst");
  if (rate == nullptr) {
    for (const char* key : {"burst", "ipv4_prefix", "ipv6_prefix"}) {
      if (const Entry* entry = node.find(key))
        mistakes.add(entry->place, in_quotes(key) + " applies only with new_flows_per_second");
    }
    if (node.find("allow") == nullptr && node.find("deny") == nullptr)
      mistakes.add(service.entry->value.find("sources")->place, "the sources of " + service.name() + " say nothing",
                   "name allow, deny or new_flows_per_second");
    return;
  }
  constexpr std::uint64_t kLongest = 3600;
  constexpr std::uint64_t kClock = 100;
  if (!sources.new_flows_per_second || !sources.burst || burst == nullptr) return;
  if (*sources.burst > kLongest * *sources.new_flows_per_second) {
    mistakes.add(burst->value.place, "a source would need more than an hour to earn this burst",
                 "at " + std::to_string(*sources.new_flows_per_second) + " new flows a second write " +
                     std::to_string(kLongest * *sources.new_flows_per_second) + " at most");
  } else if (*sources.burst * kClock < *sources.new_flows_per_second) {
    mistakes.add(burst->value.place, "with this burst a source could not have its new_flows_per_second",
                 "the clock goes on in steps of up to 10 ms: write " +
                     std::to_string((*sources.new_flows_per_second + kClock - 1) / kClock) + " or more");
  }
}

}  // namespace

void check_client_sources(const ServiceView& service, Mistakes& mistakes) {
  if (!service.model->sources || !service.is_sound("sources")) return;
  const Node& node = service.entry->value.find("sources")->value;
  std::vector<Listed> all;
  gather(node, "allow", mistakes, all);
  gather(node, "deny", mistakes, all);
  for (const Listed& listed : all) check_version(service, listed, mistakes);
  check_overlaps(service, std::move(all), mistakes);
  check_limit(service, node, mistakes);
}

}  // namespace astil::config
