// The exchange runs on an event loop of its own, for the sake of the timeout. It is the same over both kinds of stream.
#include "control/cli/client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/url/url.hpp>
#include <csignal>
#include <memory>

#include "control/api/stream.hpp"

namespace astil::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
using api::PlainStream;
using api::TlsStream;
using asio::ip::tcp;
using boost::system::error_code;
using Parser = http::response_parser<http::string_body>;

/// How long the daemon has to end an answer that the user has enough of.
constexpr std::chrono::seconds kPatience{5};
constexpr std::chrono::seconds kConnectTime{10};  ///< over the network, the handshake included
constexpr const char* kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";

http::request<http::string_body> to_http(const Target& target, const Question& question) {
  boost::urls::url path(question.path);
  for (const auto& [key, value] : question.query) path.params().append({key, value});
  const auto text = path.buffer();
  http::request<http::string_body> request{
      question.method == Method::get ? http::verb::get : http::verb::post, {text.data(), text.size()}, 11};
  request.set(http::field::host, target.server.empty() ? "localhost" : target.server);
  request.set(http::field::user_agent, "astil/" ASTIL_VERSION);
  if (!target.token.empty()) request.set(http::field::authorization, "Bearer " + target.token);
  request.keep_alive(false);
  request.body() = question.body;
  request.prepare_payload();
  return request;
}

const char* const kLook = "look into its log: journalctl -u astild";

Error failed_exchange(const Target& target, const error_code& failed) {
  const std::string daemon = "the daemon at " + target.name();
  if (failed == beast::error::timeout) return {daemon + " did not answer in time", kLook};
  if (failed == boost::system::errc::permission_denied)
    return {"no permission to use " + target.name(), "run as root, or as a member of the socket's group"};
  return {daemon + " broke the exchange off: " + failed.message(), kLook};
}

