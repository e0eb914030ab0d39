// What a signed zone says; libldns verifies each signature.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dns_signed_support.hpp"

namespace astil::dns::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

const std::string kApex = name_from_text("example.org").value();

std::vector<SigningKey> one(SigningKey key) {
  std::vector<SigningKey> keys;
  keys.push_back(std::move(key));
  return keys;
}

/// A server whose zone is signed, without sockets.
struct Signed : Answering {
  std::shared_ptr<const Signer> signer;
  Judge judge;

  explicit Signed(std::vector<SigningKey> keys = one(new_key()), std::vector<std::string> published = {})
      : signer(std::make_shared<const Signer>(kApex, std::move(keys), std::move(published), 14 * kDay)),
        judge(signer->dnskeys()) {
    std::vector<std::string> lines = kExampleRecords;
    lines.insert(lines.end(), {"safe NS ns.safe", "glued NS glued", "glued A 192.0.2.79", "ns.safe A 192.0.2.78",
                               "srv SRV 1 2 3 WWW.Example.ORG.",
                               "safe DS 1 13 2 0011223344556677889900112233445566778899001122334455667788990011"});
    std::vector<Zone> zones;
    zones.push_back(signed_zone_of("example.org", lines, signer));
    snapshot.zones = std::make_shared<const Zones>(std::move(zones));
    worker.now = kNow;
  }

  Read ask_signed(const std::string& name, unsigned type = 1, unsigned edns_flags = kDnssecOk) {
    return ask({.name = name, .type = type, .edns = true, .edns_flags = edns_flags}, Transport::tcp);
  }
  [[nodiscard]] std::vector<std::string> answer(const Read& read) const {
    return judge.of(ldns_pkt_answer(&read.packet()), worker.now);
  }
  [[nodiscard]] std::vector<std::string> authority(const Read& read) const {
    return judge.of(ldns_pkt_authority(&read.packet()), worker.now);
  }
};

std::string nsec_in(const Read& read) {
  for (const std::string& line : read.authority()) {
    if (line.find(" IN NSEC ") != std::string::npos) return line;
  }
  return {};
}

TEST(SignedZone, every_answer_has_a_signature_that_holds) {
  for (const Algorithm algorithm : {Algorithm::ecdsa_p256_sha256, Algorithm::ed25519}) {
    Signed server(one(new_key(algorithm)));
    EXPECT_THAT(server.answer(server.ask_signed("www.example.org")), ElementsAre("A www.example.org.: good"));
    EXPECT_THAT(server.answer(server.ask_signed("wWw.EXAMPLE.org", 28)), ElementsAre("AAAA wWw.EXAMPLE.org.: good"));
    EXPECT_THAT(server.answer(server.ask_signed("example.org", 15)), ElementsAre("MX example.org.: good"));
    EXPECT_THAT(server.answer(server.ask_signed("example.org", 6)), ElementsAre("SOA example.org.: good"));
    EXPECT_THAT(server.answer(server.ask_signed("example.org", 48)), ElementsAre("DNSKEY example.org.: good"));
    EXPECT_THAT(server.answer(server.ask_signed("srv.example.org", 33)), ElementsAre("SRV srv.example.org.: good"));
    EXPECT_THAT(server.answer(server.ask_signed("www.example.org", 255)), ElementsAre("HINFO www.example.org.: good"));
    EXPECT_THAT(server.answer(server.ask_signed("alias.example.org")),
                ElementsAre("CNAME alias.example.org.: good", "A www.example.org.: good"));
  }
}

TEST(SignedZone, without_the_bit_there_are_no_signatures) {
  Signed server;
  EXPECT_EQ(server.ask({.edns = true}).answer().size(), 2U);
  EXPECT_EQ(server.ask({}).answer().size(), 2U);
  const Read denied = server.ask({.name = "missing.example.org"});
  EXPECT_EQ(denied.code(), "NXDOMAIN");
  EXPECT_THAT(denied.authority(), ElementsAre(HasSubstr(" IN SOA ")));
}

