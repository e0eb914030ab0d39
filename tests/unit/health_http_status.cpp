// The status of an HTTP answer, from well behaved and from broken servers.
#include "control/health/http_status.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

namespace astil::health {
namespace {

using Progress = HttpStatus::Progress;

Progress feed(HttpStatus& status, std::string_view text) { return status.feed(std::as_bytes(std::span(text))); }

Progress read(std::string_view text) {
  HttpStatus status;
  return feed(status, text);
}

TEST(health_http_status, a_status_is_read) {
  for (const std::string_view answer :
       {"HTTP/1.1 204 No Content\r\n", "HTTP/1.0 204\r\n", "HTTP/1.1 204\n", "HTTP/1.1 204 "}) {
    HttpStatus status;
    EXPECT_EQ(feed(status, answer), Progress::complete) << answer;
    EXPECT_EQ(status.status(), 204U);
  }
}

TEST(health_http_status, it_may_come_byte_by_byte) {
  constexpr std::string_view answer = "HTTP/1.1 503 ";
  HttpStatus status;
  for (std::size_t i = 0; i + 1 < answer.size(); ++i)
    ASSERT_EQ(feed(status, answer.substr(i, 1)), Progress::incomplete);
  EXPECT_EQ(feed(status, answer.substr(answer.size() - 1)), Progress::complete);
  EXPECT_EQ(status.status(), 503U);
}

TEST(health_http_status, informational_answers_are_passed_over) {
  HttpStatus status;
  EXPECT_EQ(
      feed(status,
           "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103\r\nLink: </a>; rel=preload\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n"),
      Progress::complete);
  EXPECT_EQ(status.status(), 200U);
}

TEST(health_http_status, what_is_no_http_is_told_at_the_first_wrong_byte) {
  for (const std::string_view answer :
       {"SSH-2.0-OpenSSH", "HTTQ", "HTTP/2 200", "HTTP/1.1  200", "HTTP/1.1 20x", "HTTP/1.1 2000", "HTTP/1.1 099 ",
        "http/1.1 200 ", "\r\nHTTP/1.1 200 ", "\x15\x03\x01"}) {
    EXPECT_EQ(read(answer), Progress::not_http) << answer;
  }
}

TEST(health_http_status, an_answer_without_end_is_given_up) {
  EXPECT_EQ(read("HTTP/1.1 103 " + std::string(HttpStatus::kLimit, 'x')), Progress::not_http);
  std::string forever;
  for (int i = 0; i < 2000; ++i) forever += "HTTP/1.1 100 \r\n\r\n";
  EXPECT_EQ(read(forever), Progress::not_http);
}

TEST(health_http_status, noise_is_read_to_an_end) {
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = "HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n";
    text[random() % text.size()] = static_cast<char>(random());
    HttpStatus status;
    const Progress progress = feed(status, text);
    EXPECT_TRUE(progress != Progress::complete || status.status() < 1000U);
  }
}

}  // namespace
}  // namespace astil::health
