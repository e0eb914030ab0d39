#include "control/api/tls_connection.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <utility>

#include "control/base/regular_file.hpp"

namespace astil::api {
namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// Shared with the timer that ends it.
struct Attempt {
  explicit Attempt(const asio::any_io_executor& loop) : socket(loop) {}
  tcp::socket socket;
  bool is_late = false;
};

asio::awaitable<error_code> connect(std::shared_ptr<Attempt> attempt, tcp::endpoint to,
                                    std::chrono::steady_clock::duration limit) {
  asio::steady_timer timer(co_await asio::this_coro::executor, limit);
  timer.async_wait([attempt](error_code stopped) {
    if (stopped) return;
    attempt->is_late = true;
    attempt->socket.close(stopped);
  });
  const auto [failed] = co_await attempt->socket.async_connect(to, kAwait);
  timer.cancel();
  co_return attempt->is_late ? make_error_code(asio::error::timed_out) : failed;
}

}  // namespace

Result<std::string> read_token(const std::string& file) {
  auto text = base::read_regular_file(file);
  if (text.has_error()) return text.error();
  std::string token = std::move(*text);
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  const bool is_token = !token.empty() && std::ranges::all_of(token, [](char c) { return c > ' ' && c < '\x7f'; });
  if (!is_token) return Error{file + " does not hold a token and nothing else", "put it there, in one line"};
  return Result<std::string>(boost::system::in_place_value, std::move(token));
}

Result<ClientContext> make_client_context(const std::string& ca) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  error_code failed;
  context->load_verify_file(ca, failed);
  if (failed) return Error{ca + ": " + failed.message(), "name a file of certificates in PEM"};
  context->set_verify_mode(ssl::verify_peer);
  ::SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  return context;
}

std::optional<tcp::endpoint> literal_endpoint(const ServerName& server) {
  error_code none;
  const auto address = asio::ip::make_address(server.host, none);
  if (none) return std::nullopt;
  return tcp::endpoint(address, static_cast<std::uint16_t>(std::stoul(server.port)));
}

asio::awaitable<TlsConnection::Opened> TlsConnection::open(ServerName server, Endpoints at, ClientContext context,
                                                           std::chrono::steady_clock::duration limit) {
  const std::string name = server.host + " port " + server.port;
  error_code failed = asio::error::host_not_found;
  std::shared_ptr<Attempt> attempt;
  for (std::size_t i = 0; i < at.size() && failed; ++i) {
    attempt = std::make_shared<Attempt>(co_await asio::this_coro::executor);
    failed = co_await connect(attempt, at[i], limit / static_cast<std::int64_t>(at.size()));
  }
  if (failed == boost::system::errc::connection_refused) co_return Opened(boost::system::in_place_value, nullptr);
  if (failed == asio::error::timed_out) co_return Error{"no connection to " + name + ": it does not answer", {}};
  if (failed) co_return Error{"no connection to " + name + ": " + failed.message(), {}};
  std::unique_ptr<TlsConnection> connection(new TlsConnection(std::move(context), std::move(attempt->socket)));
  auto shaken = co_await connection->shake_hands(std::move(server), limit);
  if (!shaken) co_return shaken.error();
  co_return connection;
}

asio::awaitable<Result<>> TlsConnection::shake_hands(ServerName server, std::chrono::steady_clock::duration limit) {
  const std::string name = server.host + " port " + server.port;
  secure_.set_verify_callback(ssl::host_name_verification(server.host));
  // RFC 6066, section 3: names only. The macro of OpenSSL has an old-style cast.
  if (!literal_endpoint(server))
    ::SSL_ctrl(secure_.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, server.host.data());
  over_.lowest().expires_after(limit);
  const error_code failed = co_await over_.shake_hands(ssl::stream_base::client);
  if (!failed) co_return Result<>();
  const long why = ::SSL_get_verify_result(secure_.native_handle());
  if (why == X509_V_OK)
    co_return Error{"no TLS with " + name + ": " + failed.message(), "is that the daemon's api.remote?"};
  // What the check of the name finds has no number of its own.
  const std::string found = why == X509_V_ERR_UNSPECIFIED ? "it is not for " + server.host
                                                          : std::string(::X509_verify_cert_error_string(why));
  co_return Error{"the certificate of " + name + " is not to be trusted: " + found,
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
