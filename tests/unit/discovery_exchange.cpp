// Questions to name servers: whose answer is taken, and what becomes of the question without one.
#include "control/discovery/exchange.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <thread>

#include "control/config/address_kinds.hpp"

namespace astil::discovery {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::tcp;
using boost::asio::ip::udp;
using testing::HasSubstr;
using Bytes = std::vector<std::byte>;

constexpr std::uint16_t kTypeA = 1;
/// Long enough for a busy machine where an answer comes, and not long where none does.
constexpr Patience kPatient{.of_one = 20s, .rounds = 1};
constexpr Patience kHasty{.of_one = 20ms, .rounds = 2};

Bytes as_answer(Bytes query, unsigned code = 0) {
  query[2] |= std::byte{0x80};
  query[3] = static_cast<std::byte>(code);
  return query;
}

/// A name server of one question over UDP, which does with it what it is told.
class Server {
 public:
  using Does = std::function<void(udp::socket& socket, const Bytes& query, const udp::endpoint& asker)>;
  explicit Server(Does does)
      : socket_(loop_, udp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
        port_(socket_.local_endpoint().port()),
        thread_([this, does = std::move(does)] {
          Bytes query(512);
          udp::endpoint asker;
          query.resize(socket_.receive_from(boost::asio::buffer(query), asker));
          if (!query.empty()) does(socket_, query, asker);
        }) {}
  ~Server() {
    udp::socket last(loop_, udp::v4());  // one that was never asked ends all the same
    boost::system::error_code ignored;
    last.send_to(boost::asio::buffer("", 0), udp::endpoint(boost::asio::ip::address_v4::loopback(), port_), 0, ignored);
    thread_.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  [[nodiscard]] config::Endpoint at() const {
    return {.host = boost::asio::ip::address_v4::loopback(), .port = config::Port{port_}};
  }

 private:
  boost::asio::io_context loop_;
  udp::socket socket_;
  std::uint16_t port_;
  std::thread thread_;
};

Server::Does says(unsigned code) {
  return [code](udp::socket& socket, const Bytes& query, const udp::endpoint& asker) {
    socket.send_to(boost::asio::buffer(as_answer(query, code)), asker);
  };
}

TEST(DiscoveryExchange, an_answer_comes_back_whole) {
  Server server(says(0));
  const auto answer = ask({server.at()}, "a.example", kTypeA, kPatient);
  ASSERT_TRUE(answer.has_value()) << answer.error().text();
  EXPECT_EQ(answer->size(), 12U + 11U + 4U);
}

TEST(DiscoveryExchange, a_name_that_is_not_there_is_an_answer) {
  Server server(says(3));
  EXPECT_TRUE(ask({server.at()}, "a.example", kTypeA, kPatient).has_value());
}

TEST(DiscoveryExchange, what_has_another_id_or_question_is_passed_over) {
  Server server([](udp::socket& socket, const Bytes& query, const udp::endpoint& asker) {
    Bytes other_id = as_answer(query);
    other_id[0] ^= std::byte{1};
    Bytes other_name = as_answer(query);
    other_name[13] ^= std::byte{1};
    Bytes right = as_answer(query);
    right.push_back(std::byte{0x77});
    for (const Bytes& message : {other_id, other_name, query, Bytes{std::byte{1}}, right})
      socket.send_to(boost::asio::buffer(message), asker);
  });
  const auto answer = ask({server.at()}, "a.example", kTypeA, kPatient);
  ASSERT_TRUE(answer.has_value()) << answer.error().text();
  EXPECT_EQ(answer->back(), std::byte{0x77});
}

TEST(DiscoveryExchange, what_comes_from_elsewhere_is_passed_over) {
  Server server([](udp::socket& socket, const Bytes& query, const udp::endpoint& asker) {
    udp::socket stranger(socket.get_executor(), udp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    Bytes forged = as_answer(query);
    forged.push_back(std::byte{0xff});
    stranger.send_to(boost::asio::buffer(forged), asker);
    socket.send_to(boost::asio::buffer(as_answer(query)), asker);
  });
  const auto answer = ask({server.at()}, "a.example", kTypeA, kPatient);
  ASSERT_TRUE(answer.has_value()) << answer.error().text();
  EXPECT_NE(answer->back(), std::byte{0xff}) << "it took a stranger's answer";
}

TEST(DiscoveryExchange, what_does_not_fit_a_datagram_comes_over_tcp) {
  boost::asio::io_context loop;
  // The same port for both.
  tcp::acceptor acceptor(loop);
  Server server([&](udp::socket& socket, const Bytes& query, const udp::endpoint& asker) {
    acceptor.open(tcp::v4());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.bind({socket.local_endpoint().address(), socket.local_endpoint().port()});
    acceptor.listen();
    Bytes cut = as_answer(query);
    cut[2] |= std::byte{2};
    socket.send_to(boost::asio::buffer(cut), asker);
    tcp::socket stream = acceptor.accept();
    Bytes framed(2 + query.size());
    boost::asio::read(stream, boost::asio::buffer(framed));
    Bytes message = as_answer(Bytes(framed.begin() + 2, framed.end()));
    message.resize(40'000);
    Bytes sent{static_cast<std::byte>(message.size() >> 8U), static_cast<std::byte>(message.size())};
    sent.insert(sent.end(), message.begin(), message.end());
    boost::asio::write(stream, boost::asio::buffer(sent));
  });
  const auto answer = ask({server.at()}, "a.example", kTypeA, kPatient);
  ASSERT_TRUE(answer.has_value()) << answer.error().text();
  EXPECT_EQ(answer->size(), 40'000U);
}

TEST(DiscoveryExchange, the_next_server_is_asked_where_one_fails) {
  Server fails(says(2));
  Server answers(says(0));
  EXPECT_TRUE(ask({fails.at(), answers.at()}, "a.example", kTypeA, kPatient).has_value());
  Server refuses(says(5));
  const auto refused = ask({refuses.at()}, "a.example", kTypeA, kPatient);
  ASSERT_TRUE(refused.has_error());
  EXPECT_THAT(refused.error().text(), HasSubstr("the name server says REFUSED"));
}

TEST(DiscoveryExchange, a_server_that_does_not_answer_is_waited_for_so_long) {
  Server silent([](udp::socket&, const Bytes&, const udp::endpoint&) {});
  const auto answer = ask({silent.at()}, "a.example", kTypeA, kHasty);
  ASSERT_TRUE(answer.has_error());
  EXPECT_THAT(answer.error().text(), HasSubstr("no answer in time"));
  EXPECT_THAT(answer.error().text(), HasSubstr("a.example at 127.0.0.1:"));
}

TEST(DiscoveryExchange, the_servers_of_a_resolv_conf_are_the_first_three) {
  const auto servers = name_servers_of(
      "# nameserver 10.0.0.9\nsearch example.org\nnameserver 10.0.0.1\n  nameserver\t2001:db8::1 \nnameserver x\n"
      "nameserver\noptions nameserver 10.0.0.8\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n");
  ASSERT_EQ(servers.size(), 3U);
  EXPECT_EQ(config::show_endpoint(servers[0].host, servers[0].port), "10.0.0.1:53");
  EXPECT_EQ(config::show_endpoint(servers[1].host, servers[1].port), "[2001:db8::1]:53");
  EXPECT_EQ(config::show_endpoint(servers[2].host, servers[2].port), "10.0.0.2:53");
}

}  // namespace
}  // namespace astil::discovery
