// Who asks a daemon over the network: a connection by TLS to its `api.remote`, whose certificate is checked, and one
// question with its answer. For the command line, and for daemons that ask each other.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/api/stream.hpp"
#include "control/base/result.hpp"
#include "control/base/server_name.hpp"

namespace astil::api {

/// The authorities that the system trusts.
inline constexpr const char* kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";

/// What a file holds, which is a token and nothing else.
[[nodiscard]] Result<std::string> read_token(const std::string& file);

/// Who connects trusts these authorities, a file of certificates. To be made once for many connections: the system's
/// take long to read.
using ClientContext = std::shared_ptr<boost::asio::ssl::context>;
[[nodiscard]] Result<ClientContext> make_client_context(const std::string& ca);

/// The address that the host is, where it is none in words.
[[nodiscard]] std::optional<boost::asio::ip::tcp::endpoint> literal_endpoint(const ServerName& server);

class TlsConnection {
 public:
  using Opened = Result<std::unique_ptr<TlsConnection>>;
  using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;

  /// `at`: the server's addresses, at least one, which are tried in turn. These together have the time `limit`, and so
  /// has the handshake. Null: nobody listens there.
  [[nodiscard]] static boost::asio::awaitable<Opened> open(ServerName server, Endpoints at, ClientContext context,
                                                           std::chrono::steady_clock::duration limit);

  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;
  ~TlsConnection() = default;

  [[nodiscard]] Stream& stream() { return over_; }

 private:
  TlsConnection(ClientContext context, boost::asio::ip::tcp::socket socket)
      : context_(std::move(context)),
        secure_(PlainStream(PlainStream::socket_type(std::move(socket))), *context_),
        over_(secure_) {}
  [[nodiscard]] boost::asio::awaitable<Result<>> shake_hands(ServerName server,
                                                             std::chrono::steady_clock::duration limit);

  ClientContext context_;
  TlsStream secure_;
  OverTls over_;
};

using AnswerParser = boost::beast::http::response_parser<boost::beast::http::string_body>;

/// Sends a question and reads the answer to its end. Returns why it failed. All arguments must outlive it.
[[nodiscard]] boost::asio::awaitable<boost::system::error_code> exchange_messages(
    Stream& stream, const boost::beast::http::request<boost::beast::http::string_body>& request,
    boost::beast::flat_buffer& buffer, AnswerParser& parser);

}  // namespace astil::api
