// The exchange runs on an event loop of its own, for the sake of the timeout. It is the same over both kinds of stream.
#include "control/cli/client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/url/url.hpp>
#include <csignal>
#include <memory>

#include "control/api/stream.hpp"
#include "control/api/tls_connection.hpp"

namespace astil::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using api::PlainStream;
using boost::system::error_code;
using Parser = api::AnswerParser;

/// How long the daemon has to end an answer that the user has enough of.
constexpr std::chrono::seconds kPatience{5};
constexpr std::chrono::seconds kConnectTime{10};  ///< over the network, the handshake included

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

/// Runs it on the loop; `done` gets what it returns.
template <class T>
void begin(asio::io_context& loop, asio::awaitable<T> work, std::function<void(T result)> done) {
  asio::co_spawn(loop, std::move(work), [done = std::move(done)](const std::exception_ptr& thrown, T result) {
    if (thrown) std::rethrow_exception(thrown);
    done(std::move(result));
  });
}

/// A connection to the daemon, of either kind.
class Connection {
 public:
  explicit Connection(asio::io_context& loop) : loop_(loop) {}

  /// False: nobody listens.
  Result<bool> open(const Target& target) { return target.server.empty() ? open_socket(target) : open_server(target); }

  /// Of one that is open.
  api::Stream& stream() { return secure_ ? secure_->stream() : *over_plain_; }
  PlainStream& lowest() { return stream().lowest(); }

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
    over_plain_.emplace(*plain_);
    return true;
  }

  Result<bool> open_server(const Target& target) {
    const auto parsed = parse_server(target.server);
    if (!parsed) return parsed.error().within("--server");
    const auto context = api::make_client_context(target.ca.empty() ? api::kSystemAuthorities : target.ca);
    if (!context) return context.error();
    asio::ip::tcp::resolver resolver(loop_);
    error_code failed;
    const auto found = resolver.resolve(parsed->host, parsed->port, failed);
    if (failed) return Error{"host " + parsed->host + " is not known: " + failed.message(), {}};
    api::TlsConnection::Endpoints at;
    for (const auto& each : found) at.push_back(each.endpoint());
    std::optional<api::TlsConnection::Opened> opened;
    begin<api::TlsConnection::Opened>(loop_, api::TlsConnection::open(*parsed, at, *context, kConnectTime),
                                      [&](api::TlsConnection::Opened result) { opened = std::move(result); });
    loop_.run();
    loop_.restart();
    if (!*opened) return opened->error();
    secure_ = std::move(**opened);
    return secure_ != nullptr;
  }

  asio::io_context& loop_;
  std::optional<PlainStream> plain_;
  std::optional<api::OverPlain> over_plain_;
  std::unique_ptr<api::TlsConnection> secure_;
};

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
  begin<error_code>(loop, api::exchange_messages(connection.stream(), request, buffer, parser),
                    [&](error_code ended) { failed = ended; });
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
  begin<error_code>(loop, api::exchange_messages(connection.stream(), request, buffer, parser), [&](error_code ended) {
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
