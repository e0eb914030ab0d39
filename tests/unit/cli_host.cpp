// The commands that need no daemon and look at files and the host: what they print, and their exit codes.
#include <gmock/gmock.h>

#include "control/config/load.hpp"
#include "tests/unit/cli_commands.hpp"

namespace astil::cli {
namespace {

using test::Commands;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kKeepalived = "virtual_server 192.0.2.10 80 {\n lb_kind DR\n include servers/*.conf\n alpha\n}\n";

TEST_F(Commands, import_gives_a_configuration_and_tells_of_the_rest) {
  input = kKeepalived;
  const auto without = ask_nobody({"import", "keepalived", "-"});
  EXPECT_EQ(without.code, kDone);
  EXPECT_THAT(without.err, HasSubstr("(standard input):3: include servers/*.conf: there is no such file\n"));
  EXPECT_THAT(without.err, HasSubstr("astil: 0 services and 0 backends carried over, "));

  std::filesystem::create_directory(folder / "servers");
  write("servers/b.conf", "real_server 198.51.100.2 80 {\n}\n");
  write("servers/a.conf", "real_server 198.51.100.1 80 {\n}\n");
  const auto outcome = ask_nobody({"import", "keepalived", write("keepalived.conf", kKeepalived)});
  EXPECT_EQ(outcome.code, kDone);
  const auto model = config::load(outcome.out, "imported.yaml");
  ASSERT_TRUE(model.has_value()) << outcome.out;
  EXPECT_EQ(model->services.at(0).backends.size(), 2U);
  EXPECT_EQ(model->services.at(0).backends.at(0).host.to_string(), "198.51.100.1");
  EXPECT_THAT(outcome.err, HasSubstr("keepalived.conf:4: alpha: backends are up"));
}

TEST_F(Commands, import_gives_findings_as_json_too) {
  input = "-A -f 1 -s rr\n";
  const auto outcome = ask_nobody({"import", "ipvsadm", "-", "-o", "json"});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(outcome.out, HasSubstr(R"json("services":0,"backends":0,"findings":[{"file":"(standard input)")json"));
  EXPECT_THAT(outcome.out,
              HasSubstr(R"json("line":1,"what":"-A -f 1 -s rr","why":"left out: packets have no marks)json"));
}

TEST_F(Commands, import_needs_a_format_and_a_file) {
  EXPECT_EQ(ask_nobody({"import", "haproxy", "x"}).err,
            "astil: 'haproxy' is not a format; use keepalived or ipvsadm\n");
  EXPECT_EQ(ask_nobody({"import", "keepalived"}).err, "astil: import keepalived needs a FILE; see astil help import\n");
  EXPECT_EQ(ask_nobody({"import", "keepalived", "a", "b"}).code, kInvalid);
  EXPECT_EQ(ask_nobody({"import", "keepalived", folder / "none"}).code, kInvalid);
}

constexpr const char* kConfiguration =
    "interfaces: [no-such-one]\nservices: {web: {address: 192.0.2.10, port: 80, backends: {b: {address: "
    "198.51.100.1}}}}\n";

TEST_F(Commands, doctor_says_what_is_wrong_and_what_to_do) {
  const auto outcome = ask_nobody({"doctor", write("astil.yaml", kConfiguration)});
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_THAT(outcome.out,
              HasSubstr("wrong  interface no-such-one: does not exist\n       next: 'ip link' lists those that do\n"));
  const auto json = ask_nobody({"doctor", folder / "astil.yaml", "-o", "json"});
  EXPECT_EQ(json.code, kRefused);
  EXPECT_THAT(json.out, StartsWith(R"({"ok":false,"findings":[{"about":"kernel","ok":)"));
}

TEST_F(Commands, doctor_of_a_file_with_mistakes_tells_them) {
  const auto outcome = ask_nobody({"doctor", write("astil.yaml", "interfaces: []\n")});
  EXPECT_EQ(outcome.code, kInvalid);
  EXPECT_THAT(outcome.err, HasSubstr("astil.yaml:1:"));
  EXPECT_THAT(ask_nobody({"doctor", folder / "none.yaml"}).err, HasSubstr("name the configuration: astil doctor FILE"));
}

TEST_F(Commands, doctor_of_a_backend_looks_for_its_address) {
  EXPECT_THAT(ask_nobody({"doctor", "--backend", "127.0.0.1"}).out,
              HasSubstr("ok     address 127.0.0.1: is on this host"));
  EXPECT_THAT(ask_nobody({"doctor", "--backend", "192.0.2.10"}).out, HasSubstr("wrong  address 192.0.2.10: "));
  EXPECT_EQ(ask_nobody({"doctor", "--backend", "web"}).code, kInvalid);
  EXPECT_EQ(ask_nobody({"doctor", "astil.yaml", "--backend", "192.0.2.10"}).code, kInvalid);
}

}  // namespace
}  // namespace astil::cli
