// The fuzzer of the API's server: whatever a client sends, in whatever pieces, it gets answers in HTTP whose JSON can
// be read, and the server has no connection left when the client is gone. What a client of TCP may ask is asked of the
// routes alone.
//
// The first byte: how long the pieces are. The rest is sent.
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "tests/fuzz/api_daemon.hpp"
#include "tests/fuzz/targets.hpp"

namespace astil::fuzz {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::local::stream_protocol;

/// A server and one client at a time, both on one loop, which turns only when the client lets it.
class Exchange {
 public:
  Exchange() {
    api::ServerOptions options;
    options.socket = folder_ / "astil.sock";
    auto started = api::Server::start(loop_, daemon_, options);
    if (!started) throw std::runtime_error(started.error().text());
    server_ = std::move(*started);
    socket_ = options.socket;
  }

  /// Everything that comes back.
  std::string talk(Input bytes, std::size_t piece) {
    daemon_.status_view.config.file = "astil.yaml";
    stream_protocol::socket client(loop_);
    client.connect(stream_protocol::endpoint(socket_));
    client.non_blocking(true);
    turn();
    std::string received;
    while (!bytes.empty()) {
      boost::system::error_code closed;
      const std::size_t sent = client.write_some(asio::buffer(bytes.data(), std::min(piece, bytes.size())), closed);
      if (closed && closed != asio::error::would_block) break;
      bytes = bytes.subspan(sent);
      turn();
      receive(client, received);
    }
    boost::system::error_code ignored;
    client.shutdown(asio::socket_base::shutdown_send, ignored);
    // The server has all there is and knows that no more comes, so it has an end to find.
    for (int turns = 0; !receive(client, received); ++turns) {
      require(turns < 10'000, "the server comes to an end");
      turn();
    }
    client.close();
    turn();
    return received;
  }

 private:
  void turn() {
    loop_.restart();
    loop_.poll();
  }

  /// True: the server has closed.
  static bool receive(stream_protocol::socket& client, std::string& received) {
    std::array<char, 65536> part{};
    while (true) {
      boost::system::error_code failed;
      const std::size_t count = client.read_some(asio::buffer(part), failed);
      received.append(part.data(), count);
      if (failed) return failed != asio::error::would_block;
    }
  }

  test::TemporaryFolder folder_;
  asio::io_context loop_;
  CountingDaemon daemon_;
  std::unique_ptr<api::Server> server_;
  std::string socket_;
};

/// One answer after the other, each with a body of the length that it says.
void check_answers(const std::string& received) {
  std::string_view rest = received;
  while (!rest.empty()) {
    http::response_parser<http::string_body> parser;
    parser.eager(true);
    parser.body_limit(boost::none);
    boost::system::error_code failed;
    const std::size_t used = parser.put(asio::buffer(rest.data(), rest.size()), failed);
    require(!failed && parser.is_done() && used > 0,
            "an answer is one of HTTP, and whole: " + std::string(rest.substr(0, 200)));
    const auto& answer = parser.get();
    const unsigned status = answer.result_int();
    require((status >= 200 && status < 300) || (status >= 400 && status < 500),
            "an answer is no failure of the daemon");
    check_body(std::string(answer[http::field::content_type]), answer.body());
    rest.remove_prefix(used);
  }
}

}  // namespace

void api_request(Input input) {
  static Exchange exchange;
  if (input.empty()) return;
  const unsigned first = std::to_integer<unsigned>(input[0]);
  const std::size_t piece = first >= 128 ? input.size() : 1 + (first % 128) * std::size_t{8};
  check_answers(exchange.talk(input.subspan(1), piece));
}

}  // namespace astil::fuzz
