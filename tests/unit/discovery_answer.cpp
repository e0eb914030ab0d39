// Answers of name servers to the byte: what is read of them, and what is refused.
#include "control/discovery/answer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace astil::discovery {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using boost::asio::ip::make_address;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string word(std::size_t value) { return {static_cast<char>(value >> 8U), static_cast<char>(value & 0xffU)}; }

/// Of the question a.example, whose name begins at 12, its suffix at 14.
Bytes answer(unsigned records, const std::string& behind) {
  return bytes_of("\x12\x34\x81\x80\0\x01"s + word(records) + "\0\0\0\0"s + "\x01"s + "a\x07"s +
                  "example\0\0\x01\0\x01"s + behind);
}

std::string record(unsigned type, std::string_view life, std::string_view data, unsigned klass = 1) {
  return "\xc0\x0c"s + word(type) + word(klass) + std::string(life) + word(data.size()) + std::string(data);
}

const std::string kMinute = "\0\0\0\x3c"s;
const std::string kFive = "\0\0\0\x05"s;

TEST(DiscoveryAnswer, has_the_addresses_of_its_type_and_the_shortest_life) {
  const Bytes both = answer(4, record(5, kFive,
                                      "\x01"
                                      "b\xc0\x0e"sv) +
                                   record(1, kMinute, "\x0a\0\0\x01"sv) + record(1, kMinute, "\x0a\0\0\x02"sv) +
                                   record(28, kMinute, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"sv));
  const auto of_a = read_records(both, RecordType::a).value();
  EXPECT_THAT(of_a.hosts, ElementsAre(make_address("10.0.0.1"), make_address("10.0.0.2")));
  EXPECT_EQ(of_a.keep, 5U) << "an alias that lives no more may lead elsewhere";
  EXPECT_THAT(read_records(both, RecordType::aaaa).value().hosts, ElementsAre(make_address("2001:db8::1")));
}

TEST(DiscoveryAnswer, without_records_is_an_empty_one) {
  const auto none = read_records(answer(0, ""), RecordType::a).value();
  EXPECT_THAT(none.hosts, IsEmpty());
  EXPECT_EQ(none.keep, std::nullopt);
  EXPECT_THAT(read_records(answer(1, record(1, kMinute, "\x0a\0\0\x01"sv, 3)), RecordType::a).value().hosts, IsEmpty())
      << "of class CHAOS";
}

TEST(DiscoveryAnswer, a_life_beyond_the_longest_is_none) {
  const auto records = read_records(answer(1, record(1, "\x80\0\0\0"sv, "\x0a\0\0\x01"sv)), RecordType::a).value();
  EXPECT_EQ(records.keep, 0U);
}

TEST(DiscoveryAnswer, services_have_their_targets_in_full) {
  const Bytes srv = answer(2, record(33, kMinute,
                                     "\0\x01\0\x02\x1f\x90\x02"
                                     "B1\xc0\x0e"sv) +
                                  record(33, kMinute, "\0\0\0\0\0\0\0"sv));
  EXPECT_THAT(read_records(srv, RecordType::srv).value().services,
              ElementsAre(ServiceRecord{.target = "b1.example", .priority = 1, .weight = 2, .port = 8080},
                          ServiceRecord{.target = "."}));
}

TEST(DiscoveryAnswer, that_is_cut_anywhere_is_refused) {
  const Bytes whole = answer(2, record(33, kMinute,
                                       "\0\x01\0\x02\x1f\x90\x02"
                                       "b1\xc0\x0e"sv) +
                                    record(33, kMinute,
                                           "\0\x01\0\x02\x1f\x90\x02"
                                           "b2\xc0\x0e"sv));
  ASSERT_TRUE(read_records(whole, RecordType::srv).has_value());
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_TRUE(read_records(std::span(whole).first(size), RecordType::srv).has_error()) << size;
}

TEST(DiscoveryAnswer, a_record_without_its_data_is_refused) {
  EXPECT_THAT(read_records(answer(1, record(1, kMinute, "")), RecordType::a).error().text(), HasSubstr("0 octets"));
  EXPECT_TRUE(read_records(answer(1, record(1, kMinute, "\x0a\0\0\0\x01"sv)), RecordType::a).has_error());
  EXPECT_TRUE(read_records(answer(1, record(28, kMinute, "\x0a\0\0\x01"sv)), RecordType::aaaa).has_error());
  EXPECT_TRUE(read_records(answer(1, record(33, kMinute, "\0\x01\0\x02\x1f\x90"sv)), RecordType::srv).has_error());
}

TEST(DiscoveryAnswer, names_that_lead_in_circles_or_on_are_refused) {
  // The record's data begins at 41, its name at 47.
  for (const std::string& name : {"\xc0\x2f"s, "\x01x\xc0\x2f"s, "\xc0\x30"s, "\xff\xff"s, "\x40"s, "\x01"s}) {
    const Bytes srv = answer(1, record(33, kMinute, "\0\x01\0\x02\x1f\x90"s + name));
    EXPECT_TRUE(read_records(srv, RecordType::srv).has_error());
  }
}

TEST(DiscoveryAnswer, what_no_host_is_named_is_refused) {
  for (const std::string& label : {"a.b"s, "a b"s, "a\0b"s, "\xc3\xa4x"s}) {
    const std::string name = "\x03" + label + "\0"s;
    EXPECT_TRUE(
        read_records(answer(1, record(33, kMinute, "\0\x01\0\x02\x1f\x90"s + name)), RecordType::srv).has_error())
        << label;
  }
  std::string long_one;
  for (int i = 0; i < 4; ++i) long_one += "\x3f" + std::string(63, 'a');
  EXPECT_TRUE(read_records(answer(1, record(33, kMinute, "\0\x01\0\x02\x1f\x90"s + long_one + "\0"s)), RecordType::srv)
                  .has_error());
}

TEST(DiscoveryAnswer, a_target_with_something_behind_it_is_refused) {
  const Bytes srv = answer(1, record(33, kMinute, "\0\x01\0\x02\x1f\x90\xc0\x0c\0"sv));
  EXPECT_TRUE(read_records(srv, RecordType::srv).has_error());
}

}  // namespace
}  // namespace astil::discovery
