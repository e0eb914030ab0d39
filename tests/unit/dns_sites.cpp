// Which sites a policy picks, while all is well, while some are down, and while all are.
#include <gtest/gtest.h>

#include <map>

#include "dns_support.hpp"

namespace astil::dns::testing {
namespace {

SiteUse site(const std::string& name, unsigned last, unsigned weight = 1, unsigned tier = 1) {
  SiteUse use{.site = name, .tier = tier, .weight = weight, .addresses = {}, .seed = last * 7919U, .answers = nullptr};
  use.addresses.push_back({.type = Type::a, .data = std::string{'\xc0', 0, 2, static_cast<char>(last)}});
  use.answers = std::make_shared<std::atomic<std::uint64_t>>(0);
  return use;
}

/// Three sites, of which some are down.
struct World {
  DynamicName name{.name = "www.example.org", .sites = {site("fra", 1), site("nyc", 2), site("tok", 3)}};
  NameState state = NameState(3, {.addresses = {{}}});
  Random random{42};

  explicit World(Policy policy) { name.policy = policy; }
  void down(std::initializer_list<std::size_t> sites) {
    for (const std::size_t s : sites) state[s].addresses[0].is_up = false;
  }
  Choice choose_for(std::uint64_t client = 0, Type type = Type::a) { return choose_by({.key = client}, type); }
  Choice choose_by(const Asker& asker, Type type = Type::a) { return choose(name, state, type, asker, random); }
  /// How often each was the first of so many answers.
  std::map<std::string, unsigned> shares(unsigned answers) {
    std::map<std::string, unsigned> counts;
    for (unsigned i = 0; i < answers; ++i) {
      const Choice choice = choose_for(i);
      if (choice.count > 0) ++counts[name.sites[choice.sites[0]].site];
    }
    return counts;
  }
};

TEST(Sites, failover_takes_the_first_tier_that_has_one) {
  World world(Policy::failover);
  world.name.sites[1].tier = 2;
  world.name.sites[2].tier = 3;
  EXPECT_EQ(world.shares(10), (std::map<std::string, unsigned>{{"fra", 10}}));
  world.down({0});
  EXPECT_EQ(world.shares(10), (std::map<std::string, unsigned>{{"nyc", 10}}));
  world.down({1});
  EXPECT_EQ(world.shares(10), (std::map<std::string, unsigned>{{"tok", 10}}));
}

TEST(Sites, weights_are_followed_within_a_percentage_point) {
  World world(Policy::weighted);
  world.name.sites = {site("fra", 1, 1), site("nyc", 2, 2), site("tok", 3, 7)};
  const auto shares = world.shares(100'000);
  EXPECT_NEAR(shares.at("fra"), 10'000, 1'000);
  EXPECT_NEAR(shares.at("nyc"), 20'000, 1'000);
  EXPECT_NEAR(shares.at("tok"), 70'000, 1'000);
}

TEST(Sites, of_weight_0_there_is_nothing_while_others_are_there) {
  World world(Policy::weighted);
  world.name.sites[0].weight = 0;
  EXPECT_FALSE(world.shares(1000).contains("fra"));
  world.down({1, 2});
  EXPECT_EQ(world.shares(10).at("fra"), 10U);
}

TEST(Sites, several_are_named_each_once) {
  World world(Policy::weighted);
  world.name.at_most = 2;
  for (unsigned i = 0; i < 100; ++i) {
    const Choice choice = world.choose_for();
    ASSERT_EQ(choice.count, 2U);
    EXPECT_NE(choice.sites[0], choice.sites[1]);
  }
  world.name.policy = Policy::all;
  world.name.at_most = 8;
  EXPECT_EQ(world.choose_for().count, 3U);
  world.down({0});
  EXPECT_EQ(world.choose_for().count, 2U);
}

TEST(Sites, hash_keeps_clients_of_the_sites_that_stay) {
  World world(Policy::hash);
  std::map<std::uint64_t, std::uint8_t> before;
  for (std::uint64_t client = 0; client < 10'000; ++client)
    before[client] = world.choose_for(client * 2654435761U).sites[0];
  std::map<std::uint8_t, unsigned> counts;
  for (const auto& [client, site] : before) ++counts[site];
  for (const auto& [site, count] : counts) EXPECT_NEAR(count, 3333, 300) << unsigned{site};
  world.down({1});
  for (const auto& [client, site] : before) {
    const Choice now = world.choose_for(client * 2654435761U);
    if (site != 1) {
      EXPECT_EQ(now.sites[0], site);
    }
    EXPECT_NE(now.sites[0], 1);
  }
}

TEST(Sites, clients_of_one_network_are_one) {
  const World world(Policy::hash);
  const auto key = [&](std::initializer_list<unsigned> bytes, bool is_ipv4) {
    std::array<std::byte, 16> address{};
    std::size_t i = 0;
    for (const unsigned byte : bytes) address[i++] = static_cast<std::byte>(byte);
    return asker_of(world.name, address, is_ipv4).key;
  };
  EXPECT_EQ(key({192, 0, 2, 1}, true), key({192, 0, 2, 200}, true));
  EXPECT_NE(key({192, 0, 2, 1}, true), key({192, 0, 3, 1}, true));
  EXPECT_EQ(key({0x20, 1, 0xd, 0xb8, 0, 0, 1, 7}, false), key({0x20, 1, 0xd, 0xb8, 0, 0, 1, 8}, false));
  EXPECT_NE(key({0x20, 1, 0xd, 0xb8, 0, 0, 1}, false), key({0x20, 1, 0xd, 0xb8, 0, 0, 2}, false));
}

TEST(Sites, while_all_are_down_the_rule_decides) {
  World world(Policy::all);
  world.name.at_most = 8;
  world.down({0, 1, 2});
  world.state[0].addresses[0].was_up = false;
  EXPECT_EQ(world.choose_for().count, 3U);
  world.name.when_down = AllDown::last_known;
  EXPECT_EQ(world.choose_for().count, 2U);
  world.name.when_down = AllDown::server_failure;
  EXPECT_EQ(world.choose_for().kind, Choice::Kind::server_failure);
  world.name.when_down = AllDown::refused;
  EXPECT_EQ(world.choose_for().kind, Choice::Kind::refused);
  world.name.when_down = AllDown::fallback;
  world.name.fallback = {{.type = Type::a, .data = std::string(4, '\1')}};
  EXPECT_EQ(world.choose_for().kind, Choice::Kind::fallback);
  EXPECT_EQ(world.choose_for(0, Type::aaaa).kind, Choice::Kind::no_data);
}

TEST(Sites, a_type_that_no_site_has_is_no_data_whatever_is_down) {
  World world(Policy::failover);
  world.name.when_down = AllDown::server_failure;
  world.down({0, 1, 2});
  EXPECT_EQ(world.choose_for(0, Type::aaaa).kind, Choice::Kind::no_data);
}

TEST(Sites, an_https_record_hints_at_the_sites_that_are_answered) {
  World world(Policy::failover);
  world.name.https = service_data({"h2", "h3"}, 8443);
  world.name.sites[1].addresses.push_back({.type = Type::aaaa, .data = std::string(15, '\0') + '\1'});
  world.state[1].addresses.emplace_back();
  Answering server(world.name);
  using Lines = std::vector<std::string>;
  world.down({1, 2});
  server.snapshot.states = {world.state};
  EXPECT_EQ(server.ask({.type = 65}).answer(),
            (Lines{"www.example.org. 60 IN HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1"}));
  world.state[0].addresses[0].is_up = false;
  world.state[1].addresses[0].is_up = true;
  server.snapshot.states = {world.state};
  EXPECT_EQ(server.ask({.type = 65}).answer(),
            (Lines{"www.example.org. 60 IN HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.2 ipv6hint=::1"}));
  EXPECT_TRUE(server.ask({.type = 64}).answer().empty());
  world.down({0, 1, 2});  // by IPv4
  world.state[1].addresses[1].steady = 7;
  server.snapshot.states = {world.state};
  EXPECT_EQ(server.ask({.type = 65}).answer(),
            (Lines{"www.example.org. 7 IN HTTPS 1 . alpn=h2,h3 port=8443 ipv6hint=::1"}));
}

TEST(Sites, that_there_is_no_address_for_now_is_kept_no_longer_than_an_answer) {
  World world(Policy::failover);
  world.name.when_down = AllDown::fallback;
  world.name.fallback = {{.type = Type::aaaa, .data = std::string(16, '\1')}};
  world.name.most_ttl = 5;
  Answering server(world.name, {"@ 3600 SOA ns1 hm 1 1 1 1 3600", "@ NS ns1"});
  world.down({0, 1, 2});
  server.snapshot.states = {world.state};
  const Read read = server.ask({.type = 1});
  EXPECT_TRUE(read.answer().empty());
  ASSERT_EQ(read.authority().size(), 1U);
  EXPECT_EQ(read.authority().front().find("example.org. 5 IN SOA"), 0U) << read.authority().front();
}

TEST(Sites, an_svcb_record_hints_likewise) {
  World world(Policy::failover);
  world.name.svcb = service_data({"dot"}, 853);
  Answering server(world.name);
  world.down({1, 2});
  server.snapshot.states = {world.state};
  using Lines = std::vector<std::string>;
  EXPECT_EQ(server.ask({.type = 64}).answer(),
            (Lines{"www.example.org. 60 IN SVCB 1 . alpn=dot port=853 ipv4hint=192.0.2.1"}));
  EXPECT_TRUE(server.ask({.type = 65}).answer().empty());
}

TEST(Sites, an_answer_is_kept_until_it_can_be_another_within_bounds) {
  World world(Policy::failover);
  world.name.least_ttl = 2;
  world.name.most_ttl = 30;
  EXPECT_EQ(world.choose_for().ttl, 30U);
  world.state[2].addresses[0].steady = 7;
  EXPECT_EQ(world.choose_for().ttl, 7U);
  world.state[1].addresses[0].steady = 0;
  EXPECT_EQ(world.choose_for().ttl, 2U);
}

TEST(Sites, the_server_answers_with_what_is_chosen_beside_the_name_s_records) {
  World world(Policy::failover);
  Answering server(world.name, {"@ SOA ns1 hm 1 1 1 1 9", "@ NS ns1", "www TXT \"static\"", "alias CNAME www"});
  world.down({0, 1});
  server.snapshot.states = {world.state};
  using Lines = std::vector<std::string>;
  EXPECT_EQ(server.ask({}).answer(), (Lines{"www.example.org. 60 IN A 192.0.2.3"}));
  EXPECT_EQ(server.ask({.name = "alias.example.org"}).answer().back(), "www.example.org. 60 IN A 192.0.2.3");
  EXPECT_EQ(server.ask({.type = 16}).answer(), (Lines{"www.example.org. 300 IN TXT \"static\""}));
  EXPECT_EQ(server.ask({.type = 28}).authority().size(), 1U);
  EXPECT_EQ(server.ask({.type = 28}).code(), "NOERROR");
  EXPECT_EQ(world.name.sites[2].answers->load(), 2U);
  server.worker.counts_sites = false;
  (void)server.ask({});
  EXPECT_EQ(world.name.sites[2].answers->load(), 2U);
}

}  // namespace
}  // namespace astil::dns::testing
