#include "control/api/stream.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/read_size.hpp>
#include <boost/beast/http/error.hpp>

namespace astil::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::awaitable;
using boost::system::error_code;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMostAtOnce = 65'536;

/// Goes on where the stream's own executor does, which is everybody's here. (Beast can not use the handler's own, of
/// which Boost 1.81 hides too much.)
auto plainly(Stream::Done done) {
  return [done = std::move(done)](error_code failed, std::size_t bytes) mutable { std::move(done)(failed, bytes); };
}

void append_fields(std::string& text, const http::fields& fields) {
  for (const auto& field : fields) {
    text.append(field.name_string()).append(": ").append(field.value()).append("\r\n");
  }
  text.append("\r\n");
}

}  // namespace

void OverPlain::start_read(asio::mutable_buffer into, Done done) {
  stream_.async_read_some(into, plainly(std::move(done)));
}

void OverPlain::start_write(const Pieces& pieces, Done done) {
  asio::async_write(stream_, pieces, plainly(std::move(done)));
}

void OverTls::start_read(asio::mutable_buffer into, Done done) {
  stream_.async_read_some(into, plainly(std::move(done)));
}

void OverTls::start_write(const Pieces& pieces, Done done) {
  asio::async_write(stream_, pieces, plainly(std::move(done)));
}

awaitable<error_code> OverTls::shake_hands(asio::ssl::stream_base::handshake_type side) {
  const auto [refused] = co_await stream_.async_handshake(side, kToken);
  co_return refused;
}

awaitable<error_code> OverTls::shut_down() {
  const auto [failed] = co_await stream_.async_shutdown(kToken);
  co_return failed;
}

// As http::async_read() and http::async_read_header() do.
template <bool kIsRequest>
awaitable<error_code> read_message(Stream& stream, beast::flat_buffer& buffer, http::basic_parser<kIsRequest>& parser,
                                   Until until) {
  parser.eager(until == Until::end);
  const auto is_read = [&] { return until == Until::header ? parser.is_header_done() : parser.is_done(); };
  error_code failed;
  bool needs_more = buffer.size() == 0;
  while (!is_read()) {
    if (!needs_more) {
      buffer.consume(parser.put(buffer.data(), failed));
      if (failed && failed != http::error::need_more) co_return failed;
      needs_more = failed == http::error::need_more || buffer.size() == 0;
      continue;
    }
    const auto [unread, bytes] =
        co_await stream.read_some(buffer.prepare(beast::read_size(buffer, kMostAtOnce)), kToken);
    buffer.commit(bytes);
    if (unread == asio::error::eof) {
      if (!parser.got_some()) co_return http::error::end_of_stream;
      failed = {};
      parser.put_eof(failed);
      co_return failed;
    }
    if (unread) co_return unread;
    needs_more = false;
  }
  co_return error_code();
}

template awaitable<error_code> read_message(Stream&, beast::flat_buffer&, http::basic_parser<true>&, Until);
template awaitable<error_code> read_message(Stream&, beast::flat_buffer&, http::basic_parser<false>&, Until);

std::string text_of(const http::request_header<>& header) {
  std::string text;
  text.append(header.method_string()).append(" ").append(header.target()).append(" HTTP/1.1\r\n");
  append_fields(text, header);
  return text;
}

std::string text_of(const http::response_header<>& header) {
  std::string text = "HTTP/1.1 " + std::to_string(header.result_int()) + " ";
  text.append(header.reason()).append("\r\n");
  append_fields(text, header);
  return text;
}

}  // namespace astil::api
