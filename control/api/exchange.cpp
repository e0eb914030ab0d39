#include "control/api/exchange.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>

namespace astil::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::awaitable;

using RequestParser = http::request_parser<http::string_body>;
using HttpAnswer = http::response<http::string_body>;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kLingerTime{1};  // for a refused client to stop sending and read why
constexpr std::chrono::seconds kTokenLook{1};   // how often a silent feed looks whether its client's token is valid yet
constexpr std::chrono::seconds kRemotePatience{30};  // for a client of the network to take a piece of a feed
constexpr std::size_t kReadAtOnce = 16'384;  // a buffer that is smaller makes many reads of a large configuration
constexpr std::size_t kLingerBytes = 16U << 20U;

// Of an answer in chunks (RFC 9112, section 7.1).
constexpr std::string_view kChunkEnd = "\r\n";
constexpr std::string_view kLastChunk = "0\r\n\r\n";

std::string chunk_size(std::string_view piece) {
  std::array<char, 16> digits{};
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), piece.size(), 16);
  return std::string(digits.data(), written.ptr) + "\r\n";
}

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

/// What every answer's header has.
template <class Body>
http::response<Body> header_of(const Answer& answer) {
  http::response<Body> out{http::int_to_status(answer.status), 11};
  out.set(http::field::server, "astil");
  out.set(http::field::content_type, answer.content_type);
  out.set(http::field::cache_control, "no-store");
  out.set("X-Content-Type-Options", "nosniff");
  return out;
}

HttpAnswer to_http(Answer&& answer, const RequestParser& parser) {
  auto out = header_of<http::string_body>(answer);
  out.keep_alive(parser.is_done() && parser.keep_alive());
  if (!answer.allow.empty()) out.set(http::field::allow, {answer.allow.data(), answer.allow.size()});
  constexpr unsigned kUnauthorized = 401;
  if (answer.status == kUnauthorized) out.set(http::field::www_authenticate, "Bearer realm=\"astil\"");  // RFC 6750, 3
  out.body() = std::move(answer.body);
  out.prepare_payload();
  return out;
}

/// What to say to a request that could not be read; none: nobody is there to hear it.
std::optional<Answer> refuse_unreadable(const boost::system::error_code& failed) {
  if (failed == http::error::header_limit) return failure(431, {"the request's header is too long", {}});
  if (failed == http::error::body_limit) return failure(413, {"the request's body is too long", {}});
  if (failed == http::error::end_of_stream || failed == http::error::partial_message) return std::nullopt;
  if (failed.category() == http::make_error_code(http::error::bad_method).category()) {
    return failure(400, {"this is not HTTP: " + failed.message(), {}});
  }
  return std::nullopt;
}

/// Ends a connection whose client may still be sending: to close at once could cost it the answer (RFC 9112, 9.6).
awaitable<void> linger(PlainStream& stream) {
  boost::system::error_code ignored;
  stream.socket().shutdown(asio::socket_base::shutdown_send, ignored);
  stream.expires_after(kLingerTime);
  std::array<char, 16384> waste{};
  for (std::size_t drained = 0; drained < kLingerBytes;) {
    const auto [failed, count] = co_await stream.async_read_some(asio::buffer(waste), kToken);
    if (failed) break;
    drained += count;
  }
}

/// What a connection waits for that a feed goes to: more of it, or that the client leaves.
struct Waiting {
  explicit Waiting(asio::io_context& loop) : woken(loop, asio::steady_timer::time_point::max()) {}
  asio::steady_timer woken;
  bool left = false;
  std::array<char, 1> waste{};
};

/// A connection while it is served.
class Exchange {
 public:
  Exchange(ServerState& server, Stream& stream, const Peer& peer, const Progress& progress)
      : server_(server), stream_(stream), peer_(peer), progress_(progress) {}

  awaitable<void> run() {
    beast::flat_buffer buffer;
    buffer.reserve(kReadAtOnce);
    std::size_t requests = 0;
    while (co_await serve_one(buffer, ++requests)) {
    }
  }

