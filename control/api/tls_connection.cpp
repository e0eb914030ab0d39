#include "control/api/tls_connection.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <utility>

namespace astil::api {
namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

Result<std::unique_ptr<ssl::context>> make_context(const std::string& host, const std::string& ca) {
  auto context = std::make_unique<ssl::context>(ssl::context::tls_client);
  error_code failed;
  context->load_verify_file(ca, failed);
  if (failed) return Error{ca + ": " + failed.message(), "name a file of certificates in PEM"};
  context->set_verify_mode(ssl::verify_peer);
  context->set_verify_callback(ssl::host_name_verification(host));
  ::SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  return context;
}

/// Shared with the timer that ends it.
struct Attempt {
  explicit Attempt(const asio::any_io_executor& loop) : resolver(loop), socket(loop) {}
  tcp::resolver resolver;
  tcp::socket socket;
  bool is_late = false;
};

}  // namespace

Result<std::string> read_token(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return system_error(file, errno);
  std::string token(std::istreambuf_iterator<char>(in), {});
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  const bool is_token = !token.empty() && std::ranges::all_of(token, [](char c) { return c > ' ' && c < '\x7f'; });
  if (!is_token) return Error{file + " does not hold a token and nothing else", "put it there, in one line"};
  return Result<std::string>(boost::system::in_place_value, std::move(token));
}

asio::awaitable<TlsConnection::Opened> TlsConnection::open(std::string server, std::string ca,
                                                           std::chrono::steady_clock::duration limit) {
  const auto loop = co_await asio::this_coro::executor;
  const auto parsed = parse_server(server);
  if (!parsed) co_return parsed.error();
  const auto& [host, port] = *parsed;
  auto context = make_context(host, ca);
  if (!context) co_return context.error();
  const auto attempt = std::make_shared<Attempt>(loop);
  asio::steady_timer timer(loop, limit);
  timer.async_wait([attempt](error_code stopped) {
    if (stopped) return;
    attempt->is_late = true;
    attempt->resolver.cancel();
    attempt->socket.close(stopped);
  });
  const auto [unknown, found] = co_await attempt->resolver.async_resolve(host, port, kAwait);
  error_code failed = unknown;
  if (!unknown) failed = std::get<0>(co_await asio::async_connect(attempt->socket, found, kAwait));
  timer.cancel();
  if (attempt->is_late) co_return Error{"no connection to " + server + ": it does not answer", {}};
  if (failed == boost::system::errc::connection_refused) co_return Opened(boost::system::in_place_value, nullptr);
  if (unknown) co_return Error{"host " + host + " is not known: " + failed.message(), {}};
  if (failed) co_return Error{"no connection to " + server + ": " + failed.message(), {}};
  std::unique_ptr<TlsConnection> connection(new TlsConnection(std::move(*context), std::move(attempt->socket)));
  auto shaken = co_await connection->shake_hands(std::move(server), host, limit);
  if (!shaken) co_return shaken.error();
  co_return connection;
}

asio::awaitable<Result<>> TlsConnection::shake_hands(std::string server, std::string host,
                                                     std::chrono::steady_clock::duration limit) {
  error_code no_address;
  static_cast<void>(asio::ip::make_address(host, no_address));
  // RFC 6066, section 3: names only. The macro of OpenSSL has an old-style cast.
  if (no_address)
    ::SSL_ctrl(secure_.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data());
  over_.lowest().expires_after(limit);
  const error_code failed = co_await over_.shake_hands(ssl::stream_base::client);
  if (!failed) co_return Result<>();
  const long why = ::SSL_get_verify_result(secure_.native_handle());
  if (why == X509_V_OK)
    co_return Error{"no TLS with " + server + ": " + failed.message(), "is that the daemon's api.remote?"};
  co_return Error{
      "the certificate of " + server + " is not to be trusted: " + std::string(::X509_verify_cert_error_string(why)),
      "name who signed it (--ca FILE, in a configuration ca_file), and the server as it is named there"};
}

asio::awaitable<error_code> exchange_messages(
    Stream& stream, const boost::beast::http::request<boost::beast::http::string_body>& request,
    boost::beast::flat_buffer& buffer, AnswerParser& parser) {
  const std::string header = text_of(request.base());
  const Stream::Pieces pieces{asio::buffer(header), asio::buffer(request.body())};
  const auto [unsent, bytes] = co_await stream.write(pieces, kAwait);
  // A daemon that refuses a body before it has read all of it has answered nevertheless.
  const error_code unread = co_await read_message(stream, buffer, parser, Until::end);
  if (unread && unsent) co_return unsent;
  co_return unread;
}

}  // namespace astil::api
