// Queries as nobody should send them, and as testers of EDNS compliance do.
#include <gtest/gtest.h>

#include "dns_support.hpp"

namespace astil::dns::testing {
namespace {

TEST(Queries, responses_and_what_has_no_header_are_never_answered) {
  Answering server;
  EXPECT_EQ(server.size_of(Asked{.flags = 0x8180}.message()), 0U);
  for (std::size_t size = 0; size < 12; ++size) {
    Message message = Asked{}.message();
    message.resize(size);
    EXPECT_EQ(server.size_of(message), 0U);
  }
  EXPECT_EQ(server.counters.get(Counter::dropped_response), 1U);
  EXPECT_EQ(server.counters.get(Counter::dropped_too_short), 12U);
}

TEST(Queries, other_opcodes_are_not_implemented) {
  Answering server;
  for (unsigned opcode = 1; opcode < 16; ++opcode) {
    const Read read = server.ask({.flags = opcode << 11U});
    EXPECT_EQ(read.code(), "NOTIMP");
    EXPECT_EQ(static_cast<unsigned>(ldns_pkt_get_opcode(&read.packet())), opcode);
  }
}

TEST(Queries, any_cut_of_a_query_is_a_format_error) {
  Answering server;
  const Message whole = Asked{.edns = true, .options = {0, 3, 0, 0, 0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2}}.message();
  for (std::size_t size = 12; size < whole.size(); ++size) {
    const Message cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const std::size_t length = server.size_of(cut);
    ASSERT_GT(length, 0U);
    EXPECT_EQ(Read(Bytes(server.room).first(length)).code(), "FORMERR") << size;
  }
  Message longer = whole;
  longer.push_back(std::byte{0});
  EXPECT_EQ(Read(Bytes(server.room).first(server.size_of(longer))).code(), "FORMERR");
}

TEST(Queries, no_question_or_several_are_a_format_error) {
  Answering server;
  for (const unsigned count : {0U, 2U, 65535U}) {
    Message message = Asked{}.message();
    message[4] = static_cast<std::byte>(count >> 8U);
    message[5] = static_cast<std::byte>(count & 0xffU);
    EXPECT_EQ(Read(Bytes(server.room).first(server.size_of(message))).code(), "FORMERR") << count;
  }
}

TEST(Queries, a_question_that_points_is_a_format_error) {
  Answering server;
  Message message;
  put(message, {0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 0x0c, 0, 1, 0, 1});
  EXPECT_EQ(Read(Bytes(server.room).first(server.size_of(message))).code(), "FORMERR");
}

TEST(Queries, a_name_of_255_bytes_is_read_and_a_longer_one_is_not) {
  Answering server;
  std::string name;
  for (int i = 0; i < 3; ++i) name += std::string(63, 'a') + ".";
  EXPECT_EQ(server.ask({.name = name + std::string(61, 'b')}).code(), "REFUSED");
  EXPECT_EQ(server.ask({.name = name + std::string(62, 'b')}).code(), "FORMERR");
}

/// As RFC 6891 wants them, and testers of compliance ask.
struct Compliance {
  const char* what;
  Asked asked;
  const char* code;
  bool has_edns;
};

TEST(Queries, edns_is_answered_as_its_rfc_says) {
  const Compliance kTable[]{
      {"plain", {}, "NOERROR", false},
      {"plain with an unknown type", {.type = 1000}, "NOERROR", false},
      {"EDNS", {.edns = true}, "NOERROR", true},
      {"a version that is not ours", {.edns = true, .version = 1}, "EXTENDED16", true},
      {"the same with an option", {.edns = true, .version = 1, .options = {0, 100, 0, 0}}, "EXTENDED16", true},
      {"an unknown option", {.edns = true, .options = {0, 100, 0, 2, 1, 2}}, "NOERROR", true},
      {"unknown flags", {.edns = true, .edns_flags = 0x0080}, "NOERROR", true},
      {"DO", {.edns = true, .edns_flags = 0x8000}, "NOERROR", true},
      {"a UDP size below 512", {.edns = true, .udp_size = 0}, "NOERROR", true},
      {"a header flag that is not used", {.flags = 0x0140}, "NOERROR", false},
      {"padding", {.edns = true, .options = {0, 12, 0, 3, 0, 0, 0}}, "NOERROR", true},
      {"a cookie of a length that none has", {.edns = true, .options = {0, 10, 0, 1, 7}}, "FORMERR", true},
      {"a subnet with bits behind its prefix",
       {.edns = true, .options = {0, 8, 0, 5, 0, 1, 4, 0, 0xff}},
       "FORMERR",
       true},
      {"a subnet of too many bits",
       {.edns = true, .options = {0, 8, 0, 9, 0, 1, 33, 0, 1, 2, 3, 4, 0}},
       "FORMERR",
       true},
      {"a subnet with a scope", {.edns = true, .options = {0, 8, 0, 5, 0, 1, 8, 8, 10}}, "FORMERR", true},
      {"the question for OPT", {.type = 41}, "FORMERR", false},
      {"TKEY", {.type = 249}, "NOTIMP", false},
      {"MAILA", {.type = 254}, "NOTIMP", false},
  };
  Answering server;
  for (const Compliance& row : kTable) {
    const Read read = server.ask(row.asked);
    ASSERT_TRUE(read.sound()) << row.what;
    EXPECT_EQ(read.code(), row.code) << row.what;
    EXPECT_EQ(read.has_edns(), row.has_edns) << row.what;
    if (!row.has_edns) continue;
    EXPECT_EQ(ldns_pkt_edns_version(&read.packet()), 0) << row.what;
    EXPECT_EQ(ldns_pkt_edns_z(&read.packet()) & 0x7fff, 0) << row.what;
    EXPECT_EQ(ldns_pkt_edns_udp_size(&read.packet()), 1232) << row.what;
    EXPECT_EQ((ldns_pkt_edns_z(&read.packet()) & 0x8000) != 0, (row.asked.edns_flags & 0x8000) != 0) << row.what;
  }
}

TEST(Queries, two_opt_records_or_one_of_another_name_are_a_format_error) {
  Answering server;
  Message twice = Asked{.edns = true}.message();
  twice[11] = std::byte{2};
  put(twice, {0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(Read(Bytes(server.room).first(server.size_of(twice))).code(), "FORMERR");
  Message named = Asked{}.message();
  named[11] = std::byte{1};
  put(named, {1, 'a', 0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(Read(Bytes(server.room).first(server.size_of(named))).code(), "FORMERR");
}

}  // namespace
}  // namespace astil::dns::testing
