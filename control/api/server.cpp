// Listens, and has each connection served by a coroutine of its own (control/api/exchange.hpp); one more for each
// listener. The number of connections is bounded.
#include "control/api/server.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <set>

#include "control/api/exchange.hpp"
#include "control/api/pacer.hpp"
#include "control/api/unix_socket.hpp"
#include "control/base/log.hpp"

namespace astil::api {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
/// A handshake takes about a millisecond of the daemon's loop, and anybody can ask for one.
constexpr std::chrono::milliseconds kBetweenHandshakes{20};
constexpr unsigned kHandshakesAtOnce = 50;
constexpr std::chrono::seconds kAcceptPause{1};  // after an accept that failed, as when descriptors are used up

std::string text_of(const Endpoint& endpoint) {
  const std::string host = endpoint.address.to_string();
  return (endpoint.address.is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port);
}

Result<std::shared_ptr<tcp::acceptor>> open_acceptor(asio::io_context& loop, const Endpoint& wanted,
                                                     const std::string& purpose) {
  const tcp::endpoint endpoint(wanted.address, wanted.port);
  auto acceptor = std::make_shared<tcp::acceptor>(loop);
  boost::system::error_code failed;
  acceptor->open(endpoint.protocol(), failed);
  if (!failed) acceptor->set_option(asio::socket_base::reuse_address(true), failed);
  if (!failed) acceptor->bind(endpoint, failed);
  if (!failed) acceptor->listen(asio::socket_base::max_listen_connections, failed);
  if (!failed) return acceptor;
  return Error{failed.message(), "choose another address or port"}.within(
      purpose + " endpoint " + wanted.address.to_string() + " port " + std::to_string(wanted.port));
}

std::optional<Endpoint> endpoint_of(const std::shared_ptr<tcp::acceptor>& acceptor) {
  if (!acceptor) return std::nullopt;
  const auto bound = acceptor->local_endpoint();
  return Endpoint{bound.address(), bound.port()};
}

/// Who is at the other end of a Unix socket (unix(7), SO_PEERCRED).
std::optional<std::uint32_t> uid_of(int socket) {
  ucred peer{};
  socklen_t length = sizeof peer;
  const bool known = ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0;
  constexpr uid_t kNobody = static_cast<uid_t>(-1);  // of a socket of another family
  return known && peer.uid != kNobody ? std::optional<std::uint32_t>(peer.uid) : std::nullopt;
}

/// A client that is gone without a word is noticed within two minutes, also where nothing is sent.
void keep_alive(tcp::socket& socket) {
  boost::system::error_code ignored;
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  for (const auto& [option, value] :
       {std::pair(TCP_KEEPIDLE, 60), std::pair(TCP_KEEPINTVL, 15), std::pair(TCP_KEEPCNT, 4)})
    static_cast<void>(::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &value, sizeof value));
}

}  // namespace

class Server::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& loop, Daemon& daemon, const ServerOptions& options)
      : state_{.loop = loop, .daemon = &daemon, .options = options} {}

  Result<> listen();
  void close();
  std::optional<Endpoint> tcp_endpoint() const { return endpoint_of(tcp_); }
  std::optional<Endpoint> remote_endpoint() const { return endpoint_of(remote_); }
  std::vector<ListenerView> listeners() const;
  ApiView view() const;

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
    Connection(std::shared_ptr<Impl> server, Slots& slots) : server_(std::move(server)), slots_(slots) {
      ++slots_.used;
      server_->connections_.insert(this);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    virtual ~Connection() {
      server_->connections_.erase(this);
      --slots_.used;
      slots_.freed.cancel();
    }
    virtual void close() = 0;
    void work() { waits_since_ = 0; }
    /// Waits of connections to this listener are in this order; 0: it does not wait.
    [[nodiscard]] std::uint64_t waits_since(const Slots& slots) const { return &slots == &slots_ ? waits_since_ : 0; }
    [[nodiscard]] ServerState& state() const { return server_->state_; }

    Peer peer;
    const Progress progress{.waits = [this] { waits_since_ = ++server_->waits_; }, .works = [this] { work(); }};

   private:
    std::shared_ptr<Impl> server_;
    Slots& slots_;
    std::uint64_t waits_since_ = 0;
  };

  class PlainConnection final : public Connection {
   public:
    PlainConnection(std::shared_ptr<Impl> server, Slots& slots, PlainStream::socket_type socket)
        : Connection(std::move(server), slots), stream(std::move(socket)) {}
    void close() override { stream.close(); }
    PlainStream stream;
  };

  class TlsConnection final : public Connection {
   public:
    TlsConnection(std::shared_ptr<Impl> server, Slots& slots, PlainStream::socket_type socket,
                  Credentials::Context context)
        : Connection(std::move(server), slots),
          context_(std::move(context)),
          stream(PlainStream(std::move(socket)), *context_) {}
    void close() override { stream.next_layer().close(); }

   private:
    Credentials::Context context_;

   public:
    TlsStream stream;
  };

  /// One of the places where it listens.
  struct Listener {
    std::string where;
    std::string failure;  ///< of the last attempt; empty: it listens
    std::uint64_t failures = 0;
  };

  Result<> open_unix();
  Result<> open_tcp();
  Result<> open_remote();
  /// Listens again where it does not, as long as the server is there.
  awaitable<void> watch_listeners(std::shared_ptr<Impl> self);
  static void note(Listener& listener, const Result<>& outcome);

  /// `begin` starts a connection with an accepted socket.
  template <class Acceptor, class Begin>
  awaitable<void> accept_all(std::shared_ptr<Impl> self, std::shared_ptr<Acceptor> acceptor, Slots& slots, Begin begin);
  template <class C>
  static awaitable<void> serve_to_end(std::unique_ptr<C> connection);
  void begin_plain(Slots& slots, PlainStream::socket_type socket, Peer peer);
  void begin_tls(tcp::socket socket);

  /// Of the connections that wait for a request the one that has done so the longest is closed, where there is one.
  void close_idlest(const Slots& slots);

  ServerState state_;
  std::shared_ptr<UnixListener> unix_;
  std::shared_ptr<tcp::acceptor> tcp_;
  std::shared_ptr<tcp::acceptor> remote_;
  Listener on_unix_{.where = state_.options.socket};
  Listener on_tcp_;
  Listener on_remote_;
  asio::steady_timer look_{state_.loop};
  Slots unix_slots_{state_.loop};
  Slots tcp_slots_{state_.loop};
  Slots remote_slots_{state_.loop};
  std::set<Connection*> connections_;
  std::uint64_t waits_ = 0;  ///< that have begun so far
  Pacer handshakes_{kBetweenHandshakes, kHandshakesAtOnce};
};

