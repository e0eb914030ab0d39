// The exchange runs on an event loop of its own, for the sake of the timeout.
#include "control/cli/client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/url/url.hpp>

namespace astil::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Protocol = asio::local::stream_protocol;
using boost::system::error_code;

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

}  // namespace

Result<std::optional<Reply>> ask(const std::string& socket, const Question& question, std::chrono::seconds timeout) {
  if (socket.empty() || socket.size() >= sizeof(sockaddr_un::sun_path)) {
    return Error{"'" + socket + "' can not be a socket's path", "give one of 1 to 107 characters"};
  }
  asio::io_context loop;
  Protocol::socket plain(loop);
  error_code failed;
  plain.connect(Protocol::endpoint(socket), failed);
  if (failed == boost::system::errc::no_such_file_or_directory || failed == boost::system::errc::connection_refused) {
    return std::optional<Reply>();
  }
  if (failed) return failed_exchange(socket, failed);

  beast::basic_stream<Protocol> stream(std::move(plain));
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(boost::none);
  const auto request = to_http(question);
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

Error no_daemon(const std::string& socket) {
  return {"no daemon answers at " + socket, "start it with: systemctl start astild"};
}

}  // namespace astil::cli