 private:
  /// Of one who has to show a token: what it may do by the one it shows; none: nothing.
  [[nodiscard]] std::optional<Request> let_in(const RequestParser& parser) const {
    const auto& header = parser.get();
    Request request{.method = view(header.method_string()),
                    .target = view(header.target()),
                    .body = {},
                    .access = peer_.access,
                    .by = peer_.by,
                    .from = peer_.from,
                    .last_event_id = view(header["Last-Event-ID"])};
    if (!peer_.shows_token) return request;
    const Tokens::Owner* owner =
        server_.credentials->tokens().find(bearer_of(view(header[http::field::authorization])));
    if (owner == nullptr) return std::nullopt;
    request.access = owner->access;
    request.by.token = owner->name;
    return request;
  }

  /// Whether who was let in would be still, for a feed that it began.
  [[nodiscard]] bool is_still_let_in() const {
    if (!peer_.shows_token) return true;
    const Tokens::Owner* owner = server_.credentials->tokens().find(token_);
    return owner != nullptr && owner->access >= access_;
  }

  /// Reads a request and answers it, all but a feed; none: nobody is there to hear an answer.
  awaitable<std::optional<Answer>> take_request(RequestParser& parser, beast::flat_buffer& buffer) {
    stream_.lowest().expires_after(server_.options.request_timeout);
    progress_.waits();
    auto unread = co_await read_message(stream_, buffer, parser, Until::header);
    std::optional<Request> request;
    if (!unread && server_.daemon != nullptr) {
      request = let_in(parser);
      if (request && peer_.shows_token) {
        token_ = bearer_of(view(parser.get()[http::field::authorization]));
        access_ = request->access;
      }
      if (!request) {
        progress_.works();
        ++server_.no_token;
        co_return failure(
            401, {"a token that is known is needed", "send one of the daemon's file: Authorization: Bearer TOKEN"});
      }
      // Of those who may change nothing no body is read.
      const bool wants_body = !peer_.shows_token || request->access == Access::everything;
      if (wants_body && !parser.is_done()) unread = co_await read_message(stream_, buffer, parser, Until::end);
    }
    progress_.works();
    if (unread == beast::error::timeout && peer_.shows_token && parser.got_some()) ++server_.timed_out;
    if (server_.daemon == nullptr) co_return std::nullopt;
    if (unread) co_return refuse_unreadable(unread);
    request->body = parser.get().body();
    co_return answer(*server_.daemon, *request, &server_.tally);
  }

  /// Answers one request. True: the connection stays open for another.
  awaitable<bool> serve_one(beast::flat_buffer& buffer, std::size_t requests) {
    RequestParser parser;
    parser.header_limit(static_cast<std::uint32_t>(server_.options.header_limit));
    const bool has_body = peer_.shows_token || peer_.access == Access::everything;
    parser.body_limit(has_body ? server_.options.body_limit : 0);
    auto reply = co_await take_request(parser, buffer);
    if (!reply) co_return false;
    while (reply->unfinished) {
      if (reply->pause.count() == 0) {
        co_await asio::post(server_.loop, asio::use_awaitable);  // whoever waits has its turn
      } else {
        asio::steady_timer pause(server_.loop, reply->pause);
        co_await pause.async_wait(kToken);
      }
      if (server_.daemon == nullptr) co_return false;
      go_on(*reply);
    }
    if (reply->feed) {
      co_await send_feed(*reply);
      co_return false;
    }
    const bool detached = reply->detached;
    auto out = to_http(std::move(*reply), parser);
    if (requests >= server_.options.requests_of_connection) out.keep_alive(false);
    stream_.lowest().expires_after(server_.options.request_timeout);
    const std::string header = text_of(out.base());
    const Stream::Pieces pieces{asio::buffer(header), asio::buffer(out.body())};
    const auto [unsent, sent] = co_await stream_.write(pieces, kToken);
    if (detached && server_.daemon != nullptr) server_.daemon->after_detach();
    co_return !unsent && out.keep_alive();
  }

