// Cookies, against the examples of RFC 9018; limits of responses; client subnets.
#include <gtest/gtest.h>

#include "control/dns/cookies.hpp"
#include "control/dns/rate_limit.hpp"
#include "dns_support.hpp"

namespace astil::dns::testing {
namespace {

Message bytes_of(const std::string& hex) {
  Message bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

const std::string kSecret = "e5e973e5a6b2a43f48e7dc849e37bfcf";
constexpr std::uint32_t kTime = 1559731985;
const Message kClient = bytes_of("c6336464");  // 198.51.100.100

CookieSecrets secrets_of(const std::string& text) { return parse_cookie_secrets(text).value(); }

TEST(Cookies, are_those_of_rfc_9018) {  // appendix A.1 and A.4
  const auto cookie = make_cookie(secrets_of(kSecret).front(), bytes_of("2464c4abcf10c957"), kClient, kTime);
  EXPECT_EQ(Message(cookie.begin(), cookie.end()), bytes_of("2464c4abcf10c957010000005cf79f111f8130c3eee29480"));
  const auto other = make_cookie(secrets_of("445536bcd2513298075a5d379663c962").front(), bytes_of("22681ab97d52c298"),
                                 bytes_of("20010db80220000159ded0f4876982b8"), 1559741961);
  EXPECT_EQ(Message(other.begin(), other.end()), bytes_of("22681ab97d52c298010000005cf7c609a6bb79d16625507a"));
}

TEST(Cookies, are_good_for_their_client_and_their_time) {
  const CookieSecrets secrets = secrets_of(kSecret);
  const auto cookie = make_cookie(secrets.front(), bytes_of("2464c4abcf10c957"), kClient, kTime);
  const auto at = [&](std::uint32_t now) { return check_cookie(secrets, cookie, kClient, now); };
  EXPECT_EQ(at(kTime), CookieState::good);
  EXPECT_EQ(at(kTime + 1799), CookieState::good);
  EXPECT_EQ(at(kTime + 1800), CookieState::aging);
  EXPECT_EQ(at(kTime + 3600), CookieState::aging);
  EXPECT_EQ(at(kTime + 3601), CookieState::none);
  EXPECT_EQ(at(kTime - 300), CookieState::good);
  EXPECT_EQ(at(kTime - 301), CookieState::none);
  EXPECT_EQ(check_cookie(secrets, cookie, bytes_of("c6336465"), kTime), CookieState::none);
  auto forged = cookie;
  forged[23] ^= std::byte{1};
  EXPECT_EQ(check_cookie(secrets, forged, kClient, kTime), CookieState::none);
}

TEST(Cookies, of_the_secret_before_are_good_and_replaced) {
  const auto cookie = make_cookie(secrets_of(kSecret).front(), bytes_of("2464c4abcf10c957"), kClient, kTime);
  const CookieSecrets both = secrets_of("445536bcd2513298075a5d379663c962\n" + kSecret + "\n");
  EXPECT_EQ(check_cookie(both, cookie, kClient, kTime), CookieState::aging);
  for (const char* wrong : {"", "12", "e5e973e5a6b2a43f48e7dc849e37bfcg", "e5e973e5a6b2a43f48e7dc849e37bfcf00"})
    EXPECT_TRUE(parse_cookie_secrets(wrong).has_error()) << wrong;
}

struct Guarded : Answering {
  Guarded() {
    snapshot.cookies = secrets_of(kSecret);
    snapshot.rate_limit = {.per_second = 10, .burst = 5, .slip = 2};
    worker.now = kTime;
  }
  /// 0: no response; else 1, or 2 where it was truncated.
  int outcome(const Message& query) {
    const std::size_t size = size_of(query);
    return size == 0 ? 0 : Read(Bytes(room).first(size)).truncated() ? 2 : 1;
  }
};

TEST(Limits, a_network_gets_so_many_responses_and_then_every_second_one_truncated) {
  Guarded server;
  std::string seen;
  for (int i = 0; i < 9; ++i) seen += std::to_string(server.outcome(Asked{}.message()));
  EXPECT_EQ(seen, "111110202");
  server.worker.milliseconds += 200;  // two more
  seen.clear();
  for (int i = 0; i < 4; ++i) seen += std::to_string(server.outcome(Asked{}.message()));
  EXPECT_EQ(seen, "1102");
  EXPECT_EQ(server.counters.get(Counter::slipped), 3U);
  EXPECT_EQ(server.counters.get(Counter::dropped_rate_limited), 3U);
}

TEST(Limits, what_is_sent_above_the_limit_is_no_larger_than_what_came) {
  Guarded server;
  const Message query = Asked{.edns = true}.message();
  for (int i = 0; i < 20; ++i) {
    const std::size_t size = server.size_of(query);
    if (i >= 5) {
      EXPECT_LE(size, query.size());
    }
  }
}

TEST(Limits, other_networks_and_tcp_are_not_concerned) {
  Guarded server;
  for (int i = 0; i < 50; ++i) (void)server.outcome(Asked{}.message());
  EXPECT_FALSE(server.ask({}, Transport::tcp).truncated());
  Client other;
  other.address[2] = std::byte{1};
  EXPECT_GT(respond(server.snapshot, Asked{}.message(), other, server.room, server.worker), 0U);
  other.address[2] = std::byte{0};
  other.address[3] = std::byte{9};  // of the first's network
  const std::size_t one = respond(server.snapshot, Asked{}.message(), other, server.room, server.worker);
  const std::size_t two = respond(server.snapshot, Asked{}.message(), other, server.room, server.worker);
  EXPECT_TRUE(one == 0 || two == 0);
}

TEST(Limits, a_client_with_a_good_cookie_is_not_limited) {
  Guarded server;
  const auto option = [](const Message& cookie) {
    std::vector<unsigned> encoded{0, 10, 0, static_cast<unsigned>(cookie.size())};
    for (const std::byte byte : cookie) encoded.push_back(std::to_integer<unsigned>(byte));
    return encoded;
  };
  const Message begin = bytes_of("2464c4abcf10c957");
  const Read first = server.ask({.edns = true, .options = option(begin)});
  const Message cookie(first.wire().end() - 24, first.wire().end());
  EXPECT_TRUE(std::equal(begin.begin(), begin.end(), cookie.begin()));
  const Message known = Asked{.edns = true, .options = option(cookie)}.message();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(server.outcome(known), 1);
  EXPECT_EQ(server.counters.get(Counter::cookies_none), 1U);
  EXPECT_EQ(server.counters.get(Counter::cookies_good), 100U);
  Message forged = cookie;
  forged[20] ^= std::byte{1};
  int answered = 0;
  for (int i = 0; i < 100; ++i)
    answered += server.outcome(Asked{.edns = true, .options = option(forged)}.message()) == 1;
  EXPECT_LE(answered, 5);
}

TEST(Cookies, may_be_asked_for_without_a_question) {  // RFC 7873 section 5.4
  Guarded server;
  Message query;
  put(query,
      {0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8});
  const Read read(Bytes(server.room).first(server.size_of(query)));
  EXPECT_EQ(read.code(), "NOERROR");
  EXPECT_EQ(read.wire().size(), 12U + 11 + 4 + 24);
}

TEST(Subnets, come_back_with_the_scope_that_was_used_where_they_are_believed) {
  Answering server;
  const Asked asked{.edns = true, .options = {0, 8, 0, 7, 0, 1, 24, 0, 203, 0, 113}};
  EXPECT_EQ(server.ask(asked).wire().size(), server.ask({.edns = true}).wire().size());
  server.snapshot.uses_client_subnet = true;
  const Read read = server.ask(asked);
  const Message expected = bytes_of("0008000700011800cb0071");
  EXPECT_TRUE(std::equal(expected.rbegin(), expected.rend(), read.wire().rbegin()));
}

}  // namespace
}  // namespace astil::dns::testing
