// Checks by gRPC without a network: the messages, and the talk with a server that libnghttp2 plays in this process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <array>
#include <memory>
#include <string_view>

#include "control/health/grpc_message.hpp"
#include "control/health/grpc_talk.hpp"

namespace astil::health {
namespace {

using namespace std::string_view_literals;
using testing::StartsWith;
using Kind = Outcome::Kind;

GrpcAnswer read(std::string_view body) { return read_grpc_health_answer(std::as_bytes(std::span(body))); }

TEST(grpc_message, a_request_names_the_service_behind_its_length) {
  EXPECT_EQ(grpc_health_request(""), "\0\0\0\0\0"sv);
  EXPECT_EQ(grpc_health_request("mail.A"), "\0\0\0\0\x08\x0a\x06mail.A"sv);
}

TEST(grpc_message, an_answer_has_a_status_and_0_where_it_is_not_said) {
  EXPECT_EQ(read("\0\0\0\0\x02\x08\x01"sv).status, kGrpcServing);
  EXPECT_EQ(read("\0\0\0\0\0"sv).status, 0U);
  EXPECT_EQ(read("\0\0\0\0\0"sv).error, nullptr);
}

TEST(grpc_message, fields_that_are_not_known_are_skipped) {
  EXPECT_EQ(read("\0\0\0\0\x15\x12\x03xyz\x19\x31\x32\x33\x34\x35\x36\x37\x38\x25\x31\x32\x33\x34\x08\x02"sv).error,
            nullptr);
  EXPECT_EQ(read("\0\0\0\0\x06\x10\x96\x01\x08\x02\x18"sv).error, "the message is no HealthCheckResponse"sv);
  EXPECT_EQ(read("\0\0\0\0\x05\x10\x96\x01\x08\x02"sv).status, 2U);
}

TEST(grpc_message, what_is_cut_short_or_compressed_is_no_answer) {
  EXPECT_EQ(read(""sv).error, "the answer has no message"sv);
  EXPECT_EQ(read("\0\0\0\0"sv).error, "the answer has no message"sv);
  EXPECT_EQ(read("\1\0\0\0\0"sv).error, "the message is compressed"sv);
  EXPECT_EQ(read("\0\0\0\0\x02\x08"sv).error, "the message is not as long as it says"sv);
  EXPECT_EQ(read("\0\0\0\0\x01\x08"sv).error, "the message is no HealthCheckResponse"sv);
  EXPECT_EQ(read("\0\0\0\0\x03\x12\x7f\x08"sv).error, "the message is no HealthCheckResponse"sv);
}

/// Answers one request, with what a test wants.
class Server {
 public:
  std::string status = "200";
  std::string grpc_status = "0";
  std::string grpc_message;
  std::string body{"\0\0\0\0\x02\x08\x01"sv};
  std::string path;  // what was asked for
  std::string request;

  Server() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_bytes,
                      const std::uint8_t* value, std::size_t value_bytes, std::uint8_t, void* user) {
          if (std::string_view(reinterpret_cast<const char*>(name), name_bytes) == ":path")
            static_cast<Server*>(user)->path.assign(reinterpret_cast<const char*>(value), value_bytes);
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks,
        [](nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t* data, std::size_t bytes, void* user) {
          static_cast<Server*>(user)->request.append(reinterpret_cast<const char*>(data), bytes);
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
          if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 && frame->hd.type == NGHTTP2_DATA)
            static_cast<Server*>(user)->answer(frame->hd.stream_id);
          return 0;
        });
    nghttp2_session* session = nullptr;
    nghttp2_session_server_new(&session, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    session_.reset(session);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
  }

