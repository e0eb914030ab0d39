// The fuzzer of what anybody may send to the name server. Every message gets the response that it must get, or none;
// libldns reads the response, and the query too where ours took it for one.
#include <memory>
#include <vector>

#include "control/dns/ldns.hpp"
#include "control/dns/name.hpp"
#include "control/dns/records.hpp"
#include "control/dns/responder.hpp"
#include "tests/fuzz/targets.hpp"

namespace astil::fuzz {
namespace {

using Packet = std::unique_ptr<ldns_pkt, decltype(&ldns_pkt_free)>;

Packet read(dns::Bytes wire) {
  ldns_pkt* packet = nullptr;
  (void)ldns_wire2pkt(&packet, reinterpret_cast<const std::uint8_t*>(wire.data()), wire.size());
  return {packet, &ldns_pkt_free};
}

dns::Snapshot make_snapshot() {
  std::vector<dns::Record> records;
  for (const char* line :
       {"@ SOA ns1 hm 1 2 3 4 5", "@ NS ns1", "@ NS ns.sub", "@ MX 5 a", "a A 192.0.2.1", "a TXT \"x\"", "b CNAME a",
        "c CNAME c", "*.w AAAA ::1", "d.e.f HTTPS 1 . alpn=h2", "sub NS ns.sub", "ns.sub A 192.0.2.2"})
    records.push_back(dns::parse_record(line, "x.", 60).value());
  for (int i = 0; i < 200; ++i)
    records.push_back(dns::parse_record("m A 10.0.0." + std::to_string(i), "x.", 60).value());
  std::vector<dns::Zone> zones;
  zones.push_back(std::move(dns::Zone::make(dns::name_from_text("x").value(), std::move(records)).value()));
  return {.zones = std::make_shared<const dns::Zones>(std::move(zones)),
          .nsid = "fuzz",
          .cookies = {dns::CookieSecret{}},
          .uses_client_subnet = true};
}

void check_question(const dns::Query& query, dns::Bytes message) {
  const Packet packet = read(message);
  if (!packet) return;  // it looks into data of records that are nothing to us
  const ldns_rr* question = ldns_rr_list_rr(ldns_pkt_question(packet.get()), 0);
  require(question != nullptr, "libldns finds the question");
  require(ldns_rr_get_type(question) == static_cast<unsigned>(query.type), "its type is libldns's");
  require(ldns_rr_get_class(question) == query.klass, "its class is libldns's");
  std::string name(reinterpret_cast<const char*>(ldns_rdf_data(ldns_rr_owner(question))),
                   ldns_rdf_size(ldns_rr_owner(question)));
  for (char& c : name) c = dns::folded(c);
  require(name == query.name(), "its name is libldns's, in lower case");
}

void check(Input input, dns::Transport transport) {
  static const dns::Snapshot snapshot = make_snapshot();
  static dns::WorkerContext worker;
  std::vector<std::byte> room(transport == dns::Transport::tcp ? dns::kLongestMessage : 4096);
  const std::size_t size = dns::respond(snapshot, input, {.transport = transport}, room, worker);
  const bool has_header = input.size() >= dns::kHeaderSize;
  const bool is_response = has_header && (input[2] & std::byte{0x80}) != std::byte{0};
  require((size == 0) == (!has_header || is_response), "whatever has a header and is no response is answered");
  if (size == 0) return;
  require(transport == dns::Transport::tcp || size <= snapshot.udp_size, "a datagram is no larger than it may be");
  require(room[0] == input[0] && room[1] == input[1], "the response has the query's id");
  const Packet response = read(dns::Bytes(room).first(size));
  require(response != nullptr, "libldns can read the response");
  require(ldns_pkt_qr(response.get()), "a response says that it is one");
  dns::Query query;
  if (dns::read_query(input, query) == dns::Reading::sound) check_question(query, input);
  if (ldns_pkt_tc(response.get())) require(ldns_pkt_ancount(response.get()) == 0, "what is truncated has no part");
}

}  // namespace

void dns_query(Input input) {
  check(input, dns::Transport::udp);
  check(input, dns::Transport::tcp);
}

}  // namespace astil::fuzz
