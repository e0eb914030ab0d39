// What the name server says of a zone, as libldns reads it.
#include <gtest/gtest.h>

#include "dns_support.hpp"

namespace astil::dns::testing {
namespace {

using Lines = std::vector<std::string>;
const Lines kDenial{"example.org. 60 IN SOA ns1.example.org. hostmaster.example.org. 7 3600 600 604800 60"};

TEST(Answers, a_name_s_records_come_with_the_authority_bit) {
  Answering server;
  const Read read = server.ask({});
  ASSERT_TRUE(read.sound());
  EXPECT_EQ(read.code(), "NOERROR");
  EXPECT_TRUE(read.authoritative());
  EXPECT_FALSE(ldns_pkt_ra(&read.packet()));
  EXPECT_TRUE(ldns_pkt_rd(&read.packet()));
  EXPECT_EQ(read.answer(), (Lines{"www.example.org. 300 IN A 192.0.2.1", "www.example.org. 300 IN A 192.0.2.2"}));
  EXPECT_TRUE(read.authority().empty());
}

TEST(Answers, letters_of_the_question_come_back_as_they_came) {
  Answering server;
  const Asked asked{.name = "wWw.ExAmple.oRG"};
  const Read read = server.ask(asked);
  const Message query = asked.message();
  EXPECT_TRUE(std::equal(query.begin() + 12, query.end(), read.wire().begin() + 12));
  EXPECT_EQ(read.answer().front(), "wWw.ExAmple.oRG. 300 IN A 192.0.2.1");
}

TEST(Answers, a_name_that_is_not_there_is_denied_with_the_zone_s_soa) {
  Answering server;
  const Read read = server.ask({.name = "missing.example.org"});
  EXPECT_EQ(read.code(), "NXDOMAIN");
  EXPECT_TRUE(read.authoritative());
  EXPECT_TRUE(read.answer().empty());
  EXPECT_EQ(read.authority(), kDenial);
}

TEST(Answers, a_name_without_the_type_is_no_error_with_soa) {
  Answering server;
  const Read read = server.ask({.type = 16});
  EXPECT_EQ(read.code(), "NOERROR");
  EXPECT_TRUE(read.answer().empty());
  EXPECT_EQ(read.authority(), kDenial);
}

TEST(Answers, a_name_that_only_has_names_below_it_exists) {
  Answering server;
  for (const char* name : {"empty.example.org", "below.empty.example.org", "wild.example.org"}) {
    const Read read = server.ask({.name = name});
    EXPECT_EQ(read.code(), "NOERROR") << name;
    EXPECT_EQ(read.authority(), kDenial) << name;
  }
}

TEST(Answers, a_wildcard_stands_for_names_that_are_not_there) {
  Answering server;
  EXPECT_EQ(server.ask({.name = "a.wild.example.org", .type = 16}).answer(),
            (Lines{"a.wild.example.org. 300 IN TXT \"any\""}));
  EXPECT_EQ(server.ask({.name = "a.b.c.wild.example.org", .type = 16}).answer(),
            (Lines{"a.b.c.wild.example.org. 300 IN TXT \"any\""}));
  const Read other = server.ask({.name = "a.wild.example.org"});
  EXPECT_EQ(other.code(), "NOERROR");
  EXPECT_EQ(other.authority(), kDenial);
}

TEST(Answers, a_wildcard_does_not_stand_for_names_that_are_there_or_below_them) {  // RFC 4592 section 2.2.1
  Answering server;
  EXPECT_TRUE(server.ask({.name = "named.wild.example.org", .type = 16}).answer().empty());
  EXPECT_EQ(server.ask({.name = "host.wild.example.org", .type = 16}).code(), "NOERROR");
  EXPECT_EQ(server.ask({.name = "other.host.wild.example.org", .type = 16}).code(), "NXDOMAIN");
  EXPECT_EQ(server.ask({.name = "*.wild.example.org", .type = 16}).answer().size(), 1U);
}

TEST(Answers, an_alias_is_followed_within_our_zones) {
  Answering server;
  EXPECT_EQ(server.ask({.name = "alias.example.org"}).answer(),
            (Lines{"alias.example.org. 300 IN CNAME www.example.org.", "www.example.org. 300 IN A 192.0.2.1",
                   "www.example.org. 300 IN A 192.0.2.2"}));
  const Read away = server.ask({.name = "away.example.org"});
  EXPECT_EQ(away.code(), "NOERROR");
  EXPECT_EQ(away.answer(), (Lines{"away.example.org. 300 IN CNAME www.example.net."}));
  EXPECT_TRUE(away.authority().empty());
  EXPECT_EQ(server.ask({.name = "alias.example.org", .type = 5}).answer().size(), 1U);
}

TEST(Answers, the_code_is_that_of_the_alias_s_end) {  // RFC 6604
  Answering server;
  const Read gone = server.ask({.name = "gone.example.org"});
  EXPECT_EQ(gone.code(), "NXDOMAIN");
  EXPECT_EQ(gone.answer().size(), 1U);
  EXPECT_EQ(gone.authority(), kDenial);
}

TEST(Answers, aliases_of_each_other_end) {
  Answering server;
  const Read read = server.ask({.name = "round.example.org"});
  EXPECT_TRUE(read.sound());
  EXPECT_EQ(read.answer().size(), 8U);
}

TEST(Answers, what_is_delegated_is_referred_with_addresses) {
  Answering server;
  const Read read = server.ask({.name = "a.sub.example.org"});
  EXPECT_FALSE(read.authoritative());
  EXPECT_TRUE(read.answer().empty());
  EXPECT_EQ(read.authority(),
            (Lines{"sub.example.org. 300 IN NS ns.sub.example.org.", "sub.example.org. 300 IN NS ns2.example.net."}));
  EXPECT_EQ(read.additional(),
            (Lines{"ns.sub.example.org. 300 IN A 192.0.2.77", "ns.sub.example.org. 300 IN AAAA 2001:db8::77"}));
  EXPECT_FALSE(server.ask({.name = "sub.example.org", .type = 2}).authoritative());
  EXPECT_TRUE(server.ask({.name = "sub.example.org", .type = 43}).authoritative());  // DS: the parent's
}

TEST(Answers, other_names_transfers_and_classes_are_refused) {
  Answering server;
  for (const Asked& asked :
       {Asked{.name = "www.example.net"}, Asked{.name = "."}, Asked{.name = "org"},
        Asked{.name = "example.org", .type = 252}, Asked{.name = "example.org", .type = 251}, Asked{.klass = 3}}) {
    const Read read = server.ask(asked);
    EXPECT_EQ(read.code(), "REFUSED") << asked.name;
    EXPECT_FALSE(read.authoritative());
    EXPECT_TRUE(read.answer().empty());
  }
}

TEST(Answers, any_gets_one_small_record) {  // RFC 8482
  Answering server;
  EXPECT_EQ(server.ask({.type = 255}).answer(), (Lines{"www.example.org. 3600 IN HINFO \"RFC8482\" \"\""}));
  EXPECT_EQ(server.ask({.name = "empty.example.org", .type = 255}).authority(), kDenial);
}

TEST(Answers, what_does_not_fit_is_truncated_and_whole_by_tcp) {
  Lines records = kExampleRecords;
  for (int i = 0; i < 100; ++i) records.push_back("many A 198.51.100." + std::to_string(i));
  Answering server(records);
  const Read plain = server.ask({.name = "many.example.org"});
  EXPECT_TRUE(plain.truncated());
  EXPECT_TRUE(plain.answer().empty());
  EXPECT_LE(plain.wire().size(), 512U);
  const Read large = server.ask({.name = "many.example.org", .edns = true, .udp_size = 65535});
  EXPECT_TRUE(large.truncated());
  EXPECT_TRUE(large.has_edns());
  server.snapshot.udp_size = 4096;
  EXPECT_FALSE(server.ask({.name = "many.example.org", .edns = true, .udp_size = 65535}).truncated());
  const Read tcp = server.ask({.name = "many.example.org"}, Transport::tcp);
  EXPECT_FALSE(tcp.truncated());
  EXPECT_EQ(tcp.answer().size(), 100U);
  EXPECT_EQ(server.counters.get(Counter::truncated), 2U);
}

TEST(Answers, the_identifier_comes_when_asked_for) {
  Answering server;
  server.snapshot.nsid = "lb1";
  const Read read = server.ask({.edns = true, .options = {0, 3, 0, 0}});
  const Message expected{std::byte{0},   std::byte{3},   std::byte{0},  std::byte{3},
                         std::byte{'l'}, std::byte{'b'}, std::byte{'1'}};
  ASSERT_GE(read.wire().size(), expected.size());
  EXPECT_TRUE(std::equal(expected.rbegin(), expected.rend(), read.wire().rbegin()));
  EXPECT_FALSE(server.ask({.options = {}}).has_edns());
}

TEST(Answers, the_longest_zone_decides) {
  std::vector<Zone> zones;
  zones.push_back(zone_of("example.org", kExampleRecords));
  zones.push_back(zone_of("inner.example.org", {"@ SOA ns hm 1 1 1 1 30", "@ NS ns", "www A 203.0.113.1"}));
  Answering server;
  server.snapshot.zones = std::make_shared<const Zones>(std::move(zones));
  EXPECT_EQ(server.ask({.name = "www.inner.example.org"}).answer(),
            (Lines{"www.inner.example.org. 300 IN A 203.0.113.1"}));
  EXPECT_EQ(server.ask({.name = "inner.example.org", .type = 43}).authority(), kDenial);
}

TEST(QueryLog, keeps_each_so_manieth_query_and_counts_what_finds_no_room) {
  Answering server;
  server.snapshot.log_every = 3;
  for (int i = 0; i < 10; ++i) (void)server.ask({.name = "www.example.org"});
  std::vector<LoggedQuery> taken;
  const auto take = [&] { server.worker.log.take([&](const LoggedQuery& query) { taken.push_back(query); }); };
  take();
  ASSERT_EQ(taken.size(), 3U);
  EXPECT_EQ(name_to_text({taken[0].name.data(), taken[0].name_size}), "www.example.org");
  EXPECT_EQ(taken[0].type, Type::a);
  EXPECT_EQ(taken[0].answers, 2U);
  EXPECT_EQ(code_name(taken[0].code), "NOERROR");
  EXPECT_EQ(server.counters.get(Counter::not_logged), 0U);
  server.snapshot.log_every = 1;
  for (std::size_t i = 0; i < QueryLog::kHeld + 5; ++i) (void)server.ask({.name = "missing.example.org"});
  EXPECT_EQ(server.counters.get(Counter::not_logged), 5U);
  taken.clear();
  take();
  EXPECT_EQ(taken.size(), QueryLog::kHeld);
  EXPECT_EQ(code_name(taken.back().code), "NXDOMAIN");
  server.snapshot.log_every = 0;
  (void)server.ask({});
  taken.clear();
  take();
  EXPECT_TRUE(taken.empty());
}

}  // namespace
}  // namespace astil::dns::testing
