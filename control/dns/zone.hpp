// A zone that does not change any more: its names, and which of them a query is about (RFC 1034 section 4.3.2, with
// wildcards by RFC 4592 and names that are there only since others are below them).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/base/result.hpp"
#include "control/dns/protocol.hpp"
#include "control/dns/records.hpp"

namespace astil::dns {

class Signer;

struct RecordSet {
  Type type{};
  std::uint32_t ttl = 0;
  std::vector<std::string> data;  ///< at least one
};

struct Node {
  std::string owner;                     ///< folded
  std::vector<RecordSet> sets;           ///< none: the name is there for those below it
  std::optional<std::uint32_t> dynamic;  ///< its addresses are chosen for each query: by this place in Snapshot::names
  bool is_cut = false;                   ///< NS below the apex: from here down another server knows

  [[nodiscard]] const RecordSet* find(Type type) const;
};

class Zone {
 public:
  /// Error: no SOA or several, no NS at the apex, a record outside, a CNAME beside others, sets of several TTLs.
  /// `dynamic` are folded names, numbered in their order, beginning with `first_number`.
  [[nodiscard]] static Result<Zone> make(std::string apex, std::vector<Record> records,
                                         const std::vector<std::string>& dynamic = {}, std::uint32_t first_number = 0);

  enum class Match {
    exact,
    wildcard,  ///< `node` is the wildcard's
    none,      ///< NXDOMAIN; `node` is the closest encloser
    cut,       ///< `node` is the delegation's
  };
  struct Found {
    Match match;
    const Node* node;
  };
  /// `name` is folded, and within the zone.
  [[nodiscard]] Found find(std::string_view name, Type type) const;

  [[nodiscard]] const Node* node(std::string_view name) const;
  [[nodiscard]] const std::string& apex() const { return apex_; }
  [[nodiscard]] const RecordSet& soa() const { return *soa_; }
  /// Of negative answers: the lesser of SOA's TTL and MINIMUM, RFC 2308 section 5.
  [[nodiscard]] std::uint32_t negative_ttl() const { return negative_ttl_; }
  /// The zone is signed from now on. Its records are in canonical form, and the signer's DNSKEY records are among them.
  void sign_with(std::shared_ptr<const Signer> signer) { signer_ = std::move(signer); }
  /// Null: it is not signed.
  [[nodiscard]] const Signer* signer() const { return signer_.get(); }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };

  Node& make_node(std::string_view name);
  Result<void> add(Record record);
  Result<void> finish();

  std::string apex_;
  std::unordered_map<std::string, Node, Hash, std::equal_to<>> nodes_;
  const RecordSet* soa_ = nullptr;  ///< nodes stay where they are, also when the zone is moved
  std::uint32_t negative_ttl_ = 0;
  std::shared_ptr<const Signer> signer_;
  bool has_cuts_ = false;
  bool has_wildcards_ = false;
};

}  // namespace astil::dns