TEST(SignedZone, each_set_is_signed_once) {
  Signed server;
  for (int i = 0; i < 10; ++i) (void)server.ask_signed("www.example.org");
  EXPECT_EQ(server.counters.get(Counter::signatures_made), 1U);
  EXPECT_EQ(server.counters.get(Counter::signatures_kept), 9U);
}

TEST(SignedZone, signatures_are_made_again_before_they_end) {
  Signed server;
  (void)server.ask_signed("www.example.org");
  server.worker.now += 7 * kDay - 1;
  EXPECT_THAT(server.answer(server.ask_signed("www.example.org")), ElementsAre("A www.example.org.: good"));
  EXPECT_EQ(server.counters.get(Counter::signatures_made), 1U);
  server.worker.now += 1;
  EXPECT_THAT(server.answer(server.ask_signed("www.example.org")), ElementsAre("A www.example.org.: good"));
  EXPECT_EQ(server.counters.get(Counter::signatures_made), 2U);
  server.worker.now -= 2 * kDay;  // the clock was wrong
  EXPECT_THAT(server.answer(server.ask_signed("www.example.org")), ElementsAre("A www.example.org.: good"));
}

TEST(SignedZone, a_name_that_is_not_there_is_denied_compactly) {
  Signed server;
  const Read read = server.ask_signed("missing.example.org");
  EXPECT_EQ(read.code(), "NOERROR");
  EXPECT_THAT(server.authority(read), ElementsAre("SOA example.org.: good", "NSEC missing.example.org.: good"));
  // libldns has no name for NXNAME.
  EXPECT_EQ(nsec_in(read), "missing.example.org. 60 IN NSEC \\000.missing.example.org. RRSIG NSEC TYPE128 ");
  const Read known = server.ask_signed("missing.example.org", 1, kDnssecOk | kCompactAnswersOk);
  EXPECT_EQ(known.code(), "NXDOMAIN");
  EXPECT_EQ(ldns_pkt_edns_z(&known.packet()) & kCompactAnswersOk, kCompactAnswersOk);
  EXPECT_EQ(ldns_pkt_edns_z(&read.packet()) & kCompactAnswersOk, 0);
}

TEST(SignedZone, a_type_that_is_not_there_is_denied_with_those_that_are) {
  Signed server;
  const Read read = server.ask_signed("www.example.org", 16);
  EXPECT_THAT(server.authority(read), ElementsAre("SOA example.org.: good", "NSEC www.example.org.: good"));
  EXPECT_EQ(nsec_in(read), "www.example.org. 60 IN NSEC \\000.www.example.org. A AAAA RRSIG NSEC ");
  EXPECT_EQ(nsec_in(server.ask_signed("empty.example.org")),
            "empty.example.org. 60 IN NSEC \\000.empty.example.org. RRSIG NSEC ");
  EXPECT_EQ(nsec_in(server.ask_signed("example.org", 257)),
            "example.org. 60 IN NSEC \\000.example.org. NS SOA MX RRSIG NSEC DNSKEY ");
}

TEST(SignedZone, a_wildcard_s_answer_is_as_if_the_name_were_there) {
  Signed server;
  EXPECT_THAT(server.answer(server.ask_signed("a.b.wild.example.org", 16)),
              ElementsAre("TXT a.b.wild.example.org.: good"));
  EXPECT_THAT(server.answer(server.ask_signed("*.wild.example.org", 16)), ElementsAre("TXT *.wild.example.org.: good"));
  // RFC 4034 section 3.1.3: the asterisk is no label.
  EXPECT_THAT(server.ask_signed("*.wild.example.org", 16).answer().back(), HasSubstr(" IN RRSIG TXT 13 3 300 "));
  const Read other = server.ask_signed("a.wild.example.org");
  EXPECT_THAT(server.authority(other), ElementsAre("SOA example.org.: good", "NSEC a.wild.example.org.: good"));
  EXPECT_EQ(nsec_in(other), "a.wild.example.org. 60 IN NSEC \\000.a.wild.example.org. TXT RRSIG NSEC CAA ");
}

