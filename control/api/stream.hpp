// A connection's stream, in clear or by TLS, and HTTP's messages over it: for the daemon and for who asks it. Asio's
// and Beast's templates for the two kinds of stream are compiled in stream.cpp alone: they take minutes with each of
// the programs that are read and written here (docs/decisions/0043-builds-and-runs.md).
#pragma once

#include <array>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/stream_base.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <string>

namespace astil::api {

/// One kind of stream for all families.
using PlainStream = boost::beast::basic_stream<boost::asio::generic::stream_protocol>;
using TlsStream = boost::beast::ssl_stream<PlainStream>;

/// A stream of either kind, which must outlive what was started on it. At any time one read and one write may be under
/// way. Times are set at `lowest()`.
class Stream {
 public:
  using Done = boost::asio::any_completion_handler<void(boost::system::error_code failed, std::size_t bytes)>;
  /// What is written one after the other; it must stay where it is until that is done.
  using Pieces = std::array<boost::asio::const_buffer, 3>;

  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream() = default;

  [[nodiscard]] virtual PlainStream& lowest() = 0;
  virtual void start_read(boost::asio::mutable_buffer into, Done done) = 0;
  /// All of the pieces.
  virtual void start_write(const Pieces& pieces, Done done) = 0;

  /// The same two, for coroutines and whatever else may wait.
  template <class Token>
  auto read_some(boost::asio::mutable_buffer into, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        [this, into](auto done) { start_read(into, std::move(done)); }, token);
  }
  template <class Token>
  auto write(const Pieces& pieces, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        [this, pieces](auto done) { start_write(pieces, std::move(done)); }, token);
  }
};

/// In clear.
class OverPlain final : public Stream {
 public:
  explicit OverPlain(PlainStream& stream) : stream_(stream) {}
  [[nodiscard]] PlainStream& lowest() override { return stream_; }
  void start_read(boost::asio::mutable_buffer into, Done done) override;
  void start_write(const Pieces& pieces, Done done) override;

 private:
  PlainStream& stream_;
};

/// By TLS. The handshake comes first.
class OverTls final : public Stream {
 public:
  explicit OverTls(TlsStream& stream) : stream_(stream) {}
  [[nodiscard]] PlainStream& lowest() override { return stream_.next_layer(); }
  void start_read(boost::asio::mutable_buffer into, Done done) override;
  void start_write(const Pieces& pieces, Done done) override;
  [[nodiscard]] boost::asio::awaitable<boost::system::error_code> shake_hands(
      boost::asio::ssl::stream_base::handshake_type side);
  [[nodiscard]] boost::asio::awaitable<boost::system::error_code> shut_down();

 private:
  TlsStream& stream_;
};

/// How far a message is read.
enum class Until { header, end };

/// Reads a message, or goes on with one; what comes after it stays in the buffer. Errors are Beast's.
template <bool kIsRequest>
[[nodiscard]] boost::asio::awaitable<boost::system::error_code> read_message(
    Stream& stream, boost::beast::flat_buffer& buffer, boost::beast::http::basic_parser<kIsRequest>& parser,
    Until until);
extern template boost::asio::awaitable<boost::system::error_code> read_message(Stream&, boost::beast::flat_buffer&,
                                                                               boost::beast::http::basic_parser<true>&,
                                                                               Until);
extern template boost::asio::awaitable<boost::system::error_code> read_message(Stream&, boost::beast::flat_buffer&,
                                                                               boost::beast::http::basic_parser<false>&,
                                                                               Until);

/// The bytes of a header.
[[nodiscard]] std::string text_of(const boost::beast::http::request_header<>& header);
[[nodiscard]] std::string text_of(const boost::beast::http::response_header<>& header);

}  // namespace astil::api