Result<> Server::Impl::listen() {
  if (const auto opened = open_unix(); !opened) return opened.error();
  if (const auto& tcp = state_.options.tcp) {
    on_tcp_.where = tcp->address.to_string() + " port " + std::to_string(tcp->port);
    note(on_tcp_, open_tcp());
  }
  if (const auto& remote = state_.options.remote) {
    on_remote_.where = remote->endpoint.address.to_string() + " port " + std::to_string(remote->endpoint.port);
    note(on_remote_, open_remote());
  }
  asio::co_spawn(state_.loop, watch_listeners(shared_from_this()), asio::detached);
  return {};
}

Result<> Server::Impl::open_unix() {
  auto listener = UnixListener::open(state_.loop, state_.options.socket);
  if (!listener) return listener.error();
  boost::system::error_code closed;
  if (unix_) unix_->acceptor().close(closed);  // its accept loop ends; connections stay
  unix_ = std::make_shared<UnixListener>(std::move(*listener));
  const std::shared_ptr<UnixListener::Acceptor> acceptor(unix_, &unix_->acceptor());
  const auto begin = [this](auto socket) {
    Peer peer{.access = Access::everything, .by = {.uid = uid_of(socket.native_handle()), .token = {}}};
    begin_plain(unix_slots_, PlainStream::socket_type(std::move(socket)), std::move(peer));
  };
  asio::co_spawn(state_.loop, accept_all(shared_from_this(), acceptor, unix_slots_, begin), asio::detached);
  return {};
}

Result<> Server::Impl::open_tcp() {
  auto acceptor = open_acceptor(state_.loop, *state_.options.tcp, "metrics");
  if (!acceptor) return acceptor.error();
  tcp_ = std::move(*acceptor);
  const auto begin = [this](tcp::socket socket) {
    begin_plain(tcp_slots_, PlainStream::socket_type(std::move(socket)), {.access = Access::metrics});
  };
  asio::co_spawn(state_.loop, accept_all(shared_from_this(), tcp_, tcp_slots_, begin), asio::detached);
  return {};
}

Result<> Server::Impl::open_remote() {
  if (!state_.credentials) {
    auto credentials = Credentials::load(state_.options.remote->files);
    if (!credentials) return credentials.error();
    state_.credentials = std::move(*credentials);
  }
  auto acceptor = open_acceptor(state_.loop, state_.options.remote->endpoint, "api.remote");
  if (!acceptor) return acceptor.error();
  remote_ = std::move(*acceptor);
  const auto begin = [this](tcp::socket socket) { begin_tls(std::move(socket)); };
  asio::co_spawn(state_.loop, accept_all(shared_from_this(), remote_, remote_slots_, begin), asio::detached);
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
  while (state_.daemon != nullptr) {
    look_.expires_after(state_.options.listen_interval);
    co_await look_.async_wait(kToken);
    if (state_.daemon == nullptr) co_return;
    if (!unix_->is_in_place()) {
      const Result<> opened = open_unix();
      note(on_unix_, opened ? Error{"its file was removed, or another put in its place", {}} : opened.error());
      if (opened) note(on_unix_, {});
    }
    if (state_.options.tcp && !tcp_) note(on_tcp_, open_tcp());
    if (state_.options.remote && !remote_) note(on_remote_, open_remote());
    if (state_.credentials) state_.credentials->look();
  }
}