  // In chunks. What a client does not take in time stays with its feed, which is bounded; so on
  // the Unix socket it may take its time, as one whose user has stopped it does. A client that shuts down its side may
  // still read the end.
  awaitable<void> send_feed(const Answer& answer) {
    auto header = header_of<http::empty_body>(answer);
    header.keep_alive(false);
    header.chunked(true);
    const std::string text = text_of(header.base());
    const Stream::Pieces first{asio::buffer(text)};
    const auto [unsent, header_bytes] = co_await stream_.write(first, kToken);
    if (unsent) co_return;
    stream_.lowest().expires_never();
    // Followers must not keep others out: over the network one gives way as who says nothing does. It can come back,
    // and events go on where it was.
    if (peer_.shows_token) progress_.waits();
    const auto waiting = std::make_shared<Waiting>(server_.loop);
    stream_.read_some(asio::buffer(waiting->waste),
                      [waiting](const boost::system::error_code& /*end*/, std::size_t /*bytes*/) {
                        waiting->left = true;
                        waiting->woken.cancel();
                      });
    answer.feed->on_ready([waiting] { waiting->woken.cancel(); });
    const bool whole = co_await send_pieces(*answer.feed, *waiting);
    const Stream::Pieces last{asio::buffer(kLastChunk)};
    if (whole) co_await stream_.write(last, kToken);
    boost::system::error_code closed;
    stream_.lowest().socket().cancel(closed);
    // Whoever reads next from the stream must be the only one.
    while (!waiting->left) co_await waiting->woken.async_wait(kToken);
  }

  /// True: all that there was.
  awaitable<bool> send_pieces(Feed& feed, Waiting& waiting) {
    bool last = false;
    auto beat = Clock::now();
    while (server_.daemon != nullptr && !last && is_still_let_in()) {
      last = waiting.left;
      if (last) {
        feed.end();
        stream_.lowest().expires_after(server_.options.request_timeout);
      }
      std::string piece = feed.take();
      if (piece.empty()) {
        last = last || feed.ended();
        if (last) continue;
        const auto heartbeat = feed.heartbeat();
        auto until = heartbeat ? beat + heartbeat->interval : Clock::time_point::max();
        if (peer_.shows_token) until = std::min(until, Clock::now() + kTokenLook);
        waiting.woken.expires_at(until);
        co_await waiting.woken.async_wait(kToken);
        waiting.woken.expires_at(Clock::time_point::max());
        if (!heartbeat || Clock::now() < beat + heartbeat->interval) continue;
        piece = heartbeat->text;
      }
      beat = Clock::now();
      auto patience = feed.patience();
      if (!patience && peer_.shows_token) patience = kRemotePatience;
      if (patience && !last) stream_.lowest().expires_after(*patience);
      const std::string size = chunk_size(piece);
      const Stream::Pieces chunk{asio::buffer(size), asio::buffer(piece), asio::buffer(kChunkEnd)};
      const auto [failed, bytes] = co_await stream_.write(chunk, kToken);
      if (failed == beast::error::timeout) feed.lose_patience();
      if (failed) break;
      if (!last) stream_.lowest().expires_never();
    }
    co_return last;
  }

  using Clock = std::chrono::steady_clock;

  std::string token_;  ///< of the last request, by which a feed goes on
  Access access_ = Access::metrics;
  ServerState& server_;
  Stream& stream_;
  const Peer& peer_;
  const Progress& progress_;
};

}  // namespace

awaitable<void> serve(ServerState& server, PlainStream& stream, const Peer& peer, const Progress& progress) {
  OverPlain over(stream);
  co_await Exchange(server, over, peer, progress).run();
  co_await linger(stream);
}

awaitable<void> serve(ServerState& server, TlsStream& stream, const Peer& peer, const Progress& progress) {
  OverTls over(stream);
  progress.waits();
  over.lowest().expires_after(server.options.request_timeout);
  const auto refused = co_await over.shake_hands(asio::ssl::stream_base::server);
  progress.works();
  if (refused) {
    ++server.failed_handshakes;
    co_return;
  }
  co_await Exchange(server, over, peer, progress).run();
  over.lowest().expires_after(kLingerTime);
  co_await over.shut_down();
  co_await linger(over.lowest());
}

}  // namespace astil::api
