// The server on real sockets: what a client, and what an enemy, gets.
#include "control/api/server.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <boost/asio/ip/tcp.hpp>
#include <fstream>

#include "tests/unit/api_fake.hpp"

namespace astil::api {
namespace {

using boost::asio::ip::tcp;
using test::FakeDaemon;
using test::RunningServer;
using test::talk;
using test::TemporaryFolder;
using test::UnixClient;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

const std::string kGetStatus = "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

UnixClient connect(const RunningServer& server) {
  return UnixClient{boost::asio::local::stream_protocol::endpoint(server.socket())};
}

std::string post(const std::string& path, const std::string& body) {
  return "POST " + path +
         " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

TEST(ApiServer, answers_on_the_unix_socket) {
  FakeDaemon daemon;
  RunningServer server(daemon);
  const auto reply = talk(server.socket(), kGetStatus);
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(reply, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(reply, HasSubstr(R"("instance":"main")"));
}

TEST(ApiServer, keeps_a_connection_for_the_next_request) {
  FakeDaemon daemon;
  RunningServer server(daemon);
  auto client = connect(server);
  client.send("GET /v1/version HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.receive_until("}\n"), StartsWith("HTTP/1.1 200"));
  client.send(kGetStatus);
  EXPECT_THAT(client.receive_all(), StartsWith("HTTP/1.1 200"));
}

TEST(ApiServer, answers_others_while_a_long_list_is_gathered) {
  FakeDaemon daemon;
  daemon.more_flows = [&daemon] { return daemon.drops_asked == 0; };
  RunningServer server(daemon);
  auto patient = connect(server);
  patient.send("GET /v1/flows HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(talk(server.socket(), "GET /v1/drops HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(patient.receive_all(), HasSubstr(R"("matched":0)"));
}

const std::string kFollow = "GET /v1/drops/follow HTTP/1.1\r\nHost: x\r\n\r\n";

TEST(ApiServer, sends_lines_as_they_come_to_several_followers) {
  FakeDaemon daemon;
  daemon.drop_events->first = {test::sample_drop()};
  RunningServer server(daemon);
  auto one = connect(server);
  auto other = connect(server);
  for (auto* client : {&one, &other}) {
    client->send(kFollow);
    const auto begin = client->receive_until("\"lost\":0}\n\r\n");
    EXPECT_THAT(begin, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(begin, HasSubstr("Transfer-Encoding: chunked\r\n"));
    EXPECT_THAT(begin, HasSubstr(R"("reason":"no_backend","service":"web")"));
  }
  auto late = test::sample_drop();
  late.reason = "ttl_expired";
  server.on_loop([&] { daemon.drop_events->publish(late); });
  for (auto* client : {&one, &other}) EXPECT_THAT(client->receive_until("\n\r\n"), HasSubstr("ttl_expired"));
}

TEST(ApiServer, lets_go_of_a_follower_that_leaves) {
  FakeDaemon daemon;
  auto left = daemon.drop_events->all_left.emplace().get_future();
  RunningServer server(daemon);
  {
    auto leaving = connect(server);
    leaving.send(kFollow);
    leaving.receive_until("\r\n\r\n");
  }
  left.wait();
}

TEST(ApiServer, answers_others_while_a_follower_takes_nothing) {
  FakeDaemon daemon;
  daemon.drop_events->first.assign(100'000, test::sample_drop());  // more than the socket's buffers hold
  RunningServer server(daemon);
  auto stopped = connect(server);
  stopped.send(kFollow);
  stopped.receive_until("\r\n\r\n");
  EXPECT_THAT(talk(server.socket(), kGetStatus), StartsWith("HTTP/1.1 200"));
}

TEST(ApiServer, ends_followers_at_its_end) {
  FakeDaemon daemon;
  RunningServer server(daemon);
  auto follower = connect(server);
  follower.send(kFollow);
  follower.receive_until("\r\n\r\n");
  server.stop();
  EXPECT_THAT(follower.receive_all(), IsEmpty());
}

const std::string kCapture = "GET /v1/capture HTTP/1.1\r\nHost: x\r\n\r\n";

TEST(ApiServer, sends_a_capture_until_it_ends) {
  FakeDaemon daemon;
  daemon.captured->bytes = "begin";
  daemon.captured->at_end = "end";
  RunningServer server(daemon);
  auto client = connect(server);
  client.send(kCapture);
  EXPECT_THAT(client.receive_until("begin\r\n"), HasSubstr("Content-Type: application/x-pcapng\r\n"));
  server.on_loop([&] { daemon.captured->add("packet"); });
  EXPECT_EQ(client.receive_until("packet\r\n"), "6\r\npacket\r\n");
  server.on_loop([&] { daemon.captured->end(); });
  EXPECT_EQ(client.receive_all(), "3\r\nend\r\n0\r\n\r\n");
}

TEST(ApiServer, ends_a_capture_whose_client_wants_no_more_and_sends_its_end) {
  FakeDaemon daemon;
  daemon.captured->bytes = "begin";
  daemon.captured->at_end = "end";
  RunningServer server(daemon);
  auto client = connect(server);
  client.send(kCapture);
  client.receive_until("begin\r\n");
  client.finish();
  EXPECT_EQ(client.receive_all(), "3\r\nend\r\n0\r\n\r\n");
}

TEST(ApiServer, lets_go_of_a_capture_whose_client_leaves) {
  FakeDaemon daemon;
  auto left = daemon.captured->left.emplace().get_future();
  RunningServer server(daemon);
  {
    auto leaving = connect(server);
    leaving.send(kCapture);
    leaving.receive_until("\r\n\r\n");
  }
  left.wait();
  EXPECT_TRUE(daemon.captured->ended);
}

TEST(ApiServer, takes_a_configuration) {
  FakeDaemon daemon;
  RunningServer server(daemon);
  EXPECT_THAT(talk(server.socket(), post("/v1/apply?file=a.yaml", "services: []")), StartsWith("HTTP/1.1 200"));
  server.stop();
  EXPECT_EQ(daemon.applied.yaml, "services: []");
  EXPECT_EQ(daemon.applied.file, "a.yaml");
}

TEST(ApiServer, ends_the_daemon_after_the_answer_to_detach) {
  FakeDaemon daemon;
  RunningServer server(daemon);
  EXPECT_THAT(talk(server.socket(), post("/v1/detach", "")), StartsWith("HTTP/1.1 200"));
  daemon.ended.get_future().wait();
}

TEST(ApiServer, names_the_method_that_a_path_takes) {
  FakeDaemon daemon;
  RunningServer server(daemon);
  const auto reply = talk(server.socket(), post("/v1/status", ""));
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(reply, HasSubstr("Allow: GET\r\n"));
}

TEST(ApiServer, refuses_a_header_beyond_the_limit) {
  FakeDaemon daemon;
  RunningServer server(daemon);
  EXPECT_THAT(talk(server.socket(), "GET / HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
}

TEST(ApiServer, refuses_a_body_beyond_the_limit_and_tells_so) {
  FakeDaemon daemon;
  ServerOptions options;
  options.body_limit = 1000;
  RunningServer server(daemon, options);
  EXPECT_THAT(talk(server.socket(), post("/v1/apply", std::string(4'000'000, 'x'))), StartsWith("HTTP/1.1 413"));
  server.stop();
  EXPECT_EQ(daemon.applied.yaml, "");
}

TEST(ApiServer, refuses_a_chunked_body_beyond_the_limit) {
  FakeDaemon daemon;
  ServerOptions options;
  options.body_limit = 4;
  RunningServer server(daemon, options);
  EXPECT_THAT(talk(server.socket(),
                   "POST /v1/apply HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"),
              StartsWith("HTTP/1.1 413"));
}

TEST(ApiServer, refuses_what_is_not_http) {
  FakeDaemon daemon;
  RunningServer server(daemon);
  EXPECT_THAT(talk(server.socket(), "\x16\x03\x01\x02 hello\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(talk(server.socket(), "GET /v1/status HTTP/1.1\r\nContent-Length: many\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
}

TEST(ApiServer, cuts_off_a_client_that_never_finishes_its_request) {
  FakeDaemon daemon;
  ServerOptions options;
  options.request_timeout = std::chrono::milliseconds(20);
  RunningServer server(daemon, options);
  EXPECT_THAT(talk(server.socket(), "GET /v1/status HTTP/1.1\r\nHost:"), IsEmpty());
  EXPECT_THAT(talk(server.socket(), ""), IsEmpty());
}

TEST(ApiServer, survives_a_client_that_leaves_in_the_middle) {
  FakeDaemon daemon;
  RunningServer server(daemon);
  {
    auto leaving = connect(server);
    leaving.send("POST /v1/apply HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf");
  }
  EXPECT_THAT(talk(server.socket(), kGetStatus), StartsWith("HTTP/1.1 200"));
}

TEST(ApiServer, lets_a_client_beyond_the_limit_wait_until_one_at_work_leaves) {
  FakeDaemon daemon;
  ServerOptions options;
  options.max_connections = 1;
  RunningServer server(daemon, options);
  auto first = connect(server);
  first.send(kFollow);
  first.receive_until("\r\n\r\n");
  auto second = connect(server);
  second.send(kGetStatus);
  auto late = test::sample_drop();
  late.reason = "ttl_expired";
  server.on_loop([&] { daemon.drop_events->publish(late); });
  EXPECT_THAT(first.receive_until("\n\r\n"), HasSubstr("ttl_expired"));
  EXPECT_FALSE(second.has_input());
  first.close();
  EXPECT_THAT(second.receive_all(), StartsWith("HTTP/1.1 200"));
}

TEST(ApiServer, closes_the_silent_client_of_longest_standing_for_one_beyond_the_limit) {
  FakeDaemon daemon;
  ServerOptions options;
  options.max_connections = 2;
  options.request_timeout = std::chrono::hours(1);
  RunningServer server(daemon, options);
  auto silent = connect(server);
  auto kept = connect(server);
  const std::string keep = "GET /v1/version HTTP/1.1\r\nHost: x\r\n\r\n";
  kept.send(keep);
  kept.receive_until("}\n");
  EXPECT_THAT(talk(server.socket(), kGetStatus), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(silent.receive_all(), IsEmpty());
  kept.send(keep);
  kept.receive_until("}\n");
}

TEST(ApiServer, only_reads_over_tcp) {
  FakeDaemon daemon;
  ServerOptions options;
  options.tcp = Endpoint{test::ip_of("127.0.0.1"), 0};
  RunningServer server(daemon, options);
  const tcp::endpoint endpoint(server.tcp().address, server.tcp().port);
  const auto ask = [&](const std::string& bytes) {
    test::RawClient<tcp> client(endpoint);
    client.send(bytes);
    return client.receive_all();
  };
  EXPECT_THAT(ask("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), HasSubstr("astil_build_info"));
  EXPECT_THAT(ask(post("/v1/detach", "")), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask(post("/v1/apply", "services: []")), StartsWith("HTTP/1.1 413"));
  // More than the socket's buffers hold: the answer must reach a client that is still sending.
  EXPECT_THAT(ask(post("/v1/apply", std::string(8'000'000, 'x'))), StartsWith("HTTP/1.1 413"));
  server.stop();
  EXPECT_EQ(daemon.detaches, 0);
  EXPECT_EQ(daemon.applied.yaml, "");
}

TEST(ApiServer, closes_its_connections_and_removes_its_socket_at_the_end) {
  FakeDaemon daemon;
  RunningServer server(daemon);
  auto idle = connect(server);
  idle.send("GET /v1/version HTTP/1.1\r\nHost: x\r\n\r\n");
  idle.receive_until("}\n");
  server.stop();
  EXPECT_THAT(idle.receive_all(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(server.socket()));
}

// The socket's file.

class ApiSocket : public testing::Test {
 protected:
  Result<std::unique_ptr<Server>> start(const std::string& path) {
    ServerOptions options;
    options.socket = path;
    return Server::start(loop, daemon, options);
  }

  TemporaryFolder folder;
  boost::asio::io_context loop;
  FakeDaemon daemon;
};

TEST_F(ApiSocket, is_for_owner_and_group_only_in_a_folder_that_is_made) {
  const auto server = start(folder / "a/b/astil.sock");
  ASSERT_TRUE(server);
  struct stat found {};
  ASSERT_EQ(::stat((folder / "a/b/astil.sock").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0660U);
}

TEST_F(ApiSocket, replaces_one_that_a_dead_daemon_left) {
  const auto path = folder / "astil.sock";
  {
    boost::asio::local::stream_protocol::acceptor dead(loop, path);  // closes, and leaves the file
  }
  ASSERT_TRUE(std::filesystem::exists(path));
  EXPECT_TRUE(start(path));
}

TEST_F(ApiSocket, never_takes_one_of_a_live_daemon) {
  const auto path = folder / "astil.sock";
  const auto first = start(path);
  ASSERT_TRUE(first);
  const auto second = start(path);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().what, HasSubstr("another daemon listens there"));
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(ApiSocket, never_replaces_a_file_of_another_kind) {
  const auto path = folder / "astil.sock";
  std::ofstream(path) << "precious";
  EXPECT_FALSE(start(path));
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(ApiSocket, is_left_alone_at_the_end_when_it_is_another_daemons_by_then) {
  const auto path = folder / "astil.sock";
  auto first = start(path);
  ASSERT_TRUE(first);
  std::filesystem::remove(path);
  const auto second = start(path);
  ASSERT_TRUE(second);
  first->reset();
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(ApiSocket, of_too_long_a_path_is_an_error) {
  const auto server = start(folder / std::string(120, 'x'));
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().remedy, Not(IsEmpty()));
}

TEST_F(ApiSocket, is_made_again_when_somebody_removes_its_file) {
  ServerOptions options;
  options.socket = folder / "astil.sock";
  options.listen_interval = std::chrono::milliseconds(1);
  const auto server = Server::start(loop, daemon, options);
  ASSERT_TRUE(server);
  std::filesystem::remove(options.socket);
  while (!std::filesystem::exists(options.socket)) loop.run_one();
  UnixClient client{boost::asio::local::stream_protocol::endpoint(options.socket)};
  const auto listeners = (*server)->listeners();
  ASSERT_EQ(listeners.size(), 1U);
  EXPECT_EQ(listeners[0].where, options.socket);
  EXPECT_EQ(listeners[0].failure, "");
  EXPECT_EQ(listeners[0].failures, 1U);
}

TEST_F(ApiSocket, of_tcp_that_is_taken_is_told_and_tried_until_it_is_free) {
  tcp::acceptor taken(loop, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  ServerOptions options;
  options.socket = folder / "astil.sock";
  options.tcp = Endpoint{taken.local_endpoint().address(), taken.local_endpoint().port()};
  options.listen_interval = std::chrono::milliseconds(1);
  const auto server = Server::start(loop, daemon, options);
  ASSERT_TRUE(server);
  EXPECT_FALSE((*server)->tcp_endpoint());
  ASSERT_EQ((*server)->listeners().size(), 2U);
  EXPECT_THAT((*server)->listeners()[1].failure, HasSubstr("metrics endpoint 127.0.0.1 port "));
  taken.close();
  while (!(*server)->tcp_endpoint()) loop.run_one();
  EXPECT_EQ((*server)->listeners()[1].failure, "");
  EXPECT_GE((*server)->listeners()[1].failures, 1U);
}

}  // namespace
}  // namespace astil::api
