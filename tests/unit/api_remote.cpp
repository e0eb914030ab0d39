// The API over the network: TLS, tokens and roles, and what an enemy gets.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <fstream>

#include "control/api/pacer.hpp"
#include "control/api/tokens.hpp"
#include "tests/unit/api_fake.hpp"
#include "tests/unit/tls_identity.hpp"

namespace astil::api {
namespace {

namespace ssl = boost::asio::ssl;
using boost::asio::ip::tcp;
using boost::system::error_code;
using test::FakeDaemon;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

const std::string kReader = "reader-0123456789abcdef0123456789";
const std::string kOperator = "operator-0123456789abcdef01234567";

void write_private(const std::string& file, const std::string& text) {
  std::ofstream(file) << text;
  ::chmod(file.c_str(), 0600);
}

// Tokens.

std::string mistake_in(const std::string& text) {
  const auto tokens = Tokens::parse(text, "tokens");
  return tokens ? "" : tokens.error().text();
}

TEST(ApiTokens, each_line_is_a_name_a_role_and_a_token) {
  const auto tokens =
      Tokens::parse("# who may\n\ngrafana read-only " + kReader + "\r\n  deploy\toperator " + kOperator, "tokens");
  ASSERT_TRUE(tokens);
  ASSERT_EQ(tokens->size(), 2U);
  EXPECT_EQ(tokens->find(kReader)->name, "grafana");
  EXPECT_EQ(tokens->find(kReader)->access, Access::read);
  EXPECT_EQ(tokens->find(kOperator)->access, Access::everything);
  for (const std::string& other : {std::string(), kReader + "x", kReader.substr(1), std::string("deploy")})
    EXPECT_EQ(tokens->find(other), nullptr) << other;
}

TEST(ApiTokens, a_mistake_is_told_with_its_line_and_without_the_token) {
  EXPECT_THAT(mistake_in("a read-only " + kReader + "\nb admin " + kOperator),
              StartsWith("tokens:2: the second word is not a role; use read-only or operator"));
  EXPECT_THAT(mistake_in("a read-only"), StartsWith("tokens:1: a line has a name, a role and a token"));
  EXPECT_THAT(mistake_in("a read-only " + kReader + " more"), StartsWith("tokens:1: a line has"));
  EXPECT_THAT(mistake_in("a read-only short"), StartsWith("tokens:1: the token has fewer than 32"));
  EXPECT_THAT(mistake_in("a read-only " + std::string(32, '\x80')), HasSubstr("others than letters"));
  EXPECT_THAT(mistake_in("a read-only " + kReader + "\na operator " + kOperator), HasSubstr("the name stands twice"));
  EXPECT_THAT(mistake_in("a read-only " + kReader + "\nb operator " + kReader), HasSubstr("another name's already"));
  EXPECT_THAT(mistake_in("b$ operator " + kReader), HasSubstr("the name has other characters"));
  EXPECT_THAT(mistake_in("# nothing\n"), HasSubstr("has no token"));
  EXPECT_THAT(mistake_in("a admin " + kOperator), Not(HasSubstr(kOperator)));
}

TEST(ApiTokens, a_file_that_others_can_read_is_refused) {
  const test::TemporaryFolder folder;
  const std::string file = folder / "tokens";
  write_private(file, "a operator " + kOperator);
  EXPECT_TRUE(Tokens::load(file));
  ::chmod(file.c_str(), 0640);
  const auto refused = Tokens::load(file);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().remedy, "chmod 600 " + file);
  EXPECT_FALSE(Tokens::load(folder / "none"));
  EXPECT_FALSE(Tokens::load(folder / "."));
}

TEST(ApiTokens, the_scheme_of_the_field_is_bearer_in_any_case) {
  EXPECT_EQ(bearer_of("Bearer abc"), "abc");
  EXPECT_EQ(bearer_of("bEARER   abc "), "abc");
  for (const char* field : {"", "Bearer", "Bearer ", "Basic abc", "abc", "Bearerabc"})
    EXPECT_EQ(bearer_of(field), "") << field;
}

TEST(ApiPacer, so_many_at_once_and_then_one_in_each_interval) {
  using namespace std::chrono_literals;
  Pacer pacer(20ms, 3);
  const Pacer::Clock::time_point now{1h};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pacer.take(now), 0ms);
  EXPECT_EQ(pacer.take(now), 20ms);
  EXPECT_EQ(pacer.take(now + 20ms), 20ms);
  EXPECT_EQ(pacer.take(now + 1h), 0ms);
}

