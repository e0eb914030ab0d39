// A response as it comes to be: what a zone says of the question, signed where that is wanted.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "control/dns/name.hpp"
#include "control/dns/responder.hpp"
#include "control/dns/writer.hpp"

namespace astil::dns {

inline constexpr std::size_t kOptSize = 11;  ///< without options, RFC 6891 section 6.1.2
inline constexpr std::size_t kOptionHead = 4;
inline constexpr std::size_t kLongestOptions = 512;

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

  /// After finish().
  [[nodiscard]] Code code() const { return code_; }
  [[nodiscard]] std::size_t answers() const { return writer_.answers(); }

  /// RFC 4035 section 3.1.6 has CD copied too.
  std::size_t finish();

 private:
  static std::size_t limit(const Snapshot& snapshot, const Query& query, const Client& client) {
    if (client.transport == Transport::tcp) return kLongestMessage;
    return query.edns ? std::min(query.edns->udp_size, snapshot.udp_size) : kPlainUdpSize;
  }

  void write(Section section, std::string_view owner, Type type, std::uint32_t ttl, std::string_view data);
  void put(const Zone& zone, Section section, std::string_view owner, const RecordSet& set, OwnerKind kind);
  void answer_from(const Zone& zone, std::string_view name);
  void refer(const Zone& zone, const Node& cut);
  void answer_by(const Zone& zone, const Node& node, std::string_view name);
  void answer_dynamic(const Zone& zone, const Node& node, std::string_view owner);
  void answer_service(const Zone& zone, const Node& node, std::string_view owner);
  void deny(const Zone& zone, std::string_view name, const Node* node);
  /// What is not there because of the health of sites can be there again sooner than what the zone does not have.
  [[nodiscard]] std::uint32_t negative_ttl(const Zone& zone) const {
    return std::min(zone.negative_ttl(), most_denial_ttl_);
  }
  void deny_for_now(const Zone& zone, const Node& node, std::string_view owner, const Choice& choice);
  bool failed_by(const Choice& choice);
  void note_site(const DynamicName& name, const Choice& choice);
  void add_cookie();
  void add_subnet();
  [[nodiscard]] Asker asker_for(const DynamicName& name);

  /// Whether what the zone says comes with signatures.
  [[nodiscard]] bool signs(const Zone& zone) const {
    return zone.signer() != nullptr && query_.edns && query_.edns->dnssec_ok;
  }
  [[nodiscard]] bool answers_of_denial(const Zone& zone, std::string_view name, const Node* node);
  void put_nsec(const Zone& zone, Section section, std::string_view name, const Node* node);
  [[nodiscard]] std::string nsec_of(const Zone& zone, std::string_view name, const Node* node) const;
  void add_types(const Node& node, std::vector<Type>& types) const;
  void sign(const Zone& zone, Section section, const SetToSign& set, std::uint32_t ttl, OwnerKind kind);
  void sign_one(const Zone& zone, Section section, SetToSign set, std::string_view data, std::uint32_t ttl,
                OwnerKind kind);

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
  bool is_compact_ = false;  ///< a zone was answered from whose denials are compact
  bool has_failed_ = false;  ///< a signature could not be made
  std::uint8_t scope_ = 0;   ///< of the client's subnet: bits of it that the answer depends on
  unsigned aliases_ = 0;
  std::uint32_t most_denial_ttl_ = UINT32_MAX;
};

}  // namespace astil::dns
