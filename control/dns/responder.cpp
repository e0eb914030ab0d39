#include "control/dns/responder.hpp"

#include <algorithm>
#include <array>

#include "control/dns/name.hpp"
#include "control/dns/writer.hpp"

namespace astil::dns {
namespace {

constexpr std::size_t kOptSize = 11;  ///< without options, RFC 6891 section 6.1.2
constexpr std::size_t kOptionHead = 4;
constexpr std::size_t kLongestOptions = 512;
constexpr unsigned kLongestChain = 8;  ///< of aliases that follow each other

/// RFC 8482 section 4.2.
constexpr std::string_view kMinimalAny{"\7RFC8482\0", 9};
constexpr std::uint32_t kMinimalAnyTtl = 3600;

/// EDNS options of a response, encoded.
class Options {
 public:
  void add(Option code, std::string_view data) {
    if (data.size() + kOptionHead > room_.size() - size_) return;
    for (const std::size_t word : {static_cast<std::size_t>(code), data.size()}) {
      room_[size_++] = static_cast<std::byte>(word >> 8U);
      room_[size_++] = static_cast<std::byte>(word & 0xffU);
    }
    for (const char c : data) room_[size_++] = static_cast<std::byte>(c);
  }
  [[nodiscard]] Bytes bytes() const { return Bytes(room_).first(size_); }

 private:
  std::array<std::byte, kLongestOptions> room_;
  std::size_t size_ = 0;
};

class Response {
 public:
  Response(const Snapshot& snapshot, const Query& query, const Client& client, std::span<std::byte> room,
           WorkerContext& worker)
      : snapshot_(snapshot),
        query_(query),
        client_(client),
        worker_(worker),
        writer_(room, limit(snapshot, query, client)) {
    if (!query.question.empty()) writer_.question(query.question);
    if (!query.edns) return;
    if (query.edns->nsid && !snapshot.nsid.empty()) options_.add(Option::nsid, snapshot.nsid);
    if (!snapshot.cookies.empty() && !query.edns->cookie.empty()) add_cookie();
    if (snapshot.uses_client_subnet && query.edns->subnet) {
      has_subnet_ = true;
      writer_.reserve(kOptionHead + 4 + query.edns->subnet->bytes());
    }
    writer_.reserve(kOptSize + options_.bytes().size());
  }

  void answer();

  void fail(Code code) { code_ = code; }

  /// The client has shown that it is where it says.
  [[nodiscard]] bool is_known() const { return is_known_; }

  /// In place of an answer: the client is to ask by TCP.
  void truncate() { is_slipped_ = true; }

  /// RFC 4035 section 3.1.6 has CD copied too.
  std::size_t finish();

 private:
  static std::size_t limit(const Snapshot& snapshot, const Query& query, const Client& client) {
    if (client.transport == Transport::tcp) return kLongestMessage;
    return query.edns ? std::min(query.edns->udp_size, snapshot.udp_size) : kPlainUdpSize;
  }

  void put(Section section, std::string_view owner, const RecordSet& set);
  void answer_from(const Zone& zone, std::string_view name);
  void refer(const Zone& zone, const Node& cut);
  void answer_by(const Zone& zone, const Node& node, std::string_view name);
  void deny(const Zone& zone, Code code);
  void add_cookie();
  void add_subnet();
  [[nodiscard]] std::uint64_t key_of_client();
  void answer_dynamic(const Zone& zone, std::uint32_t number, std::string_view owner);
  void answer_https(const Zone& zone, std::uint32_t number, std::string_view owner);
  void put_address(std::string_view owner, std::uint32_t ttl, const SiteAddress& address);

