// Carries requests and answers over sockets: one coroutine a connection, one for each listener. Everything a peer sends
// is hostile until read: sizes, time and the number of connections are bounded.
#include "control/api/server.hpp"

#include <sys/socket.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <set>

#include "control/api/routes.hpp"
#include "control/api/unix_socket.hpp"
#include "control/base/log.hpp"

namespace astil::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::awaitable;

// One kind of stream for both families, so that the HTTP code is compiled once.
using Stream = beast::basic_stream<asio::generic::stream_protocol>;
using RequestParser = http::request_parser<http::string_body>;
using HttpAnswer = http::response<http::string_body>;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kAcceptPause{1};  // after an accept that failed, as when descriptors are used up
constexpr std::chrono::seconds kLingerTime{1};   // for a refused client to stop sending and read why
constexpr std::size_t kReadAtOnce = 16'384;      // a buffer that is smaller makes many reads of a large configuration
constexpr std::size_t kLingerBytes = 16U << 20U;

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
awaitable<void> linger(Stream& stream) {
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

}  // namespace

class Server::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& loop, Daemon& daemon, const ServerOptions& options)
      : loop_(loop), daemon_(&daemon), options_(options) {}

  Result<> listen();
  void close();
  std::optional<Endpoint> tcp_endpoint() const;
  std::vector<ListenerView> listeners() const;

 private:
  /// How many connections a listener has; `freed` wakes its accept loop.
  struct Slots {
    explicit Slots(asio::io_context& loop) : freed(loop, asio::steady_timer::time_point::max()) {}
    std::size_t used = 0;
    asio::steady_timer freed;
  };

  /// One connection, from accept to close, as its listener and close() know it.
  class Connection {
   public:
    Connection(std::shared_ptr<Impl> server, Slots& slots, Stream::socket_type socket)
        : stream(std::move(socket)), server_(std::move(server)), slots_(slots) {
      ++slots_.used;
      server_->connections_.insert(this);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    /// It has no request under way, or not a whole one, from now on.
    void wait() { waits_since_ = ++server_->waits_; }
    void work() { waits_since_ = 0; }
    /// Waits of connections to this listener are in this order; 0: it does not wait.
    /// Who is at the other end of a Unix socket (unix(7), SO_PEERCRED).
    [[nodiscard]] std::optional<std::uint32_t> uid() {
      ucred peer{};
      socklen_t length = sizeof peer;
      const bool known = ::getsockopt(stream.socket().native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0;
      constexpr uid_t kNobody = static_cast<uid_t>(-1);  // of a socket of another family
      return known && peer.uid != kNobody ? std::optional<std::uint32_t>(peer.uid) : std::nullopt;
    }
    [[nodiscard]] std::uint64_t waits_since(const Slots& slots) const { return &slots == &slots_ ? waits_since_ : 0; }
    ~Connection() {
      server_->connections_.erase(this);
      --slots_.used;
      slots_.freed.cancel();
    }
    Stream stream;

   private:
    std::shared_ptr<Impl> server_;
    Slots& slots_;
    std::uint64_t waits_since_ = 0;
  };

  /// One of the two places where it listens.
  struct Listener {
    std::string where;
    std::string failure;  ///< of the last attempt; empty: it listens
    std::uint64_t failures = 0;
  };

  Result<> open_unix();
  Result<> open_tcp();
  /// Listens again where it does not, as long as the server is there.
  awaitable<void> watch_listeners(std::shared_ptr<Impl> self);
  static void note(Listener& listener, const Result<>& outcome);

  template <class Acceptor>
  awaitable<void> accept_all(std::shared_ptr<Impl> self, std::shared_ptr<Acceptor> acceptor, Slots& slots,
                             Access access);
  awaitable<void> serve(std::unique_ptr<Connection> connection, Access access);
  /// Answers one request. True: the connection stays open for another.
  awaitable<bool> serve_one(Connection& connection, beast::flat_buffer& buffer, Access access);

  /// Of the connections that wait for a request the one that has done so the longest is closed, where there is one.
  void close_idlest(const Slots& slots);

  /// Sends an answer's feed until its end, or until the client leaves or says something.
  awaitable<void> send_feed(Stream& stream, const Answer& answer);

  asio::io_context& loop_;
  Daemon* daemon_;  // null once closed
  ServerOptions options_;
  std::shared_ptr<UnixListener> unix_;
  std::shared_ptr<asio::ip::tcp::acceptor> tcp_;
  Listener on_unix_{.where = options_.socket};
  Listener on_tcp_;
  asio::steady_timer look_{loop_};
  Slots unix_slots_{loop_};
  Slots tcp_slots_{loop_};
  std::set<Connection*> connections_;
  std::uint64_t waits_ = 0;  ///< that have begun so far
};

Result<> Server::Impl::listen() {
  if (const auto opened = open_unix(); !opened) return opened.error();
  if (options_.tcp) {
    on_tcp_.where = options_.tcp->address.to_string() + " port " + std::to_string(options_.tcp->port);
    note(on_tcp_, open_tcp());
  }
  asio::co_spawn(loop_, watch_listeners(shared_from_this()), asio::detached);
  return {};
}

Result<> Server::Impl::open_unix() {
  auto listener = UnixListener::open(loop_, options_.socket);
  if (!listener) return listener.error();
  boost::system::error_code closed;
  if (unix_) unix_->acceptor().close(closed);  // its accept loop ends; connections stay
  unix_ = std::make_shared<UnixListener>(std::move(*listener));
  const std::shared_ptr<UnixListener::Acceptor> acceptor(unix_, &unix_->acceptor());
  asio::co_spawn(loop_, accept_all(shared_from_this(), acceptor, unix_slots_, Access::everything), asio::detached);
  return {};
}

Result<> Server::Impl::open_tcp() {
  const asio::ip::tcp::endpoint endpoint(options_.tcp->address, options_.tcp->port);
  auto acceptor = std::make_shared<asio::ip::tcp::acceptor>(loop_);
  boost::system::error_code failed;
  acceptor->open(endpoint.protocol(), failed);
  if (!failed) acceptor->set_option(asio::socket_base::reuse_address(true), failed);
  if (!failed) acceptor->bind(endpoint, failed);
  if (!failed) acceptor->listen(asio::socket_base::max_listen_connections, failed);
  if (failed)
    return Error{failed.message(), "choose another address or port"}.within("metrics endpoint " + on_tcp_.where);
  tcp_ = std::move(acceptor);
  asio::co_spawn(loop_, accept_all(shared_from_this(), tcp_, tcp_slots_, Access::metrics), asio::detached);
  return {};
}

/// Told once, and once more when it is over.
void Server::Impl::note(Listener& listener, const Result<>& outcome) {
  if (outcome) {
    if (!listener.failure.empty()) log::info("the API listens again", {{"where", listener.where}});
    listener.failure.clear();
    return;
  }
  ++listener.failures;
  const std::string why = outcome.error().text();
  if (listener.failure != why) log::error("the API can not listen", {{"where", listener.where}, {"why", why}});
  listener.failure = why;
}

awaitable<void> Server::Impl::watch_listeners(std::shared_ptr<Impl> /*self*/) {
  while (daemon_ != nullptr) {
    look_.expires_after(options_.listen_interval);
    co_await look_.async_wait(kToken);
    if (daemon_ == nullptr) co_return;
    if (!unix_->is_in_place()) {
      const Result<> opened = open_unix();
      note(on_unix_, opened ? Error{"its file was removed, or another put in its place", {}} : opened.error());
      if (opened) note(on_unix_, {});
    }
    if (options_.tcp && !tcp_) note(on_tcp_, open_tcp());
  }
}

std::vector<ListenerView> Server::Impl::listeners() const {
  const auto shown = [](const char* name, const Listener& listener) {
    return ListenerView{name, listener.where, listener.failure, listener.failures};
  };
  std::vector<ListenerView> all{shown("socket", on_unix_)};
  if (options_.tcp) all.push_back(shown("metrics", on_tcp_));
  return all;
}

void Server::Impl::close() {
  daemon_ = nullptr;
  boost::system::error_code closed;
  unix_->acceptor().close(closed);
  unix_->remove();  // now, not when its accept loop has ended
  if (tcp_) tcp_->close(closed);
  tcp_.reset();
  look_.cancel();
  unix_slots_.freed.cancel();
  tcp_slots_.freed.cancel();
  for (auto* connection : connections_) connection->stream.close();
}

std::optional<Endpoint> Server::Impl::tcp_endpoint() const {
  if (!tcp_) return std::nullopt;
  const auto bound = tcp_->local_endpoint();
  return Endpoint{bound.address(), bound.port()};
}

void Server::Impl::close_idlest(const Slots& slots) {
  Connection* idlest = nullptr;
  for (Connection* connection : connections_) {
    const std::uint64_t since = connection->waits_since(slots);
    if (since != 0 && (idlest == nullptr || since < idlest->waits_since(slots))) idlest = connection;
  }
  if (idlest == nullptr) return;
  idlest->work();
  idlest->stream.close();
}

// `self` keeps the object while the coroutine lives. After every wait the server may have been closed, and the acceptor
// with it: daemon_ says so. One connection more than there are places for is accepted: only then is it worth while to
// close another one for it.
template <class Acceptor>
awaitable<void> Server::Impl::accept_all(std::shared_ptr<Impl> self, std::shared_ptr<Acceptor> acceptor, Slots& slots,
                                         Access access) {
  while (daemon_ != nullptr && acceptor->is_open()) {
    auto [failed, socket] = co_await acceptor->async_accept(kToken);
    if (daemon_ == nullptr || !acceptor->is_open()) co_return;
    if (failed) {
      log::warning("the API can not accept a connection", {{"why", failed.message()}});
      slots.freed.expires_after(kAcceptPause);
      co_await slots.freed.async_wait(kToken);
      slots.freed.expires_at(asio::steady_timer::time_point::max());
      continue;
    }
    while (slots.used >= options_.max_connections) {
      close_idlest(slots);
      co_await slots.freed.async_wait(kToken);
      if (daemon_ == nullptr) co_return;
    }
    auto connection = std::make_unique<Connection>(self, slots, Stream::socket_type(std::move(socket)));
    asio::co_spawn(loop_, serve(std::move(connection), access), asio::detached);
  }
}

awaitable<void> Server::Impl::serve(std::unique_ptr<Connection> connection, Access access) {
  beast::flat_buffer buffer;
  buffer.reserve(kReadAtOnce);
  while (co_await serve_one(*connection, buffer, access)) {
  }
  co_await linger(connection->stream);
}

awaitable<bool> Server::Impl::serve_one(Connection& connection, beast::flat_buffer& buffer, Access access) {
  Stream& stream = connection.stream;
  RequestParser parser;
  parser.header_limit(static_cast<std::uint32_t>(options_.header_limit));
  parser.body_limit(access == Access::everything ? options_.body_limit : 0);
  stream.expires_after(options_.request_timeout);
  connection.wait();
  const auto [unread, read] = co_await http::async_read(stream, buffer, parser, kToken);
  connection.work();
  if (daemon_ == nullptr) co_return false;

  std::optional<Answer> reply;
  if (unread) {
    reply = refuse_unreadable(unread);
    if (!reply) co_return false;
  } else {
    const auto& request = parser.get();
    reply = answer(*daemon_, {.method = view(request.method_string()),
                              .target = view(request.target()),
                              .body = request.body(),
                              .access = access,
                              .uid = connection.uid(),
                              .last_event_id = view(request["Last-Event-ID"])});
  }
  while (reply->unfinished) {
    co_await asio::post(loop_, asio::use_awaitable);  // whoever waits has its turn
    if (daemon_ == nullptr) co_return false;
    go_on(*reply);
  }
  if (reply->feed) {
    co_await send_feed(stream, *reply);
    co_return false;
  }
  const bool detached = reply->detached;
  auto out = to_http(std::move(*reply), parser);
  stream.expires_after(options_.request_timeout);
  const auto [unsent, sent] = co_await http::async_write(stream, out, kToken);
  if (detached && daemon_ != nullptr) daemon_->after_detach();
  co_return !unsent && out.keep_alive();
}

// In chunks (RFC 9112, section 7.1). What a client does not take in time stays with its feed, which is bounded; so it
// may take its time, as one whose user has stopped it does. A client that shuts down its side may still read the end.
awaitable<void> Server::Impl::send_feed(Stream& stream, const Answer& answer) {
  auto header = header_of<http::empty_body>(answer);
  header.keep_alive(false);
  header.chunked(true);
  http::response_serializer<http::empty_body> serializer(header);
  const auto [unsent, header_bytes] = co_await http::async_write_header(stream, serializer, kToken);
  if (unsent) co_return;
  Feed& feed = *answer.feed;
  stream.expires_never();
  const auto waiting = std::make_shared<Waiting>(loop_);
  stream.async_read_some(asio::buffer(waiting->waste),
                         [waiting](const boost::system::error_code& /*end*/, std::size_t /*bytes*/) {
                           waiting->left = true;
                           waiting->woken.cancel();
                         });
  feed.on_ready([waiting] { waiting->woken.cancel(); });
  bool last = false;
  while (daemon_ != nullptr && !last) {
    last = waiting->left;
    if (last) {
      feed.end();
      stream.expires_after(options_.request_timeout);
    }
    std::string piece = feed.take();
    if (piece.empty()) {
      last = last || feed.ended();
      if (last) continue;
      const auto heartbeat = feed.heartbeat();
      if (heartbeat) waiting->woken.expires_after(heartbeat->interval);
      const auto [woken] = co_await waiting->woken.async_wait(kToken);
      waiting->woken.expires_at(asio::steady_timer::time_point::max());
      if (woken || !heartbeat) continue;
      piece = heartbeat->text;
    }
    if (const auto patience = feed.patience(); patience && !last) stream.expires_after(*patience);
    const auto [failed, bytes] = co_await asio::async_write(stream, http::make_chunk(asio::buffer(piece)), kToken);
    if (failed == beast::error::timeout) feed.lose_patience();
    if (failed) break;
    if (!last) stream.expires_never();
  }
  if (last) co_await asio::async_write(stream, http::make_chunk_last(), kToken);
  boost::system::error_code closed;
  stream.socket().cancel(closed);
  // Whoever reads next from the stream must be the only one.
  while (!waiting->left) co_await waiting->woken.async_wait(kToken);
}

Result<std::unique_ptr<Server>> Server::start(asio::io_context& loop, Daemon& daemon, const ServerOptions& options) {
  auto impl = std::make_shared<Impl>(loop, daemon, options);
  if (const auto listening = impl->listen(); !listening) return listening.error();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() { impl_->close(); }

std::optional<Endpoint> Server::tcp_endpoint() const { return impl_->tcp_endpoint(); }
std::vector<ListenerView> Server::listeners() const { return impl_->listeners(); }

}  // namespace astil::api