/// HOST:PORT, or [IPV6]:PORT.
Result<std::pair<std::string, std::string>> parts_of(const std::string& server) {
  const auto colon = server.rfind(':');
  std::string host = server.substr(0, colon == std::string::npos ? 0 : colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const std::string port = colon == std::string::npos ? "" : server.substr(colon + 1);
  const bool is_port = !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
  if (host.empty() || !is_port || (!bracketed && host.find(':') != std::string::npos))
    return Error{"--server: '" + server + "' is not a host with a port",
                 "write lb1.example.com:9443 or [2001:db8::5]:9443"};
  return std::pair(std::move(host), port);
}

/// Runs it on the loop; `done` gets what it returns.
void begin(asio::io_context& loop, asio::awaitable<error_code> work, std::function<void(error_code failed)> done) {
  asio::co_spawn(loop, std::move(work), [done = std::move(done)](const std::exception_ptr& thrown, error_code failed) {
    if (thrown) std::rethrow_exception(thrown);
    done(failed);
  });
}

/// A connection to the daemon, of either kind.
class Connection {
 public:
  explicit Connection(asio::io_context& loop) : loop_(loop), context_(ssl::context::tls_client) {}

  /// False: nobody listens.
  Result<bool> open(const Target& target) { return target.server.empty() ? open_socket(target) : open_server(target); }

  /// Of one that is open.
  api::Stream& stream() { return *stream_; }
  PlainStream& lowest() { return stream_->lowest(); }

 private:
  Result<bool> open_socket(const Target& target) {
    if (target.socket.empty() || target.socket.size() >= sizeof(sockaddr_un::sun_path)) {
      return Error{"'" + target.socket + "' can not be a socket's path", "give one of 1 to 107 characters"};
    }
    asio::local::stream_protocol::socket socket(loop_);
    error_code failed;
    socket.connect(asio::local::stream_protocol::endpoint(target.socket), failed);
    if (failed == boost::system::errc::no_such_file_or_directory || failed == boost::system::errc::connection_refused)
      return false;
    if (failed) return failed_exchange(target, failed);
    plain_.emplace(PlainStream::socket_type(std::move(socket)));
    stream_ = std::make_unique<api::OverPlain>(*plain_);
    return true;
  }

  Result<bool> open_server(const Target& target) {
    const auto parts = parts_of(target.server);
    if (!parts) return parts.error();
    const auto& [host, port] = *parts;
    error_code failed;
    const std::string ca = target.ca.empty() ? kSystemAuthorities : target.ca;
    context_.load_verify_file(ca, failed);
    if (failed) return Error{"--ca " + ca + ": " + failed.message(), "name a file of certificates in PEM"};
    context_.set_verify_mode(ssl::verify_peer);
    context_.set_verify_callback(ssl::host_name_verification(host));
    ::SSL_CTX_set_min_proto_version(context_.native_handle(), TLS1_2_VERSION);
    tcp::resolver resolver(loop_);
    const auto found = resolver.resolve(host, port, failed);
    if (failed) return Error{"host " + host + " is not known: " + failed.message(), {}};
    auto socket = std::make_shared<tcp::socket>(loop_);
    asio::steady_timer limit(loop_, kConnectTime);
    limit.async_wait([&](error_code stopped) {
      if (!stopped) socket->close(stopped);
    });
    failed = asio::error::timed_out;
    asio::async_connect(*socket, found, [&](error_code refused, const tcp::endpoint& /*to*/) {
      failed = refused;
      limit.cancel();
    });
    run();
    if (failed == boost::system::errc::connection_refused) return false;
    if (failed) return Error{"no connection to " + target.server + ": " + failed.message(), {}};
    return shake_hands(target, host, std::move(*socket));
  }

  Result<bool> shake_hands(const Target& target, const std::string& host, tcp::socket socket) {
    secure_.emplace(PlainStream(PlainStream::socket_type(std::move(socket))), context_);
    auto over = std::make_unique<api::OverTls>(*secure_);
    error_code no_address;
    static_cast<void>(asio::ip::make_address(host, no_address));
    // RFC 6066, section 3: names only. The macro of OpenSSL has an old-style cast.
    if (no_address)
      ::SSL_ctrl(secure_->native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                 const_cast<char*>(host.c_str()));
    over->lowest().expires_after(kConnectTime);
    error_code failed;
    begin(loop_, over->shake_hands(ssl::stream_base::client), [&](error_code refused) { failed = refused; });
    run();
    stream_ = std::move(over);
    if (!failed) return true;
    const long why = ::SSL_get_verify_result(secure_->native_handle());
    if (why != X509_V_OK) {
      return Error{"the certificate of " + target.server +
                       " is not to be trusted: " + std::string(::X509_verify_cert_error_string(why)),
                   "name who signed it, --ca FILE, and the server as it is named there"};
    }
    return Error{"no TLS with " + target.server + ": " + failed.message(), "is that the daemon's api.remote?"};
  }

  void run() {
    loop_.run();
    loop_.restart();
  }

  asio::io_context& loop_;
  ssl::context context_;
  std::optional<PlainStream> plain_;
  std::optional<TlsStream> secure_;
  std::unique_ptr<api::Stream> stream_;
};

/// Sends a question and reads the answer to its end. Returns why it failed. All arguments must outlive it.
asio::awaitable<error_code> exchange(api::Stream& stream, const http::request<http::string_body>& request,
                                     beast::flat_buffer& buffer, Parser& parser) {
  const std::string header = api::text_of(request.base());
  const api::Stream::Pieces pieces{asio::buffer(header), asio::buffer(request.body())};
  const auto [unsent, bytes] = co_await stream.write(pieces, asio::as_tuple(asio::use_awaitable));
  // A daemon that refuses a body before it has read all of it has answered nevertheless.
  const error_code unread = co_await api::read_message(stream, buffer, parser, api::Until::end);
  if (unread && unsent) co_return unsent;
  co_return unread;
}

}  // namespace