TEST(SignedZone, a_delegation_has_its_ds_or_what_shows_that_there_is_none) {
  Signed server;
  EXPECT_THAT(server.authority(server.ask_signed("a.safe.example.org")),
              ElementsAre("NS safe.example.org.: not signed", "DS safe.example.org.: good"));
  const Read open = server.ask_signed("a.sub.example.org");
  EXPECT_THAT(server.authority(open), ElementsAre("NS sub.example.org.: not signed", "NSEC sub.example.org.: good"));
  EXPECT_EQ(nsec_in(open), "sub.example.org. 60 IN NSEC \\000.sub.example.org. NS RRSIG NSEC ");
  EXPECT_EQ(nsec_in(server.ask_signed("a.glued.example.org")),
            "glued.example.org. 60 IN NSEC \\000.glued.example.org. NS RRSIG NSEC ");
  EXPECT_EQ(nsec_in(server.ask_signed("sub.example.org", 43)),
            "sub.example.org. 60 IN NSEC \\000.sub.example.org. NS RRSIG NSEC ");
  EXPECT_THAT(server.answer(server.ask_signed("safe.example.org", 43)), ElementsAre("DS safe.example.org.: good"));
}

TEST(SignedZone, the_records_of_denial_can_be_asked_for) {
  Signed server;
  EXPECT_THAT(server.answer(server.ask_signed("www.example.org", 47)), ElementsAre("NSEC www.example.org.: good"));
  EXPECT_THAT(server.answer(server.ask_signed("none.example.org", 47)), ElementsAre("NSEC none.example.org.: good"));
  EXPECT_THAT(server.ask_signed("www.example.org", 46).answer(), ElementsAre(HasSubstr(" IN RRSIG NSEC 13 3 60 ")));
  EXPECT_EQ(server.ask({.name = "none.example.org", .type = 47}).code(), "NXDOMAIN");
  EXPECT_EQ(server.ask_signed("www.example.org", 128).code(), "FORMERR");  // RFC 9824 section 3.5
}

TEST(SignedZone, two_kinds_of_keys_sign_what_is_theirs) {
  std::vector<SigningKey> keys;
  keys.push_back(new_key(Algorithm::ecdsa_p256_sha256, 257));
  keys.push_back(new_key(Algorithm::ecdsa_p256_sha256, 256));
  const std::string entry = keys[0].dnskey();
  const std::string other = keys[1].dnskey();
  const std::string next = new_key().dnskey();
  Signed server(std::move(keys), {next});
  EXPECT_EQ(server.ask_signed("example.org", 48).answer().size(), 4U);  // three keys, a signature
  const auto only = [&](const std::string& key, const char* name, unsigned type) {
    return Judge({key}).of(ldns_pkt_answer(&server.ask_signed(name, type).packet()));
  };
  EXPECT_THAT(only(entry, "example.org", 48), ElementsAre("DNSKEY example.org.: good"));
  EXPECT_THAT(only(other, "www.example.org", 1), ElementsAre("A www.example.org.: good"));
  EXPECT_THAT(only(next, "www.example.org", 1), ElementsAre(HasSubstr("No keys with the keytag")));
}

TEST(SignedZone, each_of_several_keys_signs) {
  std::vector<SigningKey> keys = one(new_key());
  keys.push_back(new_key(Algorithm::ed25519));
  Signed server(std::move(keys));
  EXPECT_THAT(server.answer(server.ask_signed("www.example.org")), ElementsAre("A www.example.org.: good, good"));
}

TEST(SignedZone, the_names_that_clients_make_up_drive_out_none_of_the_zone_s) {
  constexpr std::size_t kRoom = 16;
  Signed server;
  server.worker.signatures = Signatures(kRoom);
  (void)server.ask_signed("www.example.org");
  for (std::size_t i = 0; i < 2 * kRoom + 2; ++i) (void)server.ask_signed("n" + std::to_string(i) + ".example.org");
  const auto made = server.counters.get(Counter::signatures_made);
  (void)server.ask_signed("www.example.org");
  EXPECT_EQ(server.counters.get(Counter::signatures_made), made);
  (void)server.ask_signed("n0.example.org");  // is forgotten
  EXPECT_EQ(server.counters.get(Counter::signatures_made), made + 1);
}

