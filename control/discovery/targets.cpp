#include "control/discovery/targets.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <optional>
#include <tuple>

#include "control/config/key_terms.hpp"
#include "control/config/tree.hpp"

namespace astil::discovery {
namespace {

/// What both languages are read into.
struct Group {
  std::vector<std::string> targets;
  std::string weight;  ///< empty: not said
};
using Groups = std::vector<Group>;

const char* const kForm = "it is a list of groups, each with a list of targets, as Prometheus' file_sd has them";

Error no_list(const std::string& what) { return {what, kForm}; }

Result<Groups> groups_of_json(const std::string& text) {
  boost::system::error_code failed;
  const auto json = boost::json::parse(text, failed);
  if (failed) return Error{"not JSON: " + failed.message(), {}};
  if (!json.is_array()) return no_list("no list");
  Groups groups;
  for (const auto& each : json.get_array()) {
    const auto* const object = each.if_object();
    const auto* const targets = object == nullptr ? nullptr : object->if_contains("targets");
    if (targets == nullptr || !targets->is_array()) return no_list("a group has no list of targets");
    Group group;
    for (const auto& target : targets->get_array()) {
      if (!target.is_string()) return no_list("a target is no text");
      group.targets.emplace_back(target.get_string());
    }
    const auto* const labels = object->if_contains("labels");
    if (labels != nullptr && !labels->is_object()) return no_list("labels are no mapping");
    const auto* const weight = labels == nullptr ? nullptr : labels->get_object().if_contains("weight");
    if (weight != nullptr && !weight->is_string()) return no_list("the label weight is no text");
    if (weight != nullptr) group.weight = std::string(weight->get_string());
    groups.push_back(std::move(group));
  }
  return groups;
}

Result<Group> group_of(const config::Node& node) {
  using Kind = config::Node::Kind;
  const config::Entry* const targets = node.find("targets");
  if (node.kind != Kind::mapping || targets == nullptr || targets->value.kind != Kind::list)
    return no_list("line " + std::to_string(node.place.line) + ": a group has no list of targets");
  Group group;
  for (const config::Node& target : targets->value.items) {
    if (target.kind != Kind::scalar)
      return no_list("line " + std::to_string(target.place.line) + ": a target is no text");
    group.targets.push_back(target.text);
  }
  const config::Entry* const labels = node.find("labels");
  const config::Entry* const weight = labels == nullptr ? nullptr : labels->value.find("weight");
  if (weight != nullptr) group.weight = weight->value.text;
  return group;
}

/// What yaml-cpp takes for brackets that are open grows without bounds.
bool is_deep(std::string_view text) {
  constexpr int kDeepest = 100;
  int depth = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kDeepest) return true;
  }
  return false;
}

Result<Groups> groups_of_yaml(const std::string& text, const std::string& file) {
  if (is_deep(text)) return Error{"lists within lists without end", "write a list of groups with targets"};
  const config::Source source(text, file);
  config::Mistakes mistakes(source);
  const auto tree = config::parse_tree(source, mistakes);
  if (!mistakes.none()) {
    const config::Diagnostic first = mistakes.in_order().front();
    return Error{"line " + std::to_string(first.line) + ": " + first.message, first.hint};
  }
  if (!tree || tree->kind != config::Node::Kind::list) return no_list("no list");
  Groups groups;
  for (const config::Node& node : tree->items) {
    auto group = group_of(node);
    if (group.has_error()) return group.error();
    groups.push_back(std::move(*group));
  }
  return groups;
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = failed == std::errc() && end == text.data() + text.size();
  return whole ? std::optional(number) : std::nullopt;
}

}  // namespace

Set made_set(std::vector<Found> found) {
  std::stable_sort(found.begin(), found.end(),
                   [](const Found& a, const Found& b) { return std::tie(a.host, a.port) < std::tie(b.host, b.port); });
  const auto same = [](const Found& a, const Found& b) { return a.host == b.host && a.port == b.port; };
  found.erase(std::unique(found.begin(), found.end(), same), found.end());
  return found;
}

Result<Found> read_target(std::string_view text) {
  const Error wrong{"the target \"" + std::string(text.substr(0, 100)) + "\" is no address with a port",
                    "write 10.0.0.1:80 or [2001:db8::1]:80: names are not looked up"};
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return wrong;
    host = text.substr(1, end - 1);
    if (end + 1 < text.size() && text[end + 1] != ':') return wrong;
    port = end + 1 < text.size() ? text.substr(end + 2) : std::string_view("any");
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    host = text.substr(0, text.find(':'));
    port = text.substr(text.find(':') + 1);
  } else {
    port = "any";
  }
  const auto address = config::kHostAddress.read({.text = host});
  if (address.has_error()) return wrong;
  Found found{.host = *address};
  if (port == "any") return found;
  const auto number = number_of<std::uint16_t>(port);
  if (!number || *number == 0) return wrong;
  found.port = config::Port{*number};
  return found;
}

Result<Set> read_targets(const std::string& text, const std::string& file) {
  const auto groups = file.ends_with(".json") ? groups_of_json(text) : groups_of_yaml(text, file);
  if (groups.has_error()) return groups.error();
  std::vector<Found> all;
  for (const Group& group : *groups) {
    std::optional<unsigned> weight = 1;
    if (!group.weight.empty()) weight = number_of<unsigned>(group.weight);
    if (!weight || *weight > 1000)
      return Error{"the label weight is \"" + group.weight + "\"", "it is a number from 0 to 1000"};
    for (const std::string& target : group.targets) {
      auto found = read_target(target);
      if (found.has_error()) return found.error();
      found->weight = config::Weight{static_cast<std::uint16_t>(*weight)};
      all.push_back(*found);
    }
  }
  if (all.size() > kMostTargets)
    return Error{std::to_string(all.size()) + " targets", "at most " + std::to_string(kMostTargets) + " are read"};
  return made_set(std::move(all));
}

std::string name_of(const Found& found, config::Port port) {
  std::string name = found.host.to_string();
  std::ranges::replace(name, ':', '-');
  if (!name.empty() && name.front() == '-') name.insert(0, "0");
  return name + "-" + std::to_string(static_cast<unsigned>(port));
}

}  // namespace astil::discovery