std::vector<ListenerView> Server::Impl::listeners() const {
  const auto shown = [](const char* name, const Listener& listener) {
    return ListenerView{name, listener.where, listener.failure, listener.failures};
  };
  std::vector<ListenerView> all{shown("socket", on_unix_)};
  if (state_.options.tcp) all.push_back(shown("metrics", on_tcp_));
  if (state_.options.remote) {
    all.push_back(shown("remote", on_remote_));
    if (state_.credentials && all.back().failure.empty()) all.back().failure = state_.credentials->failure();
  }
  return all;
}

ApiView Server::Impl::view() const {
  return {.changes_ok = state_.tally.changes_ok,
          .changes_refused = state_.tally.changes_refused,
          .forbidden = state_.tally.forbidden,
          .no_token = state_.no_token,
          .failed_handshakes = state_.failed_handshakes,
          .timed_out = state_.timed_out,
          .connections = remote_slots_.used};
}

void Server::Impl::close() {
  state_.daemon = nullptr;
  boost::system::error_code closed;
  unix_->acceptor().close(closed);
  unix_->remove();  // now, not when its accept loop has ended
  for (auto* acceptor : {&tcp_, &remote_}) {
    if (*acceptor) (*acceptor)->close(closed);
    acceptor->reset();
  }
  look_.cancel();
  for (Slots* slots : {&unix_slots_, &tcp_slots_, &remote_slots_}) slots->freed.cancel();
  for (auto* connection : connections_) connection->close();
}

void Server::Impl::close_idlest(const Slots& slots) {
  Connection* idlest = nullptr;
  for (Connection* connection : connections_) {
    const std::uint64_t since = connection->waits_since(slots);
    if (since != 0 && (idlest == nullptr || since < idlest->waits_since(slots))) idlest = connection;
  }
  if (idlest == nullptr) return;
  idlest->work();
  idlest->close();
}

template <class C>
awaitable<void> Server::Impl::serve_to_end(std::unique_ptr<C> connection) {
  co_await serve(connection->state(), connection->stream, connection->peer, connection->progress);
}

void Server::Impl::begin_plain(Slots& slots, PlainStream::socket_type socket, Peer peer) {
  auto connection = std::make_unique<PlainConnection>(shared_from_this(), slots, std::move(socket));
  connection->peer = std::move(peer);
  asio::co_spawn(state_.loop, serve_to_end(std::move(connection)), asio::detached);
}

void Server::Impl::begin_tls(tcp::socket socket) {
  boost::system::error_code gone;
  const auto from = socket.remote_endpoint(gone);
  if (gone) return;
  keep_alive(socket);
  auto connection = std::make_unique<TlsConnection>(
      shared_from_this(), remote_slots_, PlainStream::socket_type(std::move(socket)), state_.credentials->context());
  connection->peer = {.shows_token = true, .from = text_of({from.address(), from.port()})};
  asio::co_spawn(state_.loop, serve_to_end(std::move(connection)), asio::detached);
}

// `self` keeps the object while the coroutine lives. After every wait the server may have been closed, and the acceptor
// with it: the state's daemon says so. One connection more than there are places for is accepted: only then is it worth
// while to close another one for it.
template <class Acceptor, class Begin>
awaitable<void> Server::Impl::accept_all(std::shared_ptr<Impl> /*self*/, std::shared_ptr<Acceptor> acceptor,
                                         Slots& slots, Begin begin) {
  while (state_.daemon != nullptr && acceptor->is_open()) {
    auto [failed, socket] = co_await acceptor->async_accept(kToken);
    if (state_.daemon == nullptr || !acceptor->is_open()) co_return;
    if (failed) {
      log::warning("the API can not accept a connection", {{"why", failed.message()}});
      slots.freed.expires_after(kAcceptPause);
      co_await slots.freed.async_wait(kToken);
      slots.freed.expires_at(asio::steady_timer::time_point::max());
      continue;
    }
    while (slots.used >= state_.options.max_connections) {
      close_idlest(slots);
      co_await slots.freed.async_wait(kToken);
      if (state_.daemon == nullptr) co_return;
    }
    if (&slots == &remote_slots_) {
      if (const auto wait = handshakes_.take(Pacer::Clock::now()); wait.count() != 0) {
        asio::steady_timer paced(state_.loop, wait);
        co_await paced.async_wait(kToken);
        if (state_.daemon == nullptr) co_return;
      }
    }
    begin(std::move(socket));
  }
}

Result<std::unique_ptr<Server>> Server::start(asio::io_context& loop, Daemon& daemon, const ServerOptions& options) {
  auto impl = std::make_shared<Impl>(loop, daemon, options);
  if (const auto listening = impl->listen(); !listening) return listening.error();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() { impl_->close(); }

std::optional<Endpoint> Server::tcp_endpoint() const { return impl_->tcp_endpoint(); }
std::optional<Endpoint> Server::remote_endpoint() const { return impl_->remote_endpoint(); }
std::vector<ListenerView> Server::listeners() const { return impl_->listeners(); }
ApiView Server::view() const { return impl_->view(); }

}  // namespace astil::api
