// The query of the DNS to the byte, and what is made of answers that are not as they should be.
#include <gtest/gtest.h>

#include <string>

#include "control/base/dns_message.hpp"

namespace astil::base {
namespace {

using Kind = DnsAnswer::Kind;
using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

const Bytes kQuery = dns_query(0x1234, "www.Example.org", 28);

/// The query as a server sends it back with these flags.
Bytes answer(unsigned flags) {
  Bytes out = kQuery;
  out[2] = static_cast<std::byte>(flags >> 8U);
  out[3] = static_cast<std::byte>(flags & 0xffU);
  return out;
}

TEST(DnsMessage, the_query_asks_for_one_name_and_for_recursion) {
  using namespace std::string_view_literals;
  const auto expected = bytes_of(
      "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07"
      "Example\x03org\x00\x00\x1c\x00\x01"sv);
  EXPECT_EQ(kQuery, expected);
  EXPECT_EQ(dns_query(0x1234, "www.Example.org.", 28), expected);
}

TEST(DnsMessage, the_root_is_one_octet) {
  const Bytes query = dns_query(1, ".", 1);
  EXPECT_EQ(query.size(), 12U + 1U + 4U);
  EXPECT_EQ(query[12], std::byte{0});
}

TEST(DnsMessage, an_answer_has_its_code) {
  EXPECT_EQ(read_dns_answer(kQuery, answer(0x8180)).kind, Kind::answer);
  EXPECT_EQ(read_dns_answer(kQuery, answer(0x8180)).code, 0U);
  EXPECT_EQ(read_dns_answer(kQuery, answer(0x8583)).code, 3U);
  EXPECT_FALSE(read_dns_answer(kQuery, answer(0x8180)).is_cut_off);
  EXPECT_TRUE(read_dns_answer(kQuery, answer(0x8380)).is_cut_off);
  Bytes with_records = answer(0x8180);
  with_records[7] = std::byte{9};
  with_records.resize(with_records.size() + 3, std::byte{0xc0});
  EXPECT_EQ(read_dns_answer(kQuery, with_records).kind, Kind::answer) << "records are not read";
}

TEST(DnsMessage, the_case_of_letters_in_the_question_does_not_matter) {
  Bytes lower = answer(0x8180);
  lower[17] = std::byte{'e'};
  EXPECT_EQ(read_dns_answer(kQuery, lower).kind, Kind::answer);
}

TEST(DnsMessage, what_has_another_id_is_passed_over) {
  Bytes other = answer(0x8180);
  other[1] = std::byte{0x35};
  EXPECT_EQ(read_dns_answer(kQuery, other).kind, Kind::foreign);
  EXPECT_EQ(read_dns_answer(kQuery, {}).kind, Kind::foreign);
  EXPECT_EQ(read_dns_answer(kQuery, std::span(kQuery).first(11)).kind, Kind::foreign);
}

TEST(DnsMessage, what_is_no_answer_to_the_query_has_its_reason) {
  EXPECT_STREQ(read_dns_answer(kQuery, kQuery).error, "a query, not an answer");
  EXPECT_STREQ(read_dns_answer(kQuery, answer(0xa900)).error, "an answer to another kind of request");
  Bytes none = answer(0x8180);
  none[5] = std::byte{0};
  EXPECT_STREQ(read_dns_answer(kQuery, none).error, "an answer without the question");
  Bytes other_name = answer(0x8180);
  other_name[13] = std::byte{'v'};
  EXPECT_STREQ(read_dns_answer(kQuery, other_name).error, "an answer to another question");
  Bytes other_type = answer(0x8180);
  other_type[other_type.size() - 3] = std::byte{1};
  EXPECT_STREQ(read_dns_answer(kQuery, other_type).error, "an answer to another question");
}

TEST(DnsMessage, a_question_that_is_cut_off_is_another_one) {
  const Bytes whole = answer(0x8180);
  for (std::size_t size = 12; size < whole.size(); ++size)
    EXPECT_STREQ(read_dns_answer(kQuery, std::span(whole).first(size)).error, "an answer to another question");
}

TEST(DnsMessage, a_refusal_may_leave_the_question_out) {
  Bytes refusal = answer(0x8185);
  refusal[5] = std::byte{0};
  refusal.resize(12);
  EXPECT_EQ(read_dns_answer(kQuery, refusal).kind, Kind::answer);
  EXPECT_EQ(read_dns_answer(kQuery, refusal).code, 5U);
}

TEST(DnsMessage, codes_without_a_name_are_numbers) {
  EXPECT_EQ(dns_code_name(2), "SERVFAIL");
  EXPECT_EQ(dns_code_name(10), "NOTZONE");
  EXPECT_EQ(dns_code_name(15), "response code 15");
}

}  // namespace
}  // namespace astil::base