  const Snapshot& snapshot_;
  const Query& query_;
  const Client& client_;
  WorkerContext& worker_;
  Writer writer_;
  Options options_;
  Code code_ = Code::no_error;
  bool is_authoritative_ = false;
  bool is_known_ = false;
  bool is_slipped_ = false;
  bool has_subnet_ = false;
  std::uint8_t scope_ = 0;  ///< of the client's subnet: bits of it that the answer depends on
  unsigned aliases_ = 0;
};

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
std::uint64_t Response::key_of_client() {
  if (!has_subnet_ || query_.edns->subnet->source == 0) return client_key(client_.address, client_.is_ipv4);
  const bool is_ipv4 = query_.edns->subnet->family == 1;
  scope_ = is_ipv4 ? kClientBitsV4 : kClientBitsV6;
  return client_key(query_.edns->subnet->address, is_ipv4);
}

void Response::put(Section section, std::string_view owner, const RecordSet& set) {
  const bool is_question = owner.data() == query_.buffer.data();
  for (const std::string& data : set.data) {
    if (is_question) {
      writer_.record_of_question(section, set.type, set.ttl, data);
    } else {
      writer_.record(section, owner, set.type, set.ttl, data);
    }
  }
}

void Response::answer() {
  if (query_.klass != kClassIn && query_.klass != kClassAny) return fail(Code::refused);
  switch (query_.type) {
    case Type::axfr:
    case Type::ixfr:
      return fail(Code::refused);  // there are no transfers
    case Type::opt:
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
  switch (match) {
    case Zone::Match::none:
      return deny(zone, Code::name_error);
    case Zone::Match::cut:
      return refer(zone, *node);
    case Zone::Match::exact:
    case Zone::Match::wildcard:
      return answer_by(zone, *node, name);
  }
}

/// Another server knows. The addresses of those that are within the delegation come along, since nobody could ask for
/// them (RFC 9471): where they do not fit, the response is truncated.
void Response::refer(const Zone& zone, const Node& cut) {
  if (writer_.answers() == 0) is_authoritative_ = false;
  const RecordSet& servers = *cut.find(Type::ns);
  put(Section::authority, cut.owner, servers);
  if (const RecordSet* ds = cut.find(Type::ds); ds != nullptr && query_.edns && query_.edns->dnssec_ok)
    put(Section::authority, cut.owner, *ds);
  for (const std::string& written : servers.data) {
    std::string server = written;
    std::transform(server.begin(), server.end(), server.begin(), folded);
    const Node* node = is_within(server, zone.apex()) ? zone.node(server) : nullptr;
    if (node == nullptr) continue;
    for (const Type type : {Type::a, Type::aaaa}) {
      if (const RecordSet* addresses = node->find(type)) put(Section::additional, node->owner, *addresses);
    }
  }
}

void Response::answer_by(const Zone& zone, const Node& node, std::string_view name) {
  if (query_.type == Type::any && (!node.sets.empty() || node.dynamic)) {
    return writer_.record_of_question(Section::answer, Type::hinfo, kMinimalAnyTtl, kMinimalAny);
  }
  if (node.dynamic && (query_.type == Type::a || query_.type == Type::aaaa))
    return answer_dynamic(zone, *node.dynamic, name);
  if (node.dynamic && query_.type == Type::https && !snapshot_.zones->names()[*node.dynamic].https.empty())
    return answer_https(zone, *node.dynamic, name);
  if (const RecordSet* set = node.find(query_.type)) return put(Section::answer, name, *set);
  const RecordSet* alias = node.find(Type::cname);
  if (alias == nullptr) return deny(zone, Code::no_error);
  put(Section::answer, name, *alias);
  // The chain is followed as far as it is ours; a client asks for the rest.
  if (++aliases_ >= kLongestChain) return;
  std::string target = alias->data.front();
  std::transform(target.begin(), target.end(), target.begin(), folded);
  if (const Zone* next = snapshot_.zones->find(target)) answer_from(*next, target);
}

void Response::put_address(std::string_view owner, std::uint32_t ttl, const SiteAddress& address) {
  if (owner.data() == query_.buffer.data())
    return writer_.record_of_question(Section::answer, address.type, ttl, address.data);
  writer_.record(Section::answer, owner, address.type, ttl, address.data);
}

void Response::answer_dynamic(const Zone& zone, std::uint32_t number, std::string_view owner) {
  const DynamicName& name = snapshot_.zones->names()[number];
  const NameState& state = snapshot_.states[number];
  const std::uint64_t client = name.policy == Policy::hash ? key_of_client() : 0;
  const Choice choice = choose(name, state, query_.type, client, worker_.random);
  switch (choice.kind) {
    case Choice::Kind::no_data:
      return deny(zone, Code::no_error);
    case Choice::Kind::server_failure:
    case Choice::Kind::refused:
      is_authoritative_ = false;
      return fail(choice.kind == Choice::Kind::refused ? Code::refused : Code::server_failure);
    case Choice::Kind::fallback:
      for (const SiteAddress& address : name.fallback) {
        if (address.type == query_.type) put_address(owner, choice.ttl, address);
      }
      return;
    case Choice::Kind::sites:
      break;
  }
  for (std::size_t i = 0; i < choice.count; ++i) {
    const std::size_t site = choice.sites[i];
    const SiteUse& use = name.sites[site];
    for (std::size_t a = 0; a < use.addresses.size(); ++a) {
      if (is_answered(name, state, choice, site, a, query_.type)) put_address(owner, choice.ttl, use.addresses[a]);
    }
    if (worker_.counts_sites) use.answers->fetch_add(1, std::memory_order_relaxed);
  }
}

/// Hints of both versions are of the same sites.
void Response::answer_https(const Zone& zone, std::uint32_t number, std::string_view owner) {
  const DynamicName& name = snapshot_.zones->names()[number];
  const NameState& state = snapshot_.states[number];
  const std::uint64_t client = name.policy == Policy::hash ? key_of_client() : 0;
  Choice choice = choose(name, state, Type::a, client, worker_.random);
  if (choice.kind == Choice::Kind::no_data) choice = choose(name, state, Type::aaaa, client, worker_.random);
  if (choice.kind == Choice::Kind::no_data) return deny(zone, Code::no_error);
  if (choice.kind == Choice::Kind::server_failure || choice.kind == Choice::Kind::refused) {
    is_authoritative_ = false;
    return fail(choice.kind == Choice::Kind::refused ? Code::refused : Code::server_failure);
  }
  std::string data = name.https;
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
  if (owner.data() == query_.buffer.data())
    return writer_.record_of_question(Section::answer, Type::https, choice.ttl, data);
  writer_.record(Section::answer, owner, Type::https, choice.ttl, data);
}

/// RFC 2308 sections 2 and 5.
void Response::deny(const Zone& zone, Code code) {
  code_ = code;
  writer_.record(Section::authority, zone.apex(), Type::soa, zone.negative_ttl(), zone.soa().data.front());
}

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

Counter counter_of(Type type) {
  switch (type) {
    case Type::a:
      return Counter::type_a;
    case Type::aaaa:
      return Counter::type_aaaa;
    case Type::https:
      return Counter::type_https;
    case Type::svcb:
      return Counter::type_svcb;
    case Type::ns:
      return Counter::type_ns;
    case Type::soa:
      return Counter::type_soa;
    case Type::mx:
      return Counter::type_mx;
    case Type::txt:
      return Counter::type_txt;
    case Type::any:
      return Counter::type_any;
    default:
      return Counter::type_other;
  }
}

std::size_t Response::finish() {
  std::uint16_t flags = flag::kResponse;
  flags |= query_.flags & (flag::kOpcode | flag::kRecursionDesired | flag::kCheckingDisabled);
  if (is_authoritative_) flags |= flag::kAuthoritative;
  if (writer_.overflowed() || is_slipped_) {
    writer_.drop_records();
    flags |= flag::kTruncated;
    worker_.counters.add(Counter::truncated);
  }
  flags |= static_cast<std::uint16_t>(code_) & 0xfU;
  writer_.release();
  if (has_subnet_) add_subnet();
  if (query_.edns) writer_.opt(snapshot_.udp_size, code_, query_.edns->dnssec_ok, options_.bytes());
  worker_.counters.add(counter_of(code_));
  return writer_.finish(query_.id, flags);
}

}  // namespace

std::size_t respond(const Snapshot& snapshot, Bytes message, const Client& client, std::span<std::byte> room,
                    WorkerContext& worker) {
  Counters& counters = worker.counters;
  counters.add(client.transport == Transport::tcp
                   ? (client.is_ipv4 ? Counter::queries_tcp_ipv4 : Counter::queries_tcp_ipv6)
                   : (client.is_ipv4 ? Counter::queries_udp_ipv4 : Counter::queries_udp_ipv6));
  Query query;
  const Reading reading = read_query(message, query);
  if (reading == Reading::too_short || reading == Reading::response) {
    counters.add(reading == Reading::response ? Counter::dropped_response : Counter::dropped_too_short);
    return 0;
  }
  if (reading == Reading::sound) counters.add(counter_of(query.type));
  Response response(snapshot, query, client, room, worker);
  if (client.transport == Transport::udp && !response.is_known()) {
    switch (worker.limiter.judge(snapshot.rate_limit, client.bytes(), worker.milliseconds)) {
      case RateLimiter::Verdict::drop:
        counters.add(Counter::dropped_rate_limited);
        return 0;
      case RateLimiter::Verdict::truncate:
        counters.add(Counter::slipped);
        response.truncate();
        return response.finish();
      case RateLimiter::Verdict::answer:
        break;
    }
  }
  if (reading == Reading::opcode) {
    response.fail(Code::not_implemented);
  } else if (query.edns && query.edns->version != 0) {
    response.fail(Code::bad_version);
  } else if (reading == Reading::no_question && !query.edns->cookie.empty() && !snapshot.cookies.empty()) {
    // Only the cookie is wanted, RFC 7873 section 5.4.
  } else if (reading != Reading::sound) {
    response.fail(Code::format_error);
  } else {
    response.answer();
  }
  return response.finish();
}

}  // namespace astil::dns