// The listener.

class Remote : public testing::Test {
 protected:
  Remote() {
    write_private(tokens, "grafana read-only " + kReader + "\ndeploy operator " + kOperator + "\n");
    options.remote = RemoteOptions{
        .endpoint = {test::ip_of("127.0.0.1"), 0},
        .files = {.certificate = identity.certificate(), .key = identity.private_key(), .tokens = tokens}};
    options.listen_interval = std::chrono::milliseconds(1);
    ::chmod(identity.private_key().c_str(), 0600);
  }

  /// A connection by TLS, or what there is of one.
  class Client {
   public:
    explicit Client(const Endpoint& to) {
      context_.set_options(ssl::context::default_workarounds);
      stream_.next_layer().connect(tcp::endpoint(to.address, to.port));
    }
    error_code shake_hands() {
      error_code failed;
      stream_.handshake(ssl::stream_base::client, failed);
      return failed;
    }
    void send(const std::string& bytes) {
      error_code ignored;
      boost::asio::write(stream_, boost::asio::buffer(bytes), ignored);
    }
    std::string receive_all() {
      std::string received;
      error_code end;
      boost::asio::read(stream_, boost::asio::dynamic_buffer(received), end);
      return received;
    }
    std::string receive_until(const std::string& mark) {
      std::string received;
      while (received.find(mark) == std::string::npos) {
        char byte = 0;
        boost::asio::read(stream_, boost::asio::buffer(&byte, 1));
        received += byte;
      }
      return received;
    }
    ssl::stream<tcp::socket>& stream() { return stream_; }

   private:
    boost::asio::io_context loop_;
    ssl::context context_{ssl::context::tls_client};
    ssl::stream<tcp::socket> stream_{loop_, context_};
  };

