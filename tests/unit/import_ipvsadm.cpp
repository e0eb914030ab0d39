// What `ipvsadm -S -n` prints, and what becomes of it.
#include <gmock/gmock.h>

#include "control/config/load.hpp"
#include "control/import/import.hpp"

namespace astil::import {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;

config::Model model_of(const Imported& result) {
  auto model = config::load(result.yaml, "imported.yaml");
  EXPECT_TRUE(model.has_value()) << result.yaml << (model ? "" : config::render(model.error()));
  return model ? *model : config::Model{};
}

auto told(std::uint32_t line, const std::string& why) {
  return AllOf(Field(&Finding::line, line), Field(&Finding::why, HasSubstr(why)));
}

constexpr const char* kSaved = R"(-A -t 192.0.2.10:80 -s wrr -p 300
-a -t 192.0.2.10:80 -r 198.51.100.11:8080 -m -w 3
-a -t 192.0.2.10:80 -r 198.51.100.12:8080 -m -w 1
-A -u 192.0.2.10:53 -s rr
-a -u 192.0.2.10:53 -r 198.51.100.11:53 -g -w 1
-A -t [2001:db8::10]:443 -s sh
-a -t [2001:db8::10]:443 -r [2001:db8:1::1]:443 -i -w 1 --tun-type gue --tun-port 5555 --tun-nocsum
)";

TEST(ImportIpvsadm, gives_a_configuration_of_the_same_services) {
  const auto result = import_ipvsadm(kSaved, "saved");
  const auto model = model_of(result);
  ASSERT_EQ(model.services.size(), 3U) << result.yaml;
  const auto& web = model.services[0];
  EXPECT_EQ(web.forwarding, config::Forwarding::nat);
  EXPECT_EQ(web.affinity->timeout, config::Milliseconds(300'000));
  EXPECT_EQ(web.backends.at(0).port, config::Port{8080});
  EXPECT_EQ(web.backends.at(0).weight, config::Weight{3});
  EXPECT_EQ(model.services[1].protocol, config::Protocol::udp);
  EXPECT_EQ(model.services[1].forwarding, config::Forwarding::direct);
  EXPECT_EQ(model.services[2].host.to_string(), "2001:db8::10");
  EXPECT_EQ(model.services[2].tunnel.gue_port, config::Port{5555});
  EXPECT_THAT(result.findings, Contains(told(1, "count as up")));
}

TEST(ImportIpvsadm, reads_long_options_and_the_name_of_the_program) {
  const auto result = import_ipvsadm(
      "ipvsadm --add-service --tcp-service 192.0.2.10:80 --scheduler wlc --persistent --netmask 255.255.255.0\n"
      "ipvsadm --add-server --tcp-service 192.0.2.10:80 --real-server 198.51.100.1:80 --gatewaying\n",
      "saved");
  const auto model = model_of(result);
  ASSERT_EQ(model.services.size(), 1U) << result.yaml;
  EXPECT_EQ(model.services[0].affinity->timeout, config::Milliseconds(300'000));
  EXPECT_EQ(model.services[0].affinity->prefixes.ipv4, 24U);
}

TEST(ImportIpvsadm, tells_the_line_of_what_is_left_out_and_why) {
  const auto result = import_ipvsadm(
      "-A -f 1 -s rr\n"
      "-a -f 1 -r 198.51.100.1:0 -g -w 1\n"
      "-A -t 192.0.2.1:80 -s dh -b flag-1 --pe sip\n"
      "-a -t 192.0.2.1:80 -r 198.51.100.1:80 -g -w 2000 -x 100 -y 50\n"
      "-a -t 192.0.2.1:80 -r 198.51.100.2:80 -m\n"
      "-a -t 192.0.2.9:80 -r 198.51.100.2:80 -g\n"
      "-C\n"
      "-A -t 192.0.2.2:80 -s wrr\n",
      "saved");
  for (const auto& [line, why] : std::vector<std::pair<std::uint32_t, std::string>>{{1, "marks"},
                                                                                    {2, "marks"},
                                                                                    {3, "no scheduler dh"},
                                                                                    {3, "flags"},
                                                                                    {3, "--pe"},
                                                                                    {4, "1000"},
                                                                                    {4, "limit of connections"},
                                                                                    {5, "reached otherwise"},
                                                                                    {6, "its service is not"},
                                                                                    {7, "-C is not known"},
                                                                                    {8, "no server"}})
    EXPECT_THAT(result.findings, Contains(told(line, why))) << line << why;
  EXPECT_EQ(model_of(result).services.size(), 1U);
}

}  // namespace
}  // namespace astil::import