TEST(SignedZone, an_answer_without_its_signature_is_a_failure) {
  std::vector<SigningKey> none;
  Signed server(std::move(none));
  const Read read = server.ask_signed("www.example.org");
  EXPECT_EQ(read.code(), "SERVFAIL");
  EXPECT_THAT(read.answer(), IsEmpty());
  EXPECT_FALSE(read.authoritative());
  EXPECT_EQ(server.counters.get(Counter::signatures_failed), 1U);
}

/// A name with sites in a signed zone: three, of which some are down.
struct SignedSites : Signed {
  SignedSites(Policy policy, unsigned at_most) {
    std::vector<Zone> zones;
    zones.push_back(signed_zone_of("example.org", {"@ SOA ns1 hm 1 1 1 1 60", "@ NS ns1", "ns1 A 192.0.2.53"}, signer,
                                   {name_from_text("www.example.org").value()}));
    DynamicName name{.name = "www.example.org", .policy = policy, .at_most = at_most, .most_ttl = 60};
    name.https = service_data({"h2"}, 0);
    NameState& state = snapshot.states.emplace_back();
    for (const char last : {'\3', '\2', '\1'}) {
      SiteUse& use = name.sites.emplace_back();
      use.site = std::string("site") + std::to_string(last);
      use.seed = static_cast<std::uint64_t>(last);
      use.addresses.push_back({.type = Type::a, .data = std::string{'\xc0', 0, 2, last}});
      use.answers = std::make_shared<std::atomic<std::uint64_t>>(0);
      state.push_back({.addresses = {{.steady = 7}}});
    }
    std::vector<DynamicName> names;
    names.push_back(std::move(name));
    snapshot.zones = std::make_shared<const Zones>(std::move(zones), std::move(names));
  }
};

TEST(SignedSites, whatever_a_policy_picks_is_signed) {
  for (const Policy policy : {Policy::failover, Policy::weighted, Policy::hash, Policy::all}) {
    for (const unsigned at_most : {1U, 2U, 8U}) {
      SignedSites server(policy, at_most);
      for (int i = 0; i < 40; ++i) {
        server.snapshot.states[0][0].addresses[0].is_up = i % 2 == 0;
        const auto ttl = static_cast<std::uint32_t>(5 + i % 8);
        for (auto& site : server.snapshot.states[0]) site.addresses[0].steady = ttl;
        const Read read = server.ask_signed("www.example.org");
        EXPECT_THAT(server.answer(read), ElementsAre("A www.example.org.: good")) << static_cast<int>(policy);
        EXPECT_THAT(read.answer().front(), StartsWith("www.example.org. " + std::to_string(ttl) + " IN A "));
        EXPECT_THAT(server.answer(server.ask_signed("www.example.org", 65)),
                    ElementsAre("HTTPS www.example.org.: good"));
      }
      // Subsets of three at most, of two types; the order and the TTL make no variant.
      EXPECT_LE(server.counters.get(Counter::signatures_made), 14U);
    }
  }
}

TEST(SignedSites, all_that_is_answered_while_none_is_up_is_signed) {
  SignedSites server(Policy::failover, 1);
  for (auto& site : server.snapshot.states[0]) site.addresses[0].is_up = false;
  EXPECT_THAT(server.answer(server.ask_signed("www.example.org")), ElementsAre("A www.example.org.: good"));
  const Read denied = server.ask_signed("www.example.org", 28);
  EXPECT_EQ(nsec_in(denied), "www.example.org. 60 IN NSEC \\000.www.example.org. A RRSIG NSEC HTTPS ");
  EXPECT_THAT(server.authority(denied), ElementsAre("SOA example.org.: good", "NSEC www.example.org.: good"));
}

}  // namespace
}  // namespace astil::dns::testing
