#include "control/dns/response.hpp"

#include "control/dns/signer.hpp"

namespace astil::dns {
namespace {

constexpr unsigned kLongestChain = 8;  ///< of aliases that follow each other

/// RFC 8482 section 4.2.
constexpr std::string_view kMinimalAny{"\7RFC8482\0", 9};
constexpr std::uint32_t kMinimalAnyTtl = 3600;

/// A wildcard's records are signed for each name that they are answered for: so no other record has to show that there
/// is none nearer (RFC 9824 section 3.3).
OwnerKind kind_of(const Node& node, std::string_view name) {
  return node.owner == name ? OwnerKind::of_zone : OwnerKind::of_client;
}

}  // namespace

void Response::add_cookie() {
  const Bytes cookie = query_.edns->cookie;
  const CookieState state = check_cookie(snapshot_.cookies, cookie, client_.bytes(), worker_.now);
  is_known_ = state != CookieState::none;
  const auto text_of = [](Bytes bytes) {
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  worker_.counters.add(is_known_                       ? Counter::cookies_good
                       : cookie.size() > kClientCookie ? Counter::cookies_bad
                                                       : Counter::cookies_none);
  if (state == CookieState::good) return options_.add(Option::cookie, text_of(cookie));
  const auto made = make_cookie(snapshot_.cookies.front(), cookie.first(kClientCookie), client_.bytes(), worker_.now);
  options_.add(Option::cookie, text_of(made));
}

/// RFC 7871 section 7.2.1: the subnet as it was told, with the scope that was used.
void Response::add_subnet() {
  const ClientSubnet& subnet = *query_.edns->subnet;
  std::string data{static_cast<char>(subnet.family >> 8U), static_cast<char>(subnet.family & 0xffU),
                   static_cast<char>(subnet.source), static_cast<char>(scope_)};
  for (std::size_t i = 0; i < subnet.bytes(); ++i) data += static_cast<char>(subnet.address[i]);
  options_.add(Option::client_subnet, data);
}

/// Who is answered: by the subnet that a resolver tells, else by the address that asks.
Asker Response::asker_for(const DynamicName& name) {
  if (!has_subnet_ || query_.edns->subnet->source == 0) return asker_of(name, client_.bytes(), client_.is_ipv4);
  const Asker asker = asker_of(name, query_.edns->subnet->address, query_.edns->subnet->family == 1);
  scope_ = std::max(scope_, asker.scope);
  return asker;
}

void Response::write(Section section, std::string_view owner, Type type, std::uint32_t ttl, std::string_view data) {
  if (owner.data() == query_.buffer.data()) return writer_.record_of_question(section, type, ttl, data);
  writer_.record(section, owner, type, ttl, data);
}

void Response::put(const Zone& zone, Section section, std::string_view owner, const RecordSet& set, OwnerKind kind) {
  for (const std::string& data : set.data) write(section, owner, set.type, set.ttl, data);
  if (!signs(zone)) return;
  worker_.set.assign(set.data.begin(), set.data.end());
  sign(zone, section, {.owner = owner, .type = set.type, .ttl = set.ttl}, set.ttl, kind);
}

void Response::answer() {
  if (query_.klass != kClassIn && query_.klass != kClassAny) return fail(Code::refused);
  switch (query_.type) {
    case Type::axfr:
    case Type::ixfr:
      return fail(Code::refused);  // there are no transfers
    case Type::opt:
    case Type::nxname:  // RFC 9824 section 3.5
      return fail(Code::format_error);
    case Type::tkey:
    case Type::tsig:
    case Type::maila:
    case Type::mailb:
      return fail(Code::not_implemented);
    default:
      break;
  }
  const Zone* zone = snapshot_.zones->find(query_.name());
  if (zone == nullptr) return fail(Code::refused);
  // Of a zone's own top its parent knows DS, which may be ours too.
  if (query_.type == Type::ds && query_.name() == zone->apex() && !is_root(query_.name())) {
    if (const Zone* above = snapshot_.zones->find(parent_of(query_.name()))) zone = above;
  }
  is_authoritative_ = true;
  answer_from(*zone, query_.name());
}

void Response::answer_from(const Zone& zone, std::string_view name) {
  const auto [match, node] = zone.find(name, query_.type);
  if (match == Zone::Match::cut) return refer(zone, *node);
  const Node* found = match == Zone::Match::none ? nullptr : node;
  if (zone.signer() != nullptr) {
    is_compact_ = true;
    if (answers_of_denial(zone, name, found)) return;
  }
  if (found == nullptr) return deny(zone, name, nullptr);
  answer_by(zone, *found, name);
}

/// Another server knows. The addresses of those that are within the delegation come along, since nobody could ask for
/// them (RFC 9471): where they do not fit, the response is truncated.
void Response::refer(const Zone& zone, const Node& cut) {
  if (writer_.answers() == 0) is_authoritative_ = false;
  const RecordSet& servers = *cut.find(Type::ns);
  // The delegation itself is the other server's to sign, RFC 4035 section 2.2.
  for (const std::string& data : servers.data) write(Section::authority, cut.owner, Type::ns, servers.ttl, data);
  if (query_.edns && query_.edns->dnssec_ok) {
    if (const RecordSet* ds = cut.find(Type::ds)) {
      put(zone, Section::authority, cut.owner, *ds, OwnerKind::of_zone);
    } else if (signs(zone)) {
      put_nsec(zone, Section::authority, cut.owner, &cut);  // RFC 9824 section 3.4
    }
  }
  for (const std::string& written : servers.data) {
    std::string server = written;
    std::transform(server.begin(), server.end(), server.begin(), folded);
    const Node* node = is_within(server, zone.apex()) ? zone.node(server) : nullptr;
    if (node == nullptr) continue;
    for (const Type type : {Type::a, Type::aaaa}) {
      const RecordSet* addresses = node->find(type);
      if (addresses == nullptr) continue;
      for (const std::string& data : addresses->data)
        write(Section::additional, node->owner, type, addresses->ttl, data);
    }
  }
}

void Response::answer_by(const Zone& zone, const Node& node, std::string_view name) {
  const OwnerKind kind = kind_of(node, name);
  if (query_.type == Type::any && (!node.sets.empty() || node.dynamic)) {
    write(Section::answer, name, Type::hinfo, kMinimalAnyTtl, kMinimalAny);
    if (!signs(zone)) return;
    return sign_one(zone, Section::answer, {.owner = name, .type = Type::hinfo, .ttl = kMinimalAnyTtl}, kMinimalAny,
                    kMinimalAnyTtl, kind);
  }
  if (node.dynamic && (query_.type == Type::a || query_.type == Type::aaaa)) return answer_dynamic(zone, node, name);
  if (node.dynamic && (query_.type == Type::https || query_.type == Type::svcb) &&
      !service_of(snapshot_.zones->names()[*node.dynamic], query_.type).empty())
    return answer_service(zone, node, name);
  if (const RecordSet* set = node.find(query_.type)) return put(zone, Section::answer, name, *set, kind);
  const RecordSet* alias = node.find(Type::cname);
  if (alias == nullptr) return deny(zone, name, &node);
  put(zone, Section::answer, name, *alias, kind);
  // The chain is followed as far as it is ours; a client asks for the rest.
  if (++aliases_ >= kLongestChain) return;
  std::string target = alias->data.front();
  std::transform(target.begin(), target.end(), target.begin(), folded);
  if (const Zone* next = snapshot_.zones->find(target)) answer_from(*next, target);
}

namespace {

Counter counter_of(Code code) {
  switch (code) {
    case Code::no_error:
      return Counter::code_no_error;
    case Code::format_error:
      return Counter::code_format_error;
    case Code::server_failure:
      return Counter::code_server_failure;
    case Code::name_error:
      return Counter::code_name_error;
    case Code::not_implemented:
      return Counter::code_not_implemented;
    case Code::refused:
      return Counter::code_refused;
    case Code::bad_version:
      return Counter::code_bad_version;
    case Code::bad_cookie:
      return Counter::code_bad_cookie;
  }
  return Counter::code_server_failure;
}

}  // namespace

std::string_view code_name(Code code) { return kCounterNames[static_cast<std::size_t>(counter_of(code))].label; }

std::size_t Response::finish() {
  std::uint16_t flags = flag::kResponse;
  flags |= query_.flags & (flag::kOpcode | flag::kRecursionDesired | flag::kCheckingDisabled);
  if (has_failed_) {
    writer_.drop_records();
    code_ = Code::server_failure;
    is_authoritative_ = false;
  }
  if (writer_.overflowed() || is_slipped_) {
    writer_.drop_records();
    flags |= flag::kTruncated;
    worker_.counters.add(Counter::truncated);
  }
  if (is_authoritative_) flags |= flag::kAuthoritative;
  flags |= static_cast<std::uint16_t>(code_) & 0xfU;
  writer_.release();
  if (has_subnet_) add_subnet();
  if (query_.edns) {
    const bool says_compact = is_compact_ && query_.edns->compact_ok;
    writer_.opt(
        snapshot_.udp_size, code_,
        static_cast<std::uint16_t>((query_.edns->dnssec_ok ? kDnssecOk : 0U) | (says_compact ? kCompactAnswersOk : 0U)),
        options_.bytes());
  }
  worker_.counters.add(counter_of(code_));
  return writer_.finish(query_.id, flags);
}

}  // namespace astil::dns
