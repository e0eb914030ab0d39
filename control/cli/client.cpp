// The exchange runs on an event loop of its own, for the sake of the timeout.
#include "control/cli/client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/url/url.hpp>
#include <csignal>
#include <memory>

namespace astil::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Protocol = asio::local::stream_protocol;
using boost::system::error_code;

/// How long the daemon has to end an answer that the user has enough of.
constexpr std::chrono::seconds kPatience{5};

http::request<http::string_body> to_http(const Question& question) {
  boost::urls::url target(question.path);
  for (const auto& [key, value] : question.query) target.params().append({key, value});
  const auto text = target.buffer();
  http::request<http::string_body> request{
      question.method == Method::get ? http::verb::get : http::verb::post, {text.data(), text.size()}, 11};
  request.set(http::field::host, "localhost");
  request.set(http::field::user_agent, "astil/" ASTIL_VERSION);
  request.keep_alive(false);
  request.body() = question.body;
  request.prepare_payload();
  return request;
}

Error failed_exchange(const std::string& socket, const error_code& failed) {
  if (failed == beast::error::timeout) {
    return {"the daemon at " + socket + " did not answer in time", "look into its log: journalctl -u astild"};
  }
  if (failed == boost::system::errc::permission_denied) {
    return {"no permission to use " + socket, "run as root, or as a member of the socket's group"};
  }
  return {"the daemon at " + socket + " broke the exchange off: " + failed.message(),
          "look into its log: journalctl -u astild"};
}

using Stream = beast::basic_stream<Protocol>;

/// A connection to the daemon; none: nobody listens.
Result<std::unique_ptr<Stream>> connect(asio::io_context& loop, const std::string& socket) {
  if (socket.empty() || socket.size() >= sizeof(sockaddr_un::sun_path)) {
    return Error{"'" + socket + "' can not be a socket's path", "give one of 1 to 107 characters"};
  }
  Protocol::socket plain(loop);
  error_code failed;
  plain.connect(Protocol::endpoint(socket), failed);
  if (failed == boost::system::errc::no_such_file_or_directory || failed == boost::system::errc::connection_refused) {
    return std::unique_ptr<Stream>();
  }
  if (failed) return failed_exchange(socket, failed);
  return std::make_unique<Stream>(std::move(plain));
}

}  // namespace

Result<std::optional<Reply>> ask(const std::string& socket, const Question& question, std::chrono::seconds timeout) {
  asio::io_context loop;
  auto connected = connect(loop, socket);
  if (!connected) return connected.error();
  if (!*connected) return std::optional<Reply>();
  Stream& stream = **connected;
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(boost::none);
  const auto request = to_http(question);
  error_code failed;
  stream.expires_after(timeout);
  http::async_write(stream, request, [&](error_code unsent, std::size_t) {
    // A daemon that refuses a body before it has read all of it has answered nevertheless.
    http::async_read(stream, buffer, parser, [&failed, unsent](error_code unread, std::size_t) {
      failed = unread && unsent ? unsent : unread;
    });
  });
  loop.run();
  if (failed) return failed_exchange(socket, failed);
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

Result<std::optional<Followed>> follow(const std::string& socket, const Question& question,
                                       const std::function<GoOn(const std::string& line)>& on_line) {
  LineReader reader(on_line);
  return receive(
      socket, question, [&](std::string_view piece) { return reader.read(piece); }, OnSignal::leave);
}

Result<std::optional<Followed>> receive(const std::string& socket, const Question& question,
                                        const std::function<GoOn(std::string_view piece)>& on_piece,
                                        OnSignal on_signal) {
  asio::io_context loop;
  auto connected = connect(loop, socket);
  if (!connected) return connected.error();
  if (!*connected) return std::optional<Followed>();
  Stream& stream = **connected;
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
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
    stream.socket().shutdown(Protocol::socket::shutdown_send, gone);
    signals.async_wait([&](error_code again, int /*signal*/) { leave(again); });
    patience.expires_after(kPatience);
    patience.async_wait(leave);
  });
  const auto request = to_http(question);
  error_code failed;
  stream.expires_never();
  http::async_write(stream, request, [&](error_code unsent, std::size_t) {
    http::async_read(stream, buffer, parser, [&, unsent](error_code unread, std::size_t) {
      failed = unread && unsent ? unsent : unread;
      loop.stop();
    });
  });
  loop.run();
  const bool whole = parser.is_done();
  if (by_user) return std::optional(Followed{.ended = Ended::by_user, .whole = whole});
  if (parser.is_header_done() && parser.get().result_int() == 200)
    return std::optional(Followed{.ended = Ended::by_daemon, .whole = whole});
  if (failed) return failed_exchange(socket, failed);
  auto response = parser.release();
  return std::optional(
      Followed{.ended = Ended::by_daemon, .whole = whole, .refusal = Reply{response.result_int(), response.body()}});
}

Error no_daemon(const std::string& socket) {
  return {"no daemon answers at " + socket, "start it with: systemctl start astild"};
}

}  // namespace astil::cli
