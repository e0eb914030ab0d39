#include "control/dns/zone.hpp"

#include <algorithm>

#include "control/dns/name.hpp"

namespace astil::dns {
namespace {

constexpr std::string_view kStar{"\1*", 2};

std::string what_of(const Node& node, Type type) { return name_to_text(node.owner) + " " + type_name(type); }

std::uint32_t last_number(std::string_view soa) {
  std::uint32_t value = 0;
  for (const char c : soa.substr(soa.size() - 4)) value = value << 8U | static_cast<unsigned char>(c);
  return value;
}

}  // namespace

const RecordSet* Node::find(Type type) const {
  const auto found = std::find_if(sets.begin(), sets.end(), [&](const RecordSet& set) { return set.type == type; });
  return found == sets.end() ? nullptr : &*found;
}

Result<Zone> Zone::make(std::string apex, std::vector<Record> records, const std::vector<std::string>& dynamic,
                        std::uint32_t first_number) {
  Zone zone;
  zone.apex_ = std::move(apex);
  zone.make_node(zone.apex_);
  for (Record& record : records) {
    if (auto added = zone.add(std::move(record)); added.has_error()) return added.error();
  }
  for (const std::string& name : dynamic) zone.make_node(name).dynamic = first_number++;
  if (auto finished = zone.finish(); finished.has_error()) return finished.error();
  return Result<Zone>(boost::system::in_place_value, std::move(zone));
}

/// Those above it, up to the apex, are there then too (RFC 4592 section 2.2.2).
Node& Zone::make_node(std::string_view name) {
  for (std::string_view above = name;; above = parent_of(above)) {
    const auto [at, is_new] = nodes_.try_emplace(std::string(above));
    if (is_new) at->second.owner = above;
    if (!is_new || above == apex_) break;
  }
  return nodes_.find(name)->second;
}

Result<void> Zone::add(Record record) {
  if (!is_within(record.owner, apex_)) {
    return Error{name_to_text(record.owner) + " is not within " + name_to_text(apex_),
                 "names without a dot at their end are below the zone"};
  }
  Node& node = make_node(record.owner);
  const auto found =
      std::find_if(node.sets.begin(), node.sets.end(), [&](const RecordSet& set) { return set.type == record.type; });
  RecordSet& set = found == node.sets.end() ? node.sets.emplace_back() : *found;
  if (set.data.empty()) {
    set.type = record.type;
    set.ttl = record.ttl;
  } else if (set.ttl != record.ttl) {  // RFC 2181 section 5.2
    return Error{what_of(node, set.type) + " has records of TTL " + std::to_string(set.ttl) + " and " +
                     std::to_string(record.ttl),
                 "give all of a name and type the same"};
  }
  // A record that stands twice is one, RFC 2181 section 5.
  if (std::find(set.data.begin(), set.data.end(), record.data) == set.data.end())
    set.data.push_back(std::move(record.data));
  return {};
}

Result<void> Zone::finish() {
  const Node& apex = nodes_.find(apex_)->second;
  soa_ = apex.find(Type::soa);
  const std::string name = name_to_text(apex_);
  if (soa_ == nullptr || soa_->data.size() != 1) {
    return Error{"zone " + name + " has " + (soa_ == nullptr ? "no SOA record" : "several SOA records"),
                 "it needs one: @ SOA ns1 hostmaster 1 3600 600 604800 60"};
  }
  if (apex.find(Type::ns) == nullptr) return Error{"zone " + name + " has no NS record", "it needs one: @ NS ns1"};
  negative_ttl_ = std::min(soa_->ttl, last_number(soa_->data.front()));
  for (auto& [owner, node] : nodes_) {
    if (owner != apex_ && node.find(Type::soa) != nullptr)
      return Error{what_of(node, Type::soa) + " stands below the top of the zone", "leave it out"};
    const bool has_alias = node.find(Type::cname) != nullptr;
    if (has_alias && (node.sets.size() > 1 || node.find(Type::cname)->data.size() > 1 || node.dynamic)) {
      return Error{name_to_text(owner) + " has a CNAME record beside others",
                   "a name that is an alias has no other records (RFC 1034 section 3.6.2)"};
    }
    if (node.dynamic && (node.find(Type::a) != nullptr || node.find(Type::aaaa) != nullptr))
      return Error{name_to_text(owner) + " has addresses, and is a name with sites", "leave one of them out"};
    node.is_cut = owner != apex_ && node.find(Type::ns) != nullptr;
    if (node.is_cut && node.dynamic)
      return Error{name_to_text(owner) + " is delegated, and is a name with sites", "leave one of them out"};
    has_cuts_ = has_cuts_ || node.is_cut;
    has_wildcards_ = has_wildcards_ || owner.starts_with(kStar);
  }
  return {};
}

const Node* Zone::node(std::string_view name) const {
  const auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : &found->second;
}

Zone::Found Zone::find(std::string_view name, Type type) const {
  const Node* exact = node(name);
  if (has_cuts_) {
    // The topmost cut counts; of DS the parent knows (RFC 4035 section 3.1.4.1).
    const Node* cut = nullptr;
    for (std::string_view above = name; above != apex_; above = parent_of(above)) {
      const Node* at = node(above);
      if (at != nullptr && at->is_cut && !(at == exact && type == Type::ds)) cut = at;
    }
    if (cut != nullptr) return {Match::cut, cut};
  }
  if (exact != nullptr) return {Match::exact, exact};
  const Node* encloser = nullptr;
  for (std::string_view above = name; encloser == nullptr;) {
    above = parent_of(above);
    encloser = node(above);
  }
  if (has_wildcards_) {
    std::string wildcard(kStar);
    wildcard += encloser->owner;
    if (const Node* star = node(wildcard)) return {Match::wildcard, star};
  }
  return {Match::none, encloser};
}

}  // namespace astil::dns