  std::string take(const std::string& bytes) {
    nghttp2_session_mem_recv(session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    std::string output;
    const std::uint8_t* data = nullptr;
    for (ssize_t size = 0; (size = nghttp2_session_mem_send(session_.get(), &data)) > 0;)
      output.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    return output;
  }

  nghttp2_session* session() { return session_.get(); }
  bool resets = false;

 private:
  static nghttp2_nv field(std::string_view name, const std::string& value) {
    return {.name = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
            .value = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())),
            .namelen = name.size(),
            .valuelen = value.size(),
            .flags = NGHTTP2_NV_FLAG_NONE};
  }

  void answer(std::int32_t stream) {
    if (resets) {
      nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream, NGHTTP2_REFUSED_STREAM);
      return;
    }
    const std::array<nghttp2_nv, 1> fields{field(":status", status)};
    nghttp2_data_provider provider{};
    provider.source.ptr = this;
    provider.read_callback = [](nghttp2_session* session, std::int32_t id, std::uint8_t* buffer, std::size_t room,
                                std::uint32_t* flags, nghttp2_data_source* source, void*) -> ssize_t {
      auto& server = *static_cast<Server*>(source->ptr);
      const std::size_t bytes = std::min(room, server.body.size() - server.sent_);
      server.body.copy(reinterpret_cast<char*>(buffer), bytes, server.sent_);
      server.sent_ += bytes;
      if (server.sent_ < server.body.size()) return static_cast<ssize_t>(bytes);
      *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const std::array<nghttp2_nv, 2> trailers{field("grpc-status", server.grpc_status),
                                               field("grpc-message", server.grpc_message)};
      nghttp2_submit_trailer(session, id, trailers.data(), trailers.size());
      return static_cast<ssize_t>(bytes);
    };
    nghttp2_submit_response(session_.get(), stream, fields.data(), fields.size(), &provider);
  }

  struct Delete {
    void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
  };
  std::unique_ptr<nghttp2_session, Delete> session_;
  std::size_t sent_ = 0;
};

/// Until there is an outcome; each side hears the other's bytes in pieces.
Outcome talk_with(Server& server, const std::string& service = "", std::size_t piece = 7) {
  GrpcTalk talk(service, "10.0.0.1:50051");
  for (int turn = 0; turn < 10; ++turn) {
    const std::string answer = server.take(talk.take_output());
    for (std::size_t at = 0; at < answer.size(); at += piece) {
      const auto bytes = std::as_bytes(std::span(answer)).subspan(at, std::min(piece, answer.size() - at));
      if (auto outcome = talk.take(bytes)) return *outcome;
    }
  }
  return {Kind::not_made, "no outcome"};
}

TEST(grpc_talk, a_server_that_serves_passes) {
  Server server;
  const Outcome outcome = talk_with(server, "mail.A");
  EXPECT_EQ(outcome.kind, Kind::passed) << outcome.error;
  EXPECT_EQ(server.path, "/grpc.health.v1.Health/Check");
  EXPECT_EQ(server.request, grpc_health_request("mail.A"));
}

TEST(grpc_talk, a_server_that_does_not_fails_with_its_reason) {
  const auto fails_with = [](auto change) {
    Server server;
    change(server);
    const Outcome outcome = talk_with(server);
    EXPECT_EQ(outcome.kind, Kind::failed);
    return outcome.error;
  };
  EXPECT_EQ(fails_with([](Server& s) { s.body = "\0\0\0\0\x02\x08\x02"sv; }), "NOT_SERVING, expected SERVING");
  EXPECT_EQ(fails_with([](Server& s) { s.grpc_status = "12"; }), "UNIMPLEMENTED");
  EXPECT_EQ(fails_with([](Server& s) {
              s.grpc_status = "5";
              s.grpc_message = "no such service";
            }),
            "NOT_FOUND: no such service");
  EXPECT_EQ(fails_with([](Server& s) { s.status = "503"; }), "HTTP status 503, expected 200");
  EXPECT_EQ(fails_with([](Server& s) { s.grpc_status = "ok"; }), "the answer has no grpc-status");
  EXPECT_EQ(fails_with([](Server& s) { s.body = std::string(4096, 'x'); }),
            "the answer is too long for a HealthCheckResponse");
  EXPECT_THAT(fails_with([](Server& s) { s.resets = true; }), StartsWith("the stream was reset: REFUSED_STREAM"));
}

TEST(grpc_talk, what_is_no_http_2_is_told_so) {
  GrpcTalk talk("", "10.0.0.1:80");
  (void)talk.take_output();
  const auto outcome = talk.take(std::as_bytes(std::span("HTTP/1.1 400 Bad Request\r\n\r\n"sv)));
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, Kind::failed);
  EXPECT_THAT(outcome->error, StartsWith("not HTTP/2"));
}

TEST(grpc_talk, a_server_that_goes_away_has_not_answered) {
  Server server;
  GrpcTalk talk("", "10.0.0.1:50051");
  nghttp2_submit_goaway(server.session(), NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, nullptr, 0);
  const std::string answer = server.take("");
  (void)talk.take_output();
  const auto outcome = talk.take(std::as_bytes(std::span(answer)));
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->error, "the stream was reset: REFUSED_STREAM");
}

}  // namespace
}  // namespace astil::health