Result<std::optional<Reply>> ask(const Target& target, const Question& question, std::chrono::seconds timeout) {
  asio::io_context loop;
  Connection connection(loop);
  const auto connected = connection.open(target);
  if (!connected) return connected.error();
  if (!*connected) return std::optional<Reply>();
  beast::flat_buffer buffer;
  Parser parser;
  parser.body_limit(boost::none);
  const auto request = to_http(target, question);
  error_code failed;
  connection.lowest().expires_after(timeout);
  begin(loop, exchange(connection.stream(), request, buffer, parser), [&](error_code ended) { failed = ended; });
  loop.run();
  if (failed) return failed_exchange(target, failed);
  auto response = parser.release();
  return std::optional(Reply{response.result_int(), std::move(response.body())});
}

namespace {

/// Puts an answer's pieces together to lines.
class LineReader {
 public:
  explicit LineReader(const std::function<GoOn(const std::string& line)>& on_line) : on_line_(on_line) {}

  GoOn read(std::string_view piece) {
    for (const char c : piece) {
      if (c != '\n') {
        line_ += c;
        continue;
      }
      if (on_line_(std::exchange(line_, {})) == GoOn::no) return GoOn::no;
    }
    return GoOn::yes;
  }

 private:
  const std::function<GoOn(const std::string& line)>& on_line_;
  std::string line_;
};

}  // namespace

Result<std::optional<Followed>> follow(const Target& target, const Question& question,
                                       const std::function<GoOn(const std::string& line)>& on_line) {
  LineReader reader(on_line);
  return receive(
      target, question, [&](std::string_view piece) { return reader.read(piece); }, OnSignal::leave);
}

Result<std::optional<Followed>> receive(const Target& target, const Question& question,
                                        const std::function<GoOn(std::string_view piece)>& on_piece,
                                        OnSignal on_signal) {
  asio::io_context loop;
  Connection connection(loop);
  const auto connected = connection.open(target);
  if (!connected) return connected.error();
  if (!*connected) return std::optional<Followed>();
  beast::flat_buffer buffer;
  Parser parser;
  parser.body_limit(boost::none);
  bool by_user = false;
  auto on_chunk = [&](std::uint64_t /*left*/, boost::core::string_view piece, error_code& /*failed*/) {
    if (on_piece({piece.data(), piece.size()}) == GoOn::no) {
      by_user = true;
      loop.stop();
    }
    return piece.size();
  };
  parser.on_chunk_body(on_chunk);
  asio::signal_set signals(loop, SIGINT, SIGTERM);
  asio::steady_timer patience(loop);
  const auto leave = [&](error_code aborted) {
    if (!aborted) loop.stop();
  };
  signals.async_wait([&](error_code aborted, int /*signal*/) {
    by_user = !aborted;
    if (aborted) return;
    if (on_signal == OnSignal::leave) return loop.stop();
    error_code gone;
    connection.lowest().socket().shutdown(asio::socket_base::shutdown_send, gone);
    signals.async_wait([&](error_code again, int /*signal*/) { leave(again); });
    patience.expires_after(kPatience);
    patience.async_wait(leave);
  });
  const auto request = to_http(target, question);
  error_code failed;
  connection.lowest().expires_never();
  begin(loop, exchange(connection.stream(), request, buffer, parser), [&](error_code ended) {
    failed = ended;
    loop.stop();
  });
  loop.run();
  const bool whole = parser.is_done();
  if (by_user) return std::optional(Followed{.ended = Ended::by_user, .whole = whole});
  if (parser.is_header_done() && parser.get().result_int() == 200)
    return std::optional(Followed{.ended = Ended::by_daemon, .whole = whole});
  if (failed) return failed_exchange(target, failed);
  auto response = parser.release();
  return std::optional(
      Followed{.ended = Ended::by_daemon, .whole = whole, .refusal = Reply{response.result_int(), response.body()}});
}

Error no_daemon(const Target& target) {
  if (!target.server.empty())
    return {"no daemon answers at " + target.server, "is api.remote in its configuration, with that port?"};
  return {"no daemon answers at " + target.socket, "start it with: systemctl start astild"};
}

}  // namespace astil::cli
