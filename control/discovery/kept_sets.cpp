#include "control/discovery/kept_sets.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace astil::discovery {

namespace json = boost::json;

std::string text_of(const KeptSets& sets) {
  json::object services;
  for (const auto& [service, kept] : sets) {
    json::array targets;
    for (const Found& found : kept.set) {
      const std::string host = found.host.is_v6() ? "[" + found.host.to_string() + "]" : found.host.to_string();
      const auto port = static_cast<unsigned>(found.port);
      targets.push_back({{"target", port == 0 ? host : host + ":" + std::to_string(port)},
                         {"weight", static_cast<unsigned>(found.weight)}});
    }
    services[service] = {{"source", kept.source}, {"targets", std::move(targets)}};
  }
  return json::serialize(json::object{{"version", 1}, {"services", std::move(services)}}) + "\n";
}

KeptSets kept_sets_of(const std::string& text) {
  boost::system::error_code failed;
  const json::value read = json::parse(text, failed);
  KeptSets sets;
  if (failed || !read.is_object()) return sets;
  const json::value* const services = read.get_object().if_contains("services");
  if (services == nullptr || !services->is_object()) return sets;
  for (const auto& [service, kept] : services->get_object()) {
    const auto* const object = kept.if_object();
    const json::value* const source = object == nullptr ? nullptr : object->if_contains("source");
    const json::value* const targets = object == nullptr ? nullptr : object->if_contains("targets");
    if (source == nullptr || !source->is_string() || targets == nullptr || !targets->is_array()) continue;
    std::vector<Found> all;
    for (const json::value& each : targets->get_array()) {
      const auto* const entry = each.if_object();
      const json::value* const target = entry == nullptr ? nullptr : entry->if_contains("target");
      const json::value* const weight = entry == nullptr ? nullptr : entry->if_contains("weight");
      if (target == nullptr || !target->is_string() || weight == nullptr || !weight->is_number()) continue;
      auto found = read_target(std::string_view(target->get_string()));
      const auto number = weight->to_number<unsigned>(failed);
      if (found.has_error() || failed || number > 1000) continue;
      found->weight = config::Weight{static_cast<std::uint16_t>(number)};
      all.push_back(*found);
    }
    sets[service] = {.source = std::string(source->get_string()), .set = made_set(std::move(all))};
  }
  return sets;
}

}  // namespace astil::discovery
