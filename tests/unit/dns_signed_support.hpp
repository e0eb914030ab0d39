// A zone that is signed, and libldns as the judge of its signatures.
#pragma once

#include <algorithm>
#include <set>

#include "control/dns/signer.hpp"
#include "dns_support.hpp"

namespace astil::dns::testing {

inline constexpr std::uint32_t kNow = 1'800'000'000;  ///< seconds since 1970
inline constexpr std::uint32_t kDay = 86'400;

inline SigningKey new_key(Algorithm algorithm = Algorithm::ecdsa_p256_sha256, unsigned flags = 257) {
  return SigningKey::generate(algorithm, static_cast<std::uint16_t>(flags)).value();
}

/// As the daemon makes it of the configuration.
inline Zone signed_zone_of(const std::string& name, const std::vector<std::string>& lines,
                           std::shared_ptr<const Signer> signer, const std::vector<std::string>& dynamic = {}) {
  std::vector<Record> records;
  for (const std::string& line : lines) {
    records.push_back(parse_record(line, name, 300).value());
    make_canonical(records.back());
  }
  for (const std::string& data : signer->dnskeys())
    records.push_back({.owner = signer->apex(), .type = Type::dnskey, .ttl = 300, .data = data});
  Zone zone = std::move(Zone::make(name_from_text(name).value(), std::move(records), dynamic).value());
  zone.sign_with(std::move(signer));
  return zone;
}

/// Sets of a section, and what libldns says of their signatures.
class Judge {
 public:
  explicit Judge(const std::vector<std::string>& dnskeys, const std::string& zone = "example.org") {
    for (const std::string& data : dnskeys) {
      const std::string line = show_record({.owner = name_from_text(zone).value(), .type = Type::dnskey, .data = data});
      ldns_rr* key = nullptr;
      EXPECT_EQ(ldns_rr_new_frm_str(&key, line.c_str(), 0, nullptr, nullptr), LDNS_STATUS_OK) << line;
      ldns_rr_list_push_rr(keys_.get(), key);
    }
  }

  /// `A www.example.org.: good`, one for each set, in their order; RRSIG records alone are not listed.
  [[nodiscard]] std::vector<std::string> of(const ldns_rr_list* section, std::uint32_t now = kNow) const {
    std::vector<std::string> said;
    std::set<std::string> seen;
    for (std::size_t i = 0; i < ldns_rr_list_rr_count(section); ++i) {
      const ldns_rr* first = ldns_rr_list_rr(section, i);
      if (ldns_rr_get_type(first) == LDNS_RR_TYPE_RRSIG) continue;
      const std::string title = title_of(*first);
      if (seen.insert(title).second) said.push_back(title + ": " + judge(section, *first, now));
    }
    return said;
  }

 private:
  using List = std::unique_ptr<ldns_rr_list, decltype(&ldns_rr_list_free)>;

  static std::string text(char* made) {
    const std::unique_ptr<char, decltype(&std::free)> owned(made, &std::free);
    return owned.get();
  }
  static std::string title_of(const ldns_rr& rr) {
    return text(ldns_rr_type2str(ldns_rr_get_type(&rr))) + " " + text(ldns_rdf2str(ldns_rr_owner(&rr)));
  }

  [[nodiscard]] std::string judge(const ldns_rr_list* section, const ldns_rr& first, std::uint32_t now) const {
    const List set(ldns_rr_list_new(), &ldns_rr_list_free);
    std::string result = "not signed";
    for (std::size_t i = 0; i < ldns_rr_list_rr_count(section); ++i) {
      ldns_rr* rr = ldns_rr_list_rr(section, i);
      if (ldns_rr_get_type(rr) == ldns_rr_get_type(&first) &&
          ldns_dname_compare(ldns_rr_owner(rr), ldns_rr_owner(&first)) == 0)
        ldns_rr_list_push_rr(set.get(), rr);
    }
    for (std::size_t i = 0; i < ldns_rr_list_rr_count(section); ++i) {
      ldns_rr* rr = ldns_rr_list_rr(section, i);
      if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_RRSIG ||
          ldns_dname_compare(ldns_rr_owner(rr), ldns_rr_owner(&first)) != 0 ||
          ldns_rdf2rr_type(ldns_rr_rrsig_typecovered(rr)) != ldns_rr_get_type(&first))
        continue;
      const List good(ldns_rr_list_new(), &ldns_rr_list_free);
      const ldns_status status =
          ldns_verify_rrsig_keylist_time(set.get(), rr, keys_.get(), static_cast<time_t>(now), good.get());
      if (status != LDNS_STATUS_OK) return ldns_get_errorstr_by_id(status);
      if (ldns_rr_ttl(rr) != ldns_rr_ttl(&first)) return "another TTL than the set";
      result = result == "not signed" ? "good" : result + ", good";
    }
    return result;
  }

  std::unique_ptr<ldns_rr_list, decltype(&ldns_rr_list_deep_free)> keys_{ldns_rr_list_new(), &ldns_rr_list_deep_free};
};

}  // namespace astil::dns::testing
