// What of a configuration the nodes of a pair compare.
#include "control/config/digest.hpp"

#include <gtest/gtest.h>

#include "tests/unit/config_support.hpp"

namespace astil::config::test {
namespace {

TEST(config_digest, is_the_same_for_nodes_that_differ_in_what_is_their_own) {
  EXPECT_EQ(digest_of_shared(kSmallest), digest_of_shared("instance: other\n" + kSmallest));
  EXPECT_EQ(digest_of_shared(kSmallest), digest_of_shared(kSmallest + "# services of ours\n"));
  EXPECT_EQ(digest_of_shared("services: {web: {port: 80, address: 192.0.2.1}}"),
            digest_of_shared("services:\n  web:\n    address: 192.0.2.1\n    port: 80\n"));
}

TEST(config_digest, differs_with_a_service_a_name_or_a_timeout) {
  EXPECT_NE(digest_of_shared(kSmallest), digest_of_shared(replaced(kSmallest, "port: 80", "port: 81")));
  EXPECT_NE(digest_of_shared(kSmallest), digest_of_shared(kSmallest + "dns: {}\n"));
  EXPECT_NE(digest_of_shared(kSmallest), digest_of_shared(kSmallest + "dataplane: {timeouts: {udp: 30s}}\n"));
}

TEST(config_digest, differs_with_what_makes_a_group_the_same_virtual_router) {
  const auto of = [](const std::string& group, const std::string& more = "") {
    return digest_of_shared(kSmallest + "ha: {node: lb1, groups: {web: {addresses: [192.0.2.10], " + group + "}}" +
                            more + "}\n");
  };
  const std::uint64_t one = of("virtual_router_id: 51");
  EXPECT_EQ(one, of("virtual_router_id: 51, priority: 90, interface: eth7, preempt: false"));
  EXPECT_EQ(one, of("virtual_router_id: 51", ", hold: 3s"));
  EXPECT_EQ(one, of("virtual_router_id: 51, virtual_mac: false, advert_interval: 1000ms"));
  EXPECT_NE(one, of("virtual_router_id: 52"));
  EXPECT_NE(one, of("virtual_router_id: 51, sync_group: all"));
  EXPECT_NE(one, of("virtual_router_id: 51, checksum: plain"));
  EXPECT_NE(one, of("virtual_router_id: 51",
                    ", sync: {port: 5500}, key_file: /k, paths: {a: {local: 10.0.0.1, peer: 10.0.0.2}}"));
}

TEST(config_digest, tells_apart_where_text_stands) {
  EXPECT_NE(digest_of_shared("services: {a: {b: c}}"), digest_of_shared("services: {a: b, c: }"));
  EXPECT_NE(digest_of_shared("services: [a, b]"), digest_of_shared("services: [ab]"));
  EXPECT_NE(digest_of_shared("services: [[a], b]"), digest_of_shared("services: [[a, b]]"));
}

}  // namespace
}  // namespace astil::config::test
