// What is answered for a name with sites: those that its policy picks.
#include <algorithm>

#include "control/dns/response.hpp"
#include "control/dns/signer.hpp"

namespace astil::dns {

/// The choice is that there is no answer.
bool Response::failed_by(const Choice& choice) {
  if (choice.kind != Choice::Kind::server_failure && choice.kind != Choice::Kind::refused) return false;
  is_authoritative_ = false;
  fail(choice.kind == Choice::Kind::refused ? Code::refused : Code::server_failure);
  return true;
}

void Response::note_site(const DynamicName& name, const Choice& choice) {
  if (choice.count > 0) worker_.site = name.sites[choice.sites[0]].site;
}

void Response::deny_for_now(const Zone& zone, const Node& node, std::string_view owner, const Choice& choice) {
  if (choice.all_down) most_denial_ttl_ = choice.ttl;
  deny(zone, owner, &node);
}

/// Signatures are for the longest TTL that the name has, so that one does for each variant of its addresses.
void Response::answer_dynamic(const Zone& zone, const Node& node, std::string_view owner) {
  const DynamicName& name = snapshot_.zones->names()[*node.dynamic];
  const NameState& state = snapshot_.states[*node.dynamic];
  const Asker asker = asker_for(name);
  const Choice choice = choose(name, state, query_.type, asker, worker_.random);
  if (choice.kind == Choice::Kind::no_data) return deny_for_now(zone, node, owner, choice);
  if (failed_by(choice)) return;
  note_site(name, choice);
  worker_.set.clear();
  const auto put_address = [&](const SiteAddress& address) {
    write(Section::answer, owner, address.type, choice.ttl, address.data);
    worker_.set.push_back(address.data);
  };
  for (const SiteAddress& address : name.fallback) {
    if (choice.kind == Choice::Kind::fallback && address.type == query_.type) put_address(address);
  }
  for (std::size_t i = 0; i < choice.count; ++i) {
    const std::size_t site = choice.sites[i];
    const SiteUse& use = name.sites[site];
    for (std::size_t a = 0; a < use.addresses.size(); ++a) {
      if (is_answered(name, state, choice, site, a, query_.type)) put_address(use.addresses[a]);
    }
    if (worker_.counts_sites) use.answers->fetch_add(1, std::memory_order_relaxed);
  }
  if (!signs(zone)) return;
  sign(zone, Section::answer, {.owner = owner, .type = query_.type, .ttl = name.most_ttl}, choice.ttl,
       node.owner == owner ? OwnerKind::of_zone : OwnerKind::of_client);
}

namespace {

/// By IPv4, unless only IPv6 has addresses, or has some that are up. The answer holds until either can be another.
Choice choose_by_either(const DynamicName& name, const NameState& state, const Asker& asker, Random& random) {
  Choice by4 = choose(name, state, Type::a, asker, random);
  Choice by6 = choose(name, state, Type::aaaa, asker, random);
  if (by4.ttl != 0 && by6.ttl != 0) by4.ttl = by6.ttl = std::min(by4.ttl, by6.ttl);
  const bool is_better = by4.kind == Choice::Kind::no_data || (by4.all_down && !by6.all_down);
  return by6.kind != Choice::Kind::no_data && is_better ? by6 : by4;
}

}  // namespace

/// Hints of both versions are of the same sites.
void Response::answer_service(const Zone& zone, const Node& node, std::string_view owner) {
  const DynamicName& name = snapshot_.zones->names()[*node.dynamic];
  const NameState& state = snapshot_.states[*node.dynamic];
  const Asker asker = asker_for(name);
  const Choice choice = choose_by_either(name, state, asker, worker_.random);
  if (choice.kind == Choice::Kind::no_data) return deny_for_now(zone, node, owner, choice);
  if (failed_by(choice)) return;
  note_site(name, choice);
  std::string data = service_of(name, query_.type);
  for (const Type type : {Type::a, Type::aaaa}) {
    std::string hints;
    for (const SiteAddress& address : name.fallback) {
      if (choice.kind == Choice::Kind::fallback && address.type == type) hints += address.data;
    }
    for (std::size_t i = 0; i < choice.count; ++i) {
      const SiteUse& use = name.sites[choice.sites[i]];
      for (std::size_t a = 0; a < use.addresses.size(); ++a) {
        if (is_answered(name, state, choice, choice.sites[i], a, type)) hints += use.addresses[a].data;
      }
    }
    add_hint(data, type, hints);
  }
  if (worker_.counts_sites) {
    for (std::size_t i = 0; i < choice.count; ++i)
      name.sites[choice.sites[i]].answers->fetch_add(1, std::memory_order_relaxed);
  }
  write(Section::answer, owner, query_.type, choice.ttl, data);
  if (!signs(zone)) return;
  sign_one(zone, Section::answer, {.owner = owner, .type = query_.type, .ttl = name.most_ttl}, data, choice.ttl,
           node.owner == owner ? OwnerKind::of_zone : OwnerKind::of_client);
}

}  // namespace astil::dns
