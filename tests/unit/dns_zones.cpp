// Zones from records and files, and what is wrong with some.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "dns_support.hpp"

namespace astil::dns::testing {
namespace {

std::string refusal(std::vector<std::string> lines) {
  std::vector<Record> records;
  for (const std::string& line : lines) records.push_back(parse_record(line, "example.org", 300).value());
  const auto zone = Zone::make(name_from_text("example.org").value(), std::move(records));
  return zone.has_error() ? zone.error().what : "";
}

const std::string kSoa = "@ SOA ns1 hostmaster 1 3600 600 604800 60";

TEST(Zones, one_soa_and_a_name_server_are_needed) {
  EXPECT_EQ(refusal({"@ NS ns1"}), "zone example.org has no SOA record");
  EXPECT_EQ(refusal({kSoa}), "zone example.org has no NS record");
  EXPECT_EQ(refusal({kSoa, "@ SOA ns2 hostmaster 1 3600 600 604800 60", "@ NS ns1"}),
            "zone example.org has several SOA records");
  EXPECT_EQ(refusal({kSoa, "@ NS ns1"}), "");
}

TEST(Zones, contradictions_are_refused) {
  EXPECT_EQ(refusal({kSoa, "@ NS ns1", "www.example.net. A 192.0.2.1"}), "www.example.net is not within example.org");
  EXPECT_EQ(refusal({kSoa, "@ NS ns1", "a CNAME b", "a TXT \"x\""}), "a.example.org has a CNAME record beside others");
  EXPECT_EQ(refusal({kSoa, "@ NS ns1", "a 60 A 192.0.2.1", "a 61 A 192.0.2.2"}),
            "a.example.org A has records of TTL 60 and 61");
  EXPECT_EQ(refusal({kSoa, "@ NS ns1", "a SOA ns1 hostmaster 1 3600 600 604800 60"}),
            "a.example.org SOA stands below the top of the zone");
}

TEST(Zones, lines_that_are_no_records_are_refused) {
  for (const char* line : {"www A", "www A 192.0.2", "www MX 10", "www NOTYPE 1", "www CH A 192.0.2.1", "", "; nothing",
                           "www DNAME example.net.", "www RRSIG A 8 2 300 2 1 1 example.org. AAAA"}) {
    EXPECT_TRUE(parse_record(line, "example.org", 300).has_error()) << line;
  }
}

TEST(Zones, a_file_is_read_with_its_directives) {
  const std::string path = ::testing::TempDir() + "astil_dns_zone";
  std::ofstream(path)
      << "$TTL 120\n@ SOA ns1 hostmaster (1 3600\n 600 604800 60)\n  NS ns1\n$ORIGIN deep.example.org.\n"
         "www A 192.0.2.1 ; here\n\n    AAAA 2001:db8::1\n";
  const auto records = parse_zone_file(path, "example.org", 300);
  ASSERT_TRUE(records.has_value()) << records.error().text();
  ASSERT_EQ(records->size(), 4U);
  EXPECT_EQ(name_to_text(records->at(3).owner), "www.deep.example.org");
  EXPECT_EQ(records->at(3).ttl, 120U);
  std::ofstream(path) << "@ SOA ns1 hostmaster 1 3600 600 604800 60\n@ NS ns1\nwww A 192.0.2.999\n";
  const auto wrong = parse_zone_file(path, "example.org", 300);
  ASSERT_TRUE(wrong.has_error());
  EXPECT_EQ(wrong.error().what.substr(0, path.size() + 3), path + ":3:");
  std::remove(path.c_str());
  EXPECT_TRUE(parse_zone_file(path, "example.org", 300).has_error());
}

TEST(Names, are_read_and_shown) {
  EXPECT_EQ(name_to_text(name_from_text("WWW.Example.org.").value()), "www.example.org");
  EXPECT_EQ(name_to_text(name_from_text(".").value()), ".");
  for (const char* text : {"", "..", "a..b", ".a"}) EXPECT_TRUE(name_from_text(text).has_error()) << text;
  EXPECT_TRUE(name_from_text(std::string(64, 'a')).has_error());
  EXPECT_EQ(name_to_text(std::string_view("\3a.\1\0", 5)), "a\\046\\001");
}

}  // namespace
}  // namespace astil::dns::testing
