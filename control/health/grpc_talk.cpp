#include "control/health/grpc_talk.hpp"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include "control/health/grpc_message.hpp"

namespace astil::health {
namespace {

using Kind = Outcome::Kind;

/// Far more than a HealthCheckResponse has.
constexpr std::size_t kMostBody = 1024;
/// Of grpc-message, in an error.
constexpr std::size_t kMostWords = 100;

nghttp2_nv field(std::string_view name, std::string_view value) {
  // The library copies both.
  return {.name = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          .value = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())),
          .namelen = name.size(),
          .valuelen = value.size(),
          .flags = NGHTTP2_NV_FLAG_NONE};
}

std::optional<unsigned> number_in(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

/// A server's words for a log of ours.
std::string plain(std::string_view words) {
  std::string text(words.substr(0, kMostWords));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

}  // namespace

/// Of the one stream that there is.
struct GrpcTalk::Answer {
  std::string status;       // HTTP's
  std::string grpc_status;  // from the trailers, or from the headers where there is nothing else
  std::string grpc_message;
  std::string body;
  bool too_long = false;
  bool closed = false;
  std::uint32_t error_code = 0;  // of HTTP/2, that the stream was closed with
  bool speaks = false;           // a frame came
  bool goes_away = false;

  static Answer& of(void* user) { return *static_cast<Answer*>(user); }

  static int on_header(nghttp2_session* /*session*/, const nghttp2_frame* /*frame*/, const std::uint8_t* name,
                       std::size_t name_bytes, const std::uint8_t* value, std::size_t value_bytes,
                       std::uint8_t /*flags*/, void* user) {
    const std::string_view key(reinterpret_cast<const char*>(name), name_bytes);
    const std::string_view text(reinterpret_cast<const char*>(value), value_bytes);
    if (key == ":status") of(user).status = plain(text);
    if (key == "grpc-status") of(user).grpc_status = plain(text);
    if (key == "grpc-message") of(user).grpc_message = plain(text);
    return 0;
  }

  static int on_data(nghttp2_session* /*session*/, std::uint8_t /*flags*/, std::int32_t /*stream*/,
                     const std::uint8_t* data, std::size_t bytes, void* user) {
    Answer& answer = of(user);
    const std::size_t room = kMostBody - answer.body.size();
    answer.too_long = answer.too_long || bytes > room;
    answer.body.append(reinterpret_cast<const char*>(data), std::min(bytes, room));
    return 0;
  }

  static int on_close(nghttp2_session* /*session*/, std::int32_t /*stream*/, std::uint32_t error_code, void* user) {
    of(user).closed = true;
    of(user).error_code = error_code;
    return 0;
  }

  static int on_frame(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user) {
    of(user).speaks = true;
    if (frame->hd.type == NGHTTP2_GOAWAY) of(user).goes_away = true;
    return 0;
  }
};

void GrpcTalk::Delete::operator()(nghttp2_session* session) const { nghttp2_session_del(session); }

GrpcTalk::GrpcTalk(const std::string& service, const std::string& authority)
    : body_(grpc_health_request(service)), answer_(std::make_unique<Answer>()) {
  nghttp2_session_callbacks* callbacks = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) return;
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Answer::on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Answer::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Answer::on_close);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Answer::on_frame);
  nghttp2_session* session = nullptr;
  const int made = nghttp2_session_client_new(&session, callbacks, answer_.get());
  nghttp2_session_callbacks_del(callbacks);
  if (made != 0) return;
  session_.reset(session);
  constexpr nghttp2_settings_entry kNoPush{.settings_id = NGHTTP2_SETTINGS_ENABLE_PUSH, .value = 0};
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, &kNoPush, 1);
  const std::array<nghttp2_nv, 7> fields{field(":method", "POST"),
                                         field(":scheme", "http"),
                                         field(":path", "/grpc.health.v1.Health/Check"),
                                         field(":authority", authority),
                                         field("content-type", "application/grpc"),
                                         field("te", "trailers"),
                                         field("user-agent", "astil/" ASTIL_VERSION)};
  nghttp2_data_provider body{};
  body.source.ptr = this;
  body.read_callback = [](nghttp2_session* /*session*/, std::int32_t /*stream*/, std::uint8_t* buffer, std::size_t room,
                          std::uint32_t* flags, nghttp2_data_source* source, void* /*user*/) -> ssize_t {
    auto& talk = *static_cast<GrpcTalk*>(source->ptr);
    const std::size_t bytes = std::min(room, talk.body_.size() - talk.sent_);
    std::memcpy(buffer, talk.body_.data() + talk.sent_, bytes);
    talk.sent_ += bytes;
    if (talk.sent_ == talk.body_.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(bytes);
  };
  nghttp2_submit_request(session, nullptr, fields.data(), fields.size(), &body, nullptr);
}

GrpcTalk::~GrpcTalk() = default;

std::string GrpcTalk::take_output() {
  collect();
  return std::exchange(output_, {});
}

void GrpcTalk::collect() {
  if (!session_) return;
  const std::uint8_t* data = nullptr;
  for (ssize_t bytes = nghttp2_session_mem_send(session_.get(), &data); bytes > 0;
       bytes = nghttp2_session_mem_send(session_.get(), &data))
    output_.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(bytes));
}

std::optional<Outcome> GrpcTalk::take(std::span<const std::byte> bytes) {
  if (!session_) return Outcome{Kind::not_made, "HTTP/2: no memory"};
  const ssize_t taken =
      nghttp2_session_mem_recv(session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (answer_->closed) return judge();
  if (taken < 0) return Outcome{Kind::failed, std::string("not HTTP/2: ") + nghttp2_strerror(static_cast<int>(taken))};
  // The library reads no more once it has told a broken peer what it thinks of it.
  collect();
  if (nghttp2_session_want_read(session_.get()) == 0 && !answer_->speaks)
    return Outcome{Kind::failed, "not HTTP/2: no frame of it came"};
  if (answer_->goes_away || nghttp2_session_want_read(session_.get()) == 0)
    return Outcome{Kind::failed, "the server ended the connection without an answer"};
  return std::nullopt;
}

Outcome GrpcTalk::at_end() const { return {Kind::failed, "the connection ended without an answer"}; }

Outcome GrpcTalk::judge() const {
  const Answer& answer = *answer_;
  if (answer.error_code != NGHTTP2_NO_ERROR)
    return {Kind::failed, std::string("the stream was reset: ") + nghttp2_http2_strerror(answer.error_code)};
  if (answer.status != "200") return {Kind::failed, "HTTP status " + answer.status + ", expected 200"};
  const auto code = number_in(answer.grpc_status);
  if (!code) return {Kind::failed, "the answer has no grpc-status"};
  if (*code != 0) {
    const std::string words = answer.grpc_message.empty() ? "" : ": " + answer.grpc_message;
    return {Kind::failed, grpc_code_name(*code) + words};
  }
  if (answer.too_long) return {Kind::failed, "the answer is too long for a HealthCheckResponse"};
  const GrpcAnswer read = read_grpc_health_answer(std::as_bytes(std::span(answer.body)));
  if (read.error != nullptr) return {Kind::failed, read.error};
  if (read.status == kGrpcServing) return {};
  return {Kind::failed, grpc_serving_name(read.status) + ", expected SERVING"};
}

}  // namespace astil::health