  static std::string request(const std::string& line, const std::string& token, const std::string& body = {}) {
    return line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" +
           (token.empty() ? "" : "Authorization: Bearer " + token + "\r\n") +
           (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" + body;
  }
  std::string ask(const std::string& bytes) {
    Client client(server->remote());
    EXPECT_FALSE(client.shake_hands());
    client.send(bytes);
    return client.receive_all();
  }
  void start() { server.emplace(daemon, options); }
  /// What the listener of the network says of itself.
  std::string failure() { return server->listeners().back().failure; }

  test::TlsIdentity identity{"DNS:lb1.example.com,IP:127.0.0.1"};
  test::TemporaryFolder folder;
  const std::string tokens = folder / "tokens";
  FakeDaemon daemon;
  ServerOptions options;
  std::optional<test::RunningServer> server;
};

TEST_F(Remote, who_shows_no_valid_token_gets_nothing) {
  start();
  for (const std::string& token : {std::string(), std::string("wrong"), kReader + "x"}) {
    const std::string answer = ask(request("GET /v1/version", token));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 401"));
    EXPECT_THAT(answer, HasSubstr("WWW-Authenticate: Bearer realm=\"astil\"\r\n"));
  }
  EXPECT_EQ(server->view().no_token, 3U);
}

TEST_F(Remote, read_only_reads_and_an_operator_changes) {
  start();
  EXPECT_THAT(ask(request("GET /v1/status", kReader)), HasSubstr(R"("instance":"main")"));
  EXPECT_THAT(ask(request("GET /metrics", kReader)), HasSubstr("astil_build_info"));
  const std::string drain = "POST /v1/backends/drain?backend=b1";
  const std::string refused = ask(request(drain, kReader));
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(refused, HasSubstr("needs the role operator, and token grafana has read-only"));
  EXPECT_THAT(ask(request("GET /v1/capture", kReader)), StartsWith("HTTP/1.1 403"));
  EXPECT_TRUE(daemon.orders.empty());
  EXPECT_THAT(ask(request(drain, kOperator)), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(daemon.ordered_by, "token deploy");
  EXPECT_THAT(ask(request("POST /v1/apply", kOperator, "services: {}")), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(daemon.applied.yaml, "services: {}");
  EXPECT_EQ(daemon.applied.by.token, "deploy");
  const ApiView view = server->view();
  EXPECT_EQ(view.changes_ok, 2U);
  EXPECT_EQ(view.changes_refused, 1U);
  EXPECT_EQ(view.forbidden, 2U);
}

TEST_F(Remote, a_change_is_asked_for_by_post_only) {
  start();
  EXPECT_THAT(ask(request("GET /v1/detach", kOperator)), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(ask(request("PUT /v1/apply", kOperator)), StartsWith("HTTP/1.1 405"));
  EXPECT_EQ(daemon.detaches, 0);
}

TEST_F(Remote, every_change_is_logged_with_who_what_and_result) {
  start();
  testing::internal::CaptureStderr();
  ask(request("POST /v1/backends/drain?backend=b1", kOperator));
  ask(request("POST /v1/detach", kReader));
  ask(request("GET /v1/status", kReader));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("change asked for by=\"token deploy\" from=127.0.0.1:"));
  EXPECT_THAT(log, HasSubstr("method=POST target=\"/v1/backends/drain?backend=b1\" status=200"));
  EXPECT_THAT(log, HasSubstr("by=\"token grafana\""));
  EXPECT_THAT(log, HasSubstr("target=/v1/detach status=403"));
  EXPECT_THAT(log, Not(HasSubstr("/v1/status")));
  EXPECT_THAT(log, Not(HasSubstr(kOperator)));
}

TEST_F(Remote, of_one_who_may_change_nothing_no_body_is_read) {
  options.body_limit = 1000;
  start();
  const std::string body(900, 'x');
  EXPECT_THAT(ask(request("POST /v1/apply", "", body)), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(ask(request("POST /v1/apply", kReader, body)), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask(request("POST /v1/apply", kOperator, std::string(5000, 'x'))), StartsWith("HTTP/1.1 413"));
  EXPECT_EQ(daemon.applied.yaml, "");
}

TEST_F(Remote, pipelined_requests_are_answered_in_order_each_by_its_own_token) {
  start();
  Client client(server->remote());
  ASSERT_FALSE(client.shake_hands());
  const std::string keep = "GET /v1/version HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ";
  client.send(keep + kReader + "\r\n\r\n" + keep + kOperator + "\r\n\r\n" + request("GET /v1/history", kReader) +
              request("POST /v1/detach", kOperator));
  const std::string answers = client.receive_all();
  std::size_t count = 0;
  for (auto at = answers.find("HTTP/1.1 200"); at != std::string::npos; at = answers.find("HTTP/1.1 200", at + 1))
    ++count;
  EXPECT_EQ(count, 3U) << answers;
  EXPECT_THAT(answers.substr(answers.rfind("\r\n\r\n")), HasSubstr("entries"));
  EXPECT_EQ(daemon.detaches, 0) << "after a request that closes the connection";
}

TEST_F(Remote, a_connection_has_a_limit_of_requests) {
  options.requests_of_connection = 2;
  start();
  const std::string keep = "GET /v1/version HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + kReader + "\r\n\r\n";
  const std::string answers = ask(keep + keep + keep);
  EXPECT_THAT(answers, HasSubstr("Connection: close\r\n"));
  EXPECT_EQ(answers.find("HTTP/1.1 200", answers.rfind("HTTP/1.1 200") + 1), std::string::npos);
}

TEST_F(Remote, huge_headers_are_refused) {
  start();
  EXPECT_THAT(ask("GET /v1/status HTTP/1.1\r\nHost: x\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
  std::string many = "GET /v1/status HTTP/1.1\r\n";
  for (int i = 0; i < 10'000; ++i) many += "a: b\r\n";
  EXPECT_THAT(ask(many + "\r\n"), StartsWith("HTTP/1.1 431"));
}

TEST_F(Remote, slow_clients_are_cut_off_in_the_handshake_and_in_the_request) {
  options.request_timeout = std::chrono::milliseconds(30);
  start();
  Client silent(server->remote());
  error_code end;
  char byte = 0;
  silent.stream().next_layer().read_some(boost::asio::buffer(&byte, 1), end);
  EXPECT_TRUE(end);
  Client slow(server->remote());
  ASSERT_FALSE(slow.shake_hands());
  slow.send("GET /v1/status HTTP/1.1\r\nHost:");
  EXPECT_THAT(slow.receive_all(), IsEmpty());
  EXPECT_EQ(server->view().failed_handshakes, 1U);
  EXPECT_EQ(server->view().timed_out, 1U);
}

TEST_F(Remote, silent_connections_do_not_keep_others_out) {
  options.max_connections = 2;
  options.request_timeout = std::chrono::hours(1);
  start();
  std::vector<std::unique_ptr<Client>> silent;
  for (int i = 0; i < 8; ++i) silent.push_back(std::make_unique<Client>(server->remote()));
  EXPECT_THAT(ask(request("GET /v1/version", kReader)), StartsWith("HTTP/1.1 200"));
}

TEST_F(Remote, followers_do_not_keep_others_out) {
  options.max_connections = 2;
  start();
  std::vector<std::unique_ptr<Client>> followers;
  for (int i = 0; i < 4; ++i) {
    followers.push_back(std::make_unique<Client>(server->remote()));
    ASSERT_FALSE(followers.back()->shake_hands());
    followers.back()->send(request("GET /v1/events", kReader));
    EXPECT_THAT(followers.back()->receive_until("events of astil"), HasSubstr("200 OK"));
  }
  EXPECT_THAT(ask(request("GET /v1/version", kOperator)), StartsWith("HTTP/1.1 200"));
  server->on_loop([&] { daemon.events_to_come->publish(test::sample_event(8)); });
  followers.back()->receive_until("id: 8\n");
}

TEST_F(Remote, a_token_that_is_taken_out_ends_what_goes_on_by_it) {
  start();
  Client client(server->remote());
  ASSERT_FALSE(client.shake_hands());
  client.send(request("GET /v1/events", kOperator));
  client.receive_until("events of astil");
  write_private(tokens, "grafana read-only " + kReader + "\n");
  client.receive_all();  // ends, or this test does not
  EXPECT_THAT(ask(request("GET /v1/version", kOperator)), StartsWith("HTTP/1.1 401"));
}

TEST_F(Remote, what_is_no_tls_or_an_old_one_gets_nothing) {
  start();
  test::RawClient<tcp> plain(tcp::endpoint(server->remote().address, server->remote().port));
  plain.send(request("GET /v1/status", kOperator));
  EXPECT_THAT(plain.receive_all(), Not(HasSubstr("HTTP")));
  Client old(server->remote());
  ::SSL_set_min_proto_version(old.stream().native_handle(), TLS1_VERSION);
  ::SSL_set_max_proto_version(old.stream().native_handle(), TLS1_1_VERSION);
  EXPECT_TRUE(old.shake_hands());
  Client weak(server->remote());
  ::SSL_set_max_proto_version(weak.stream().native_handle(), TLS1_2_VERSION);
  ::SSL_set_cipher_list(weak.stream().native_handle(), "AES128-SHA");
  EXPECT_TRUE(weak.shake_hands());
  // Its client may hear of a refusal before it is counted; once another is served, all are.
  EXPECT_THAT(ask(request("GET /v1/version", kReader)), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(server->view().failed_handshakes, 3U);
}

TEST_F(Remote, events_come_by_tls_too) {
  daemon.events_to_come->waiting = {test::sample_event(7)};
  start();
  Client client(server->remote());
  ASSERT_FALSE(client.shake_hands());
  client.send(request("GET /v1/events", kReader));
  EXPECT_THAT(client.receive_until("id: 7\n"), HasSubstr("text/event-stream"));
  server->on_loop([&] { daemon.events_to_come->publish(test::sample_event(8)); });
  client.receive_until("id: 8\n");
}

TEST_F(Remote, tokens_that_are_changed_count_at_once_and_none_while_the_file_is_wrong) {
  start();
  const std::string other = "another-0123456789abcdef012345678";
  write_private(tokens, "deploy operator " + other + "\n");
  while (ask(request("GET /v1/version", other)).starts_with("HTTP/1.1 401")) std::this_thread::yield();
  EXPECT_THAT(ask(request("GET /v1/version", kOperator)), StartsWith("HTTP/1.1 401"));
  ::chmod(tokens.c_str(), 0644);
  while (failure().empty()) std::this_thread::yield();
  EXPECT_THAT(failure(), HasSubstr("chmod 600"));
  EXPECT_THAT(ask(request("GET /v1/version", other)), StartsWith("HTTP/1.1 401"));
  ::chmod(tokens.c_str(), 0600);
  while (!failure().empty()) std::this_thread::yield();
  EXPECT_THAT(ask(request("GET /v1/version", other)), StartsWith("HTTP/1.1 200"));
}

TEST_F(Remote, a_certificate_that_is_exchanged_is_shown_to_new_connections) {
  start();
  const auto shown = [&] {
    Client client(server->remote());
    EXPECT_FALSE(client.shake_hands());
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        ::SSL_get1_peer_certificate(client.stream().native_handle()), &X509_free);
    return std::to_string(::X509_subject_name_hash(certificate.get())) +
           std::to_string(::ASN1_INTEGER_get(::X509_get0_serialNumber(certificate.get()))) +
           std::string(reinterpret_cast<const char*>(::X509_get0_pubkey_bitstr(certificate.get())->data), 65);
  };
  const std::string before = shown();
  std::ofstream(identity.private_key()) << "not a key";
  while (failure().empty()) std::this_thread::yield();
  EXPECT_EQ(shown(), before) << "the old one stays while the files are wrong";
  const test::TlsIdentity next("IP:127.0.0.1");
  std::filesystem::copy(next.certificate(), identity.certificate(), std::filesystem::copy_options::overwrite_existing);
  std::filesystem::copy(next.private_key(), identity.private_key(), std::filesystem::copy_options::overwrite_existing);
  ::chmod(identity.private_key().c_str(), 0600);
  while (!failure().empty()) std::this_thread::yield();
  EXPECT_NE(shown(), before);
}

TEST_F(Remote, where_its_files_are_wrong_it_says_so_and_tries_again_and_the_socket_answers) {
  ::chmod(identity.private_key().c_str(), 0644);
  start();
  EXPECT_THAT(failure(), HasSubstr("can be read by everybody; chmod 600"));
  EXPECT_THAT(test::talk(server->socket(), request("GET /v1/version", "")), StartsWith("HTTP/1.1 200"));
  ::chmod(identity.private_key().c_str(), 0600);
  while (!failure().empty()) std::this_thread::yield();
  EXPECT_THAT(ask(request("GET /v1/version", kReader)), StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace astil::api
