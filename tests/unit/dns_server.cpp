// The name server on real sockets: datagrams, connections with several queries, limits.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "control/dns/server.hpp"
#include "control/dns/sockets.hpp"
#include "dns_support.hpp"

namespace astil::dns::testing {
namespace {

using std::chrono::milliseconds;

const auto kLoopback = boost::asio::ip::make_address("127.0.0.1");

std::shared_ptr<const Snapshot> snapshot_of(const std::vector<std::string>& records = kExampleRecords) {
  return std::make_shared<const Snapshot>(Answering(records).snapshot);
}

std::unique_ptr<Server> serve(const char* host = "127.0.0.1", TcpLimits tcp = {}) {
  return std::move(
      Server::start({.listen = {{boost::asio::ip::make_address(host), 0}}, .tcp = tcp}, snapshot_of()).value());
}

/// A client's socket; what it waits for comes, or the test fails after some seconds.
class Socket {
 public:
  Socket(int type, const ListenAddress& server) : socket_(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(server.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  }
  void send(const Message& bytes) const {
    EXPECT_EQ(::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  /// Empty: the connection has ended.
  [[nodiscard]] Message receive(std::size_t size, int flags = 0) const {
    Message bytes(size);
    const ssize_t got = ::recv(socket_.get(), bytes.data(), size, flags);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }
  [[nodiscard]] Read response() const {
    const Message length = receive(2, MSG_WAITALL);
    if (length.size() != 2) return Read({});
    const auto size = std::to_integer<std::size_t>(length[0]) << 8U | std::to_integer<std::size_t>(length[1]);
    return Read(receive(size, MSG_WAITALL));
  }

 private:
  Descriptor socket_;
};

Message framed(const Message& query) {
  Message made;
  put(made, {static_cast<unsigned>(query.size() >> 8U), static_cast<unsigned>(query.size() & 0xffU)});
  made.insert(made.end(), query.begin(), query.end());
  return made;
}

TEST(Server, datagrams_are_answered_also_at_an_unspecified_address) {
  for (const char* host : {"127.0.0.1", "0.0.0.0"}) {
    const auto server = serve(host);
    const Socket client(SOCK_DGRAM, server->bound().front());
    client.send(Asked{}.message());
    EXPECT_EQ(Read(client.receive(4096)).answer().size(), 2U) << host;
    EXPECT_EQ(server->count(Counter::queries_udp_ipv4), 1U);
  }
}

TEST(Server, queries_on_a_connection_are_answered_in_their_order) {
  const auto server = serve();
  const Socket client(SOCK_STREAM, server->bound().front());
  Message all;
  for (unsigned i = 0; i < 500; ++i) {
    const Message one = framed(Asked{.type = i % 2 == 0 ? 1U : 28U}.message());
    all.insert(all.end(), one.begin(), one.end());
  }
  client.send(all);
  for (unsigned i = 0; i < 500; ++i) {
    const Read read = client.response();
    ASSERT_TRUE(read.sound());
    EXPECT_EQ(read.answer().size(), i % 2 == 0 ? 2U : 1U);
  }
  EXPECT_EQ(server->tcp_connections(), 1U);
}

TEST(Server, a_query_that_comes_in_pieces_is_answered) {
  const auto server = serve();
  const Socket client(SOCK_STREAM, server->bound().front());
  for (const std::byte byte : framed(Asked{}.message())) client.send({byte});
  EXPECT_EQ(client.response().answer().size(), 2U);
}

TEST(Server, a_connection_without_a_whole_query_ends) {
  const auto server = serve("127.0.0.1", {.idle = milliseconds(100)});
  const Socket client(SOCK_STREAM, server->bound().front());
  client.send({std::byte{0}});
  EXPECT_TRUE(client.receive(1).empty());
  EXPECT_EQ(server->count(Counter::tcp_closed_idle), 1U);
}

TEST(Server, of_too_many_connections_the_one_idle_for_longest_ends) {
  const auto server = serve("127.0.0.1", {.connections = 2});
  const Socket first(SOCK_STREAM, server->bound().front());
  first.send(framed(Asked{}.message()));
  EXPECT_TRUE(first.response().sound());
  const Socket second(SOCK_STREAM, server->bound().front());
  second.send(framed(Asked{}.message()));
  EXPECT_TRUE(second.response().sound());
  const Socket third(SOCK_STREAM, server->bound().front());
  EXPECT_TRUE(first.receive(1).empty());
  third.send(framed(Asked{}.message()));
  EXPECT_TRUE(third.response().sound());
  EXPECT_EQ(server->count(Counter::tcp_closed_limit), 1U);
}

TEST(Server, an_address_has_so_many_connections_and_no_more) {
  const auto server = serve("127.0.0.1", {.connections_per_client = 1});
  const Socket first(SOCK_STREAM, server->bound().front());
  first.send(framed(Asked{}.message()));
  EXPECT_TRUE(first.response().sound());
  const Socket second(SOCK_STREAM, server->bound().front());
  EXPECT_TRUE(second.receive(1).empty());
  EXPECT_EQ(server->count(Counter::tcp_closed_client_limit), 1U);
}

TEST(Server, a_client_that_sends_no_query_is_left) {
  const auto server = serve();
  const Socket client(SOCK_STREAM, server->bound().front());
  client.send({std::byte{0}, std::byte{1}, std::byte{0}});
  EXPECT_TRUE(client.receive(1).empty());
}

TEST(Server, what_is_published_is_answered_from_the_next_query_on) {
  const auto server = serve();
  const Socket client(SOCK_DGRAM, server->bound().front());
  server->publish(snapshot_of({"@ SOA ns1 hm 1 1 1 1 1", "@ NS ns1", "www A 203.0.113.9"}));
  client.send(Asked{}.message());
  EXPECT_EQ(Read(client.receive(4096)).answer().front(), "www.example.org. 300 IN A 203.0.113.9");
}

TEST(Server, workers_share_a_port) {
  const auto started = Server::start({.listen = {{kLoopback, 0}}, .workers = 4}, snapshot_of());
  ASSERT_TRUE(started.has_value());
  for (unsigned i = 0; i < 64; ++i) {
    const Socket client(SOCK_DGRAM, (*started)->bound().front());
    client.send(Asked{}.message());
    EXPECT_TRUE(Read(client.receive(4096)).sound());
  }
  EXPECT_EQ((*started)->count(Counter::queries_udp_ipv4), 64U);
}

TEST(Server, a_port_that_another_has_is_an_error) {
  const Descriptor other(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(other.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)), 0);
  const auto started = Server::start({.listen = {{kLoopback, port_of(other.get())}}}, snapshot_of());
  ASSERT_TRUE(started.has_error());
  EXPECT_NE(started.error().what.find("Address already in use"), std::string::npos);
}

}  // namespace
}  // namespace astil::dns::testing
