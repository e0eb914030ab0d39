// What shows that something is not there, and the signatures of all that is.
#include "control/dns/denial.hpp"
#include "control/dns/response.hpp"
#include "control/dns/signer.hpp"

namespace astil::dns {
namespace {

bool has_type(const DynamicName& name, Type type) {
  if (type == Type::https || type == Type::svcb) return !service_of(name, type).empty();
  return has_type(name.fallback, type) || std::any_of(name.sites.begin(), name.sites.end(), [&](const SiteUse& site) {
           return has_type(site.addresses, type);
         });
}

}  // namespace

/// RFC 2308 sections 2 and 5, and RFC 9824 section 3 where it is signed: NOERROR even of a name that is not there, but
/// for clients that know better. `node` null: there is no such name.
void Response::deny(const Zone& zone, std::string_view name, const Node* node) {
  code_ = node == nullptr ? Code::name_error : Code::no_error;
  const RecordSet& soa = zone.soa();
  write(Section::authority, zone.apex(), Type::soa, negative_ttl(zone), soa.data.front());
  if (!signs(zone)) return;
  sign_one(zone, Section::authority, {.owner = zone.apex(), .type = Type::soa, .ttl = soa.ttl}, soa.data.front(),
           negative_ttl(zone), OwnerKind::of_zone);
  put_nsec(zone, Section::authority, name, node);
  if (!query_.edns->compact_ok) code_ = Code::no_error;
}

/// Queries for the records themselves that denial is made of. A name that is not there has them too, for who
/// understands signatures.
bool Response::answers_of_denial(const Zone& zone, std::string_view name, const Node* node) {
  if (query_.type != Type::nsec && query_.type != Type::rrsig) return false;
  if (node == nullptr && !signs(zone)) return false;
  if (query_.type == Type::nsec) {
    put_nsec(zone, Section::answer, name, node);
  } else {
    // One of its signatures: all would be a large answer to a small question (RFC 8482 section 7).
    const std::uint32_t ttl = negative_ttl(zone);
    const bool is_ours = node != nullptr && node->owner == name;
    sign_one(zone, Section::answer, {.owner = name, .type = Type::nsec, .ttl = ttl}, nsec_of(zone, name, node), ttl,
             is_ours ? OwnerKind::of_zone : OwnerKind::of_client);
  }
  return true;
}

void Response::put_nsec(const Zone& zone, Section section, std::string_view name, const Node* node) {
  const std::uint32_t ttl = negative_ttl(zone);  // RFC 9077 section 3.1
  const std::string data = nsec_of(zone, name, node);
  write(section, name, Type::nsec, ttl, data);
  if (!signs(zone)) return;
  const bool is_ours = node != nullptr && node->owner == name;
  sign_one(zone, section, {.owner = name, .type = Type::nsec, .ttl = ttl}, data, ttl,
           is_ours ? OwnerKind::of_zone : OwnerKind::of_client);
}

std::string Response::nsec_of(const Zone& zone, std::string_view name, const Node* node) const {
  std::vector<Type> types{Type::rrsig, Type::nsec};
  if (node == nullptr) {
    types.push_back(Type::nxname);
  } else {
    add_types(*node, types);
  }
  return nsec_data(next_name(name, zone.apex()), std::move(types));
}

void Response::add_types(const Node& node, std::vector<Type>& types) const {
  for (const RecordSet& set : node.sets) {
    // At a delegation the rest is the other server's, RFC 4035 section 2.3.
    if (!node.is_cut || set.type == Type::ns || set.type == Type::ds) types.push_back(set.type);
  }
  if (!node.dynamic) return;
  for (const Type type : {Type::a, Type::aaaa, Type::svcb, Type::https}) {
    // Its addresses of a type may all be gone for now.
    if (type != query_.type && has_type(snapshot_.zones->names()[*node.dynamic], type)) types.push_back(type);
  }
}

void Response::sign_one(const Zone& zone, Section section, SetToSign set, std::string_view data, std::uint32_t ttl,
                        OwnerKind kind) {
  worker_.set.assign(1, data);
  sign(zone, section, set, ttl, kind);
}

/// The set's records are those in worker_.set. `ttl` is what they are answered with, set.ttl at most.
void Response::sign(const Zone& zone, Section section, const SetToSign& set, std::uint32_t ttl, OwnerKind kind) {
  std::vector<std::string_view>& data = worker_.set;
  std::sort(data.begin(), data.end());
  data.erase(std::unique(data.begin(), data.end()), data.end());
  SetToSign whole = set;
  whole.data = data;
  const auto* signatures = worker_.signatures.of(*zone.signer(), whole, kind, worker_.now, worker_.counters);
  if (signatures == nullptr) {
    has_failed_ = true;
    return;
  }
  for (const std::string& each : *signatures) write(section, set.owner, Type::rrsig, ttl, each);
}

}  // namespace astil::dns
