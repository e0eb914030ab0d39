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

#include "control/api/stream.hpp"
#include "control/base/result.hpp"
#include "control/base/server_name.hpp"

namespace astil::api {

/// The authorities that the system trusts.
inline constexpr const char* kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";

/// What a file holds, which is a token and nothing else.
[[nodiscard]] Result<std::string> read_token(const std::string& file);

class TlsConnection {
 public:
  using Opened = Result<std::unique_ptr<TlsConnection>>;

  /// `server` is as parse_server takes it, `ca` a file of certificates. Each of its steps has the time `limit`. Null:
  /// nobody listens there.
  [[nodiscard]] static boost::asio::awaitable<Opened> open(std::string server, std::string ca,
                                                           std::chrono::steady_clock::duration limit);

  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;
  ~TlsConnection() = default;

  [[nodiscard]] Stream& stream() { return over_; }

 private:
  TlsConnection(std::unique_ptr<boost::asio::ssl::context> context, boost::asio::ip::tcp::socket socket)
      : context_(std::move(context)),
        secure_(PlainStream(PlainStream::socket_type(std::move(socket))), *context_),
        over_(secure_) {}
  [[nodiscard]] boost::asio::awaitable<Result<>> shake_hands(std::string server, std::string host,
                                                             std::chrono::steady_clock::duration limit);

  std::unique_ptr<boost::asio::ssl::context> context_;
  TlsStream secure_;
  OverTls over_;
};

using AnswerParser = boost::beast::http::response_parser<boost::beast::http::string_body>;

/// Sends a question and reads the answer to its end. Returns why it failed. All arguments must outlive it.
[[nodiscard]] boost::asio::awaitable<boost::system::error_code> exchange_messages(
    Stream& stream, const boost::beast::http::request<boost::beast::http::string_body>& request,
    boost::beast::flat_buffer& buffer, AnswerParser& parser);

}  // namespace astil::api
