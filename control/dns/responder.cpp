#include "control/dns/responder.hpp"

#include "control/dns/response.hpp"

namespace astil::dns {
namespace {

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
    case Type::dnskey:
      return Counter::type_dnskey;
    case Type::ds:
      return Counter::type_ds;
    default:
      return Counter::type_other;
  }
}

void write_down(const Query& query, const Client& client, const Response& response, WorkerContext& worker) {
  LoggedQuery logged{.client = client.address,
                     .is_ipv4 = client.is_ipv4,
                     .is_tcp = client.transport == Transport::tcp,
                     .type = query.type,
                     .code = response.code(),
                     .answers = static_cast<std::uint32_t>(response.answers()),
                     .name = query.buffer,
                     .name_size = static_cast<std::uint8_t>(query.name_size)};
  worker.site.copy(logged.site.data(), logged.site.size() - 1);
  if (!worker.log.add(logged)) worker.counters.add(Counter::not_logged);
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
    worker.site = {};
    response.answer();
  }
  const std::size_t size = response.finish();
  if (reading == Reading::sound && worker.log.is_due(snapshot.log_every)) write_down(query, client, response, worker);
  return size;
}

}  // namespace astil::dns
