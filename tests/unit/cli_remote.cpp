// `astil --server`: a daemon elsewhere, by TLS and with a token.
#include <sys/stat.h>

#include "tests/unit/cli_commands.hpp"
#include "tests/unit/tls_identity.hpp"

namespace astil::cli {
namespace {

class RemoteCommands : public test::Commands {
 protected:
  RemoteCommands() {
    write("token", kToken + "\n");
    write("tokens", "deploy operator " + kToken + "\n");
    ::chmod((folder / "tokens").c_str(), 0600);
    ::chmod(identity.private_key().c_str(), 0600);
  }

  test::Outcome ask_remote(std::vector<std::string> words, const std::string& host = "127.0.0.1",
                           const std::string& ca = {}) {
    api::ServerOptions options;
    options.remote = api::RemoteOptions{
        .endpoint = {test::ip_of("127.0.0.1"), 0},
        .files = {.certificate = identity.certificate(), .key = identity.private_key(), .tokens = folder / "tokens"}};
    test::RunningServer server(daemon, options);
    words.insert(words.end(), {"--server", host + ":" + std::to_string(server.remote().port), "--token-file",
                               folder / "token", "--ca", ca.empty() ? identity.certificate() : ca});
    return run_words(words, "");
  }

  const std::string kToken = "operator-0123456789abcdef01234567";
  test::TlsIdentity identity{"IP:127.0.0.1"};
};

TEST_F(RemoteCommands, all_commands_work_as_with_the_daemon_of_this_host) {
  EXPECT_NE(ask_remote({"status"}).out.find("astil main"), std::string::npos);
  daemon.drains_view = api::DrainsView{{{.service = "web", .backend = "b1", .admin = api::AdminState::drain}}};
  EXPECT_EQ(ask_remote({"backend", "drain", "b1"}).code, kDone);
  EXPECT_EQ(daemon.ordered_by, "token deploy");
  daemon.events_to_come->waiting = {test::sample_event(7)};
  daemon.events_to_come->behind = true;
  EXPECT_NE(ask_remote({"events", "--follow"}).out.find("up to down"), std::string::npos);
}

TEST_F(RemoteCommands, a_server_that_is_not_to_be_trusted_is_not_asked) {
  const test::TlsIdentity stranger("IP:127.0.0.1");
  auto outcome = ask_remote({"status"}, "127.0.0.1", stranger.certificate());
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_NE(outcome.err.find("is not to be trusted: self-signed certificate"), std::string::npos) << outcome.err;
  outcome = ask_remote({"status"}, "localhost");
  EXPECT_NE(outcome.err.find("is not to be trusted"), std::string::npos) << outcome.err;
}

TEST_F(RemoteCommands, a_wrong_token_is_told) {
  write("token", "another-0123456789abcdef012345678\n");
  const auto outcome = ask_remote({"status"});
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_NE(outcome.err.find("a token that is known is needed"), std::string::npos) << outcome.err;
}

TEST_F(RemoteCommands, what_makes_no_sense_is_said_first) {
  const std::string token = folder / "token";
  write("empty", "\n");
  for (const auto& [words, said] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"status", "--server", "a:1"}, "--server needs --token-file"},
           {{"status", "--token-file", token}, "--token-file needs --server"},
           {{"status", "--ca", "x"}, "--ca needs --server"},
           {{"status", "--server", "a:1", "--token-file", token, "--instance", "x"}, "makes no sense"},
           {{"status", "--server", "a:1", "--token-file", folder / "none"}, "--token-file"},
           {{"status", "--server", "a:1", "--token-file", folder / "empty"}, "does not hold a token"},
           {{"status", "--server", "a", "--token-file", token}, "is not a host with a port"},
           {{"status", "--server", "2001:db8::5:80", "--token-file", token}, "is not a host with a port"}}) {
    const auto outcome = run_words(words, "");
    EXPECT_NE(outcome.code, kDone);
    EXPECT_NE(outcome.err.find(said), std::string::npos) << outcome.err;
  }
}

}  // namespace
}  // namespace astil::cli
