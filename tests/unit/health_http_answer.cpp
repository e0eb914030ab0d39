// What an HTTP check makes of an answer's body, however the answer is cut into pieces.
#include "control/health/http_answer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace astil::health {
namespace {

using Kind = Outcome::Kind;
using testing::HasSubstr;

const config::HttpCheck kCheck{.body = "all well"};
const std::string kHead = "HTTP/1.1 103 Early Hints\r\nA: all well\r\n\r\nHTTP/1.1 200 OK\r\nB: all well\r\n\r\n";

/// The outcome of an answer that comes in such pieces; of its end, if it had none before.
Outcome outcome_of(const std::string& answer, std::size_t piece, const config::HttpCheck& check = kCheck) {
  HttpAnswer reader(check);
  auto rest = std::as_bytes(std::span(answer));
  while (!rest.empty()) {
    const auto next = rest.first(std::min(piece, rest.size()));
    rest = rest.subspan(next.size());
    if (auto outcome = reader.feed(next)) return *outcome;
  }
  return reader.end();
}

TEST(health_http_answer, the_text_is_found_in_the_body_and_not_before) {
  for (const std::size_t piece : {1U, 2U, 7U, 4096U}) {
    EXPECT_EQ(outcome_of(kHead + "it is all well here", piece).kind, Kind::passed) << piece;
    EXPECT_EQ(outcome_of(kHead + "all well", piece).kind, Kind::passed) << piece;
    const Outcome missing = outcome_of(kHead + "all is well", piece);
    EXPECT_EQ(missing.kind, Kind::failed) << piece;
    EXPECT_EQ(missing.error, "status 200, but the wanted text is not in the body; read " +
                                 std::to_string(kHead.size() + 11) + " bytes");
  }
}

TEST(health_http_answer, the_status_comes_first) {
  EXPECT_EQ(outcome_of("HTTP/1.1 503\r\n\r\nall well", 4096).error, "status 503, expected 200-399");
  EXPECT_EQ(outcome_of("HTTP/1.1 2", 4096).error, "closed before a status was sent");
  EXPECT_EQ(outcome_of("SSH-2.0", 4096).error, "not HTTP");
}

TEST(health_http_answer, a_bare_line_feed_ends_a_line_too) {
  for (const std::size_t piece : {1U, 4096U}) {
    EXPECT_EQ(outcome_of("HTTP/1.0 200\n\nall well", piece).kind, Kind::passed) << piece;
    EXPECT_EQ(outcome_of("HTTP/1.0 200\nall well\n\n", piece).kind, Kind::failed) << piece;
  }
}

TEST(health_http_answer, without_a_text_the_status_is_enough) {
  const config::HttpCheck check;
  HttpAnswer reader(check);
  const std::string answer = "HTTP/1.1 200 ";
  EXPECT_EQ(reader.feed(std::as_bytes(std::span(answer)))->kind, Kind::passed);
}

TEST(health_http_answer, the_text_is_looked_for_within_64_kib) {
  const std::string filler(HttpAnswer::kLimit - kHead.size() - kCheck.body.size(), 'x');
  for (const std::size_t piece : {1000U, 100'000U}) {
    EXPECT_EQ(outcome_of(kHead + filler + "all well", piece).kind, Kind::passed) << piece;
    EXPECT_THAT(outcome_of(kHead + filler + "xall well", piece).error, HasSubstr("read 65536 bytes")) << piece;
  }
}

TEST(health_http_answer, what_was_read_is_told_once_the_status_is_there) {
  HttpAnswer reader(kCheck);
  EXPECT_EQ(reader.remark(), "");
  ASSERT_FALSE(reader.feed(std::as_bytes(std::span(kHead))));
  EXPECT_THAT(reader.remark(), HasSubstr("the wanted text is not in the body"));
}

}  // namespace
}  // namespace astil::health
