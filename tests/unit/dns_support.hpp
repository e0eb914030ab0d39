// Queries and responses for the tests of the name server, in words. Responses are read by libldns, so that they are
// judged by another reader than ours.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "control/dns/ldns.hpp"
#include "control/dns/name.hpp"
#include "control/dns/records.hpp"
#include "control/dns/responder.hpp"

namespace astil::dns::testing {

using Message = std::vector<std::byte>;

inline void put(Message& message, std::initializer_list<unsigned> bytes) {
  for (const unsigned byte : bytes) message.push_back(static_cast<std::byte>(byte));
}

/// A query as clients send it; members are changed for those that are not so.
struct Asked {
  std::string name = "www.example.org";
  unsigned type = 1;
  unsigned klass = 1;
  unsigned flags = 0x0100;
  bool edns = false;
  unsigned version = 0;
  unsigned udp_size = 1232;
  unsigned edns_flags = 0;
  std::vector<unsigned> options;  ///< encoded

  [[nodiscard]] Message message() const {
    Message made;
    put(made, {0x12, 0x34, flags >> 8U, flags & 0xffU, 0, 1, 0, 0, 0, 0, 0, edns ? 1U : 0U});
    std::string_view rest = name;
    while (!rest.empty() && rest != ".") {
      const auto label = rest.substr(0, rest.find('.'));
      put(made, {static_cast<unsigned>(label.size())});
      for (const char c : label) put(made, {static_cast<unsigned char>(c)});
      rest.remove_prefix(std::min(label.size() + 1, rest.size()));
    }
    put(made, {0, type >> 8U, type & 0xffU, klass >> 8U, klass & 0xffU});
    if (!edns) return made;
    const auto size = static_cast<unsigned>(options.size());
    put(made, {0, 0, 41, udp_size >> 8U, udp_size & 0xffU, 0, version, edns_flags >> 8U, edns_flags & 0xffU, size >> 8U,
               size & 0xffU});
    for (const unsigned byte : options) put(made, {byte});
    return made;
  }
};

/// A response, as libldns reads it.
class Read {
 public:
  explicit Read(Bytes wire) : wire_(wire.begin(), wire.end()) {
    ldns_pkt* read = nullptr;
    status_ = ldns_wire2pkt(&read, reinterpret_cast<const std::uint8_t*>(wire.data()), wire.size());
    packet_.reset(read);
  }

  [[nodiscard]] bool sound() const { return status_ == LDNS_STATUS_OK; }
  [[nodiscard]] std::string code() const {
    const std::unique_ptr<char, decltype(&std::free)> text(ldns_pkt_rcode2str(ldns_pkt_get_rcode(packet_.get())),
                                                           &std::free);
    const unsigned extended = ldns_pkt_edns_extended_rcode(packet_.get());
    if (std::strcmp(text.get(), "NOTIMPL") == 0) return "NOTIMP";  // as IANA has it
    return extended != 0 ? "EXTENDED" + std::to_string(extended * 16U + ldns_pkt_get_rcode(packet_.get())) : text.get();
  }
  [[nodiscard]] bool authoritative() const { return ldns_pkt_aa(packet_.get()); }
  [[nodiscard]] bool truncated() const { return ldns_pkt_tc(packet_.get()); }
  [[nodiscard]] bool has_edns() const { return ldns_pkt_edns(packet_.get()); }
  [[nodiscard]] std::vector<std::string> answer() const { return lines(ldns_pkt_answer(packet_.get())); }
  [[nodiscard]] std::vector<std::string> authority() const { return lines(ldns_pkt_authority(packet_.get())); }
  [[nodiscard]] std::vector<std::string> additional() const { return lines(ldns_pkt_additional(packet_.get())); }
  [[nodiscard]] ldns_pkt& packet() const { return *packet_; }
  [[nodiscard]] const Message& wire() const { return wire_; }

 private:
  static std::vector<std::string> lines(const ldns_rr_list* list) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < ldns_rr_list_rr_count(list); ++i) {
      const std::unique_ptr<char, decltype(&std::free)> text(ldns_rr2str(ldns_rr_list_rr(list, i)), &std::free);
      std::string line(text.get());
      while (!line.empty() && line.back() == '\n') line.pop_back();
      for (char& c : line) c = c == '\t' ? ' ' : c;
      out.push_back(line);
    }
    return out;
  }

  Message wire_;
  ldns_status status_;
  std::unique_ptr<ldns_pkt, decltype(&ldns_pkt_free)> packet_{nullptr, &ldns_pkt_free};
};

inline Zone zone_of(const std::string& name, const std::vector<std::string>& lines) {
  std::vector<Record> records;
  for (const std::string& line : lines) records.push_back(parse_record(line, name, 300).value());
  return std::move(Zone::make(name_from_text(name).value(), std::move(records)).value());
}

inline const std::vector<std::string> kExampleRecords{
    "@ 3600 SOA ns1 hostmaster 7 3600 600 604800 60",
    "@ NS ns1",
    "@ NS ns2.example.net.",
    "@ MX 10 mail",
    "ns1 A 192.0.2.53",
    "www A 192.0.2.1",
    "www A 192.0.2.2",
    "www AAAA 2001:db8::1",
    "alias CNAME www",
    "away CNAME www.example.net.",
    "gone CNAME missing",
    "round CNAME about",
    "about CNAME round",
    "deep.below.empty TXT \"there\"",
    "*.wild TXT \"any\"",
    "*.wild CAA 0 issue \"ca.example\"",
    "named.wild A 192.0.2.9",
    "under.host.wild A 192.0.2.8",
    "sub NS ns.sub",
    "sub NS ns2.example.net.",
    "ns.sub A 192.0.2.77",
    "ns.sub AAAA 2001:db8::77",
};

/// A server without sockets.
struct Answering {
  Snapshot snapshot;
  WorkerContext worker;
  Counters& counters = worker.counters;
  Message room = Message(kLongestMessage);

  explicit Answering(const std::vector<std::string>& records = kExampleRecords) {
    std::vector<Zone> zones;
    zones.push_back(zone_of("example.org", records));
    snapshot.zones = std::make_shared<const Zones>(std::move(zones));
  }

  /// For www.example.org, whose addresses the sites of `name` have.
  explicit Answering(const DynamicName& name,
                     const std::vector<std::string>& records = {"@ SOA ns1 hm 1 1 1 1 9", "@ NS ns1"}) {
    std::vector<Record> parsed;
    for (const std::string& line : records) parsed.push_back(parse_record(line, "example.org", 300).value());
    std::vector<Zone> zones;
    zones.push_back(
        std::move(Zone::make(name_from_text("example.org").value(), parsed, {name_from_text("www.example.org").value()})
                      .value()));
    snapshot.zones = std::make_shared<const Zones>(std::move(zones), std::vector<DynamicName>{name});
  }

  [[nodiscard]] std::size_t size_of(const Message& query, Transport transport = Transport::udp) {
    return respond(snapshot, query, {.transport = transport}, room, worker);
  }
  [[nodiscard]] Read ask(const Asked& asked, Transport transport = Transport::udp) {
    const Message query = asked.message();
    const std::size_t size = size_of(query, transport);
    return Read(Bytes(room).first(size));
  }
};

}  // namespace astil::dns::testing
