// Where clients are: tables against a plain search for the longest prefix, the files that fill them, and the sites that
// are near.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "control/dns/region_files.hpp"
#include "dns_support.hpp"
#include "mmdb_writer.hpp"

/// libmaxminddb keeps what it has read of the metadata of a file that it refuses.
extern "C" const char* __lsan_default_suppressions() { return "leak:libmaxminddb"; }

namespace astil::dns::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

bool holds(const Network& network, const Address& address, bool is_ipv4) {
  if (network.is_ipv4 != is_ipv4) return false;
  for (unsigned i = 0; i < network.length; ++i) {
    if (bit_of(network.address, i) != bit_of(address, i)) return false;
  }
  return true;
}

Region plainly(const std::vector<Network>& networks, const Address& address, bool is_ipv4) {
  const Network* longest = nullptr;
  for (const Network& network : networks) {
    if (holds(network, address, is_ipv4) && (longest == nullptr || network.length >= longest->length))
      longest = &network;
  }
  return longest == nullptr ? kNowhere : longest->region;
}

/// Networks that hold each other, as they do in the world.
std::vector<Network> drawn_networks(std::size_t count, Random& random) {
  std::vector<Network> networks;
  std::map<std::tuple<bool, Address, unsigned>, bool> seen;
  while (networks.size() < count) {
    Network network;
    network.is_ipv4 = random.below(2) == 0;
    const unsigned bits = network.is_ipv4 ? 32 : 128;
    if (!networks.empty() && random.below(2) == 0) {
      const Network& outer = networks[random.below(networks.size())];
      network = outer;
      const unsigned most = outer.is_ipv4 ? 32 : 128;
      network.length = static_cast<std::uint8_t>(outer.length + random.below(most - outer.length + 1));
      for (unsigned i = outer.length; i < network.length; ++i) set_bit(network.address, i, random.below(2) == 0);
    } else {
      network.length = static_cast<std::uint8_t>(random.below(bits + 1));
      for (unsigned i = 0; i < network.length; ++i) set_bit(network.address, i, random.below(2) == 0);
    }
    network.region = static_cast<Region>(random.below(7));
    if (seen.try_emplace({network.is_ipv4, network.address, network.length}, true).second) networks.push_back(network);
  }
  return networks;
}

/// One within a network, at its begin, its end or anywhere, or just outside.
Address drawn_address(const Network& network, Random& random) {
  Address address = network.address;
  const unsigned bits = network.is_ipv4 ? 32 : 128;
  const std::uint64_t way = random.below(3);
  for (unsigned i = network.length; i < bits; ++i) set_bit(address, i, way == 0 || (way == 1 && random.below(2) == 0));
  if (random.below(4) == 0 && network.length > 0)
    set_bit(address, network.length - 1U, !bit_of(address, network.length - 1U));
  return address;
}

TEST(Regions, are_found_as_by_a_plain_search_for_the_longest_prefix) {
  Random random(20261127);
  for (const std::size_t count : {0U, 1U, 2U, 50U, 2000U}) {
    const std::vector<Network> networks = drawn_networks(count, random);
    const RegionTable table(networks);
    for (unsigned i = 0; i < 4000 && count > 0; ++i) {
      const Network& near = networks[random.below(networks.size())];
      const Address address = drawn_address(near, random);
      ASSERT_EQ(table.find(address, near.is_ipv4).region, plainly(networks, address, near.is_ipv4));
    }
    EXPECT_EQ(RegionTable(networks).find(Address{}, true).region, plainly(networks, Address{}, true));
  }
}

TEST(Regions, the_scope_is_the_shortest_prefix_that_is_in_one_region) {
  Random random(7);
  const std::vector<Network> networks = drawn_networks(300, random);
  const RegionTable table(networks);
  for (unsigned i = 0; i < 500; ++i) {
    const Network& near = networks[random.below(networks.size())];
    const unsigned bits = near.is_ipv4 ? 32 : 128;
    const Address address = drawn_address(near, random);
    const Located located = table.find(address, near.is_ipv4);
    ASSERT_LE(located.scope, bits);
    // Whatever is behind the scope makes no difference, and one bit less of it would.
    for (unsigned k = 0; k < 20; ++k) {
      Address other = address;
      for (unsigned bit = located.scope; bit < bits; ++bit) set_bit(other, bit, random.below(2) == 0);
      ASSERT_EQ(plainly(networks, other, near.is_ipv4), located.region);
    }
    if (located.scope == 0) continue;
    bool differs = false;
    Address other = address;
    set_bit(other, located.scope - 1U, !bit_of(address, located.scope - 1U));
    for (const Network& network : networks) {
      Address edge = other;
      for (unsigned bit = located.scope; bit < bits; ++bit) set_bit(edge, bit, bit_of(network.address, bit));
      differs = differs || plainly(networks, edge, near.is_ipv4) != located.region;
    }
    for (const bool ones : {false, true}) {
      Address edge = other;
      for (unsigned bit = located.scope; bit < bits; ++bit) set_bit(edge, bit, ones);
      differs = differs || plainly(networks, edge, near.is_ipv4) != located.region;
    }
    ASSERT_TRUE(differs) << "scope " << int{located.scope};
  }
}

TEST(Regions, the_first_table_that_knows_decides_and_the_scope_is_of_both) {
  const auto network = [](const std::string& address, unsigned length, Region region) {
    return Network{.address = address_of(address), .length = static_cast<std::uint8_t>(length), .region = region};
  };
  std::vector<RegionTable> tables;
  tables.emplace_back(std::vector{network("192.0.2.128", 25, 1)});
  tables.emplace_back(std::vector{network("192.0.0.0", 16, 2)});
  const Regions regions(std::move(tables));
  EXPECT_EQ(regions.find(address_of("192.0.2.200"), true).region, 1);
  const Located beside = regions.find(address_of("192.0.2.1"), true);
  EXPECT_EQ(beside.region, 2);
  EXPECT_EQ(beside.scope, 25) << "the other half of the /24 is elsewhere";
  EXPECT_EQ(regions.find(address_of("198.51.100.1"), true).region, kNowhere);
}

/// A folder that goes with the test.
class Folder {
 public:
  Folder() { fs::create_directories(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  std::string write(const std::string& text) const {
    const std::string file = path_ / "file";
    std::ofstream(file, std::ios::binary) << text;
    return file;
  }

 private:
  fs::path path_ = fs::temp_directory_path() / ("astil-regions-" + std::to_string(::getpid()));
};

const RegionNumbers kNumbers{{"europe", 0}, {"DE", 1}, {"DE-BY", 2}, {"AS64500", 3}, {"office", 4}};

TEST(RegionFiles, networks_are_read_with_their_regions) {
  const Folder folder;
  const auto read = read_networks(
      folder.write("# ours\n192.0.2.0/24 office  # the office\n\n2001:db8::/32\teurope\n0.0.0.0/0 DE\n"), kNumbers);
  ASSERT_TRUE(read) << read.error().text();
  ASSERT_EQ(read->size(), 3U);
  const RegionTable table(*read);
  EXPECT_EQ(table.find(address_of("192.0.2.9"), true).region, 4);
  EXPECT_EQ(table.find(address_of("192.0.3.9"), true).region, 1);
  EXPECT_EQ(table.find(address_of("2001:db8::9"), false).region, 0);
  EXPECT_EQ(table.find(address_of("2001:db9::9"), false).region, kNowhere);
}

TEST(RegionFiles, a_line_that_is_none_is_told_with_its_place) {
  const Folder folder;
  const auto mistake = [&](const std::string& text) {
    const auto read = read_networks(folder.write(text), kNumbers);
    return read ? "none" : read.error().text();
  };
  EXPECT_THAT(mistake("192.0.2.0/24 office\n192.0.2.1/24 office\n"), HasSubstr(":2: '192.0.2.1/24' has bits set"));
  EXPECT_THAT(mistake("192.0.2.0/33 office\n"), HasSubstr(":1: '192.0.2.0/33' is not a network"));
  EXPECT_THAT(mistake("2001:db8::/129 office\n"), HasSubstr("is not a network"));
  EXPECT_THAT(mistake("192.0.2.0 office\n"), HasSubstr("is not a network"));
  EXPECT_THAT(mistake("192.0.2.0/24\n"), HasSubstr("a network and a region are wanted"));
  EXPECT_THAT(mistake("192.0.2.0/24 office too\n"), HasSubstr("a network and a region are wanted"));
  EXPECT_THAT(mistake("192.0.2.0/24 mars\n"), HasSubstr("the map has no region 'mars'; add it"));
  EXPECT_THAT(mistake("\n192.0.2.0/24 DE\n192.0.2.0/24 office\n"),
              HasSubstr(":3: the network stands in line 2 already"));
  EXPECT_THAT(read_networks("/nowhere/file", kNumbers).error().text(), HasSubstr("No such file"));
  EXPECT_THAT(read_networks("/tmp", kNumbers).error().text(), HasSubstr("is not a regular file"));
}

std::string place(const std::string& continent, const std::string& country, const std::string& part = "") {
  using W = DatabaseWriter;
  std::vector<std::pair<std::string, std::string>> members{{"continent", W::map({{"code", W::text(continent)}})}};
  if (!country.empty()) members.emplace_back("country", W::map({{"iso_code", W::text(country)}}));
  if (!part.empty()) members.emplace_back("subdivisions", W::list(W::map({{"iso_code", W::text(part)}})));
  return W::map(members);
}

TEST(RegionFiles, a_database_goes_by_the_most_exact_name_that_is_a_region) {
  const Folder folder;
  DatabaseWriter writer(6);
  writer.add("192.0.2.0", 24, place("EU", "DE", "BY"));
  writer.add("198.51.100.0", 24, place("EU", "DE", "BE"));
  writer.add("203.0.113.0", 25, place("EU", "FR"));
  writer.add("203.0.113.128", 25, place("NA", "US", "CA"));
  writer.add("2001:db8::", 32, place("EU", ""));
  writer.add("2400::", 12, DatabaseWriter::map({{"autonomous_system_number", DatabaseWriter::number(6, 64500)}}));
  writer.alias_of_ipv4("2002::", 16);
  const auto read = read_database(folder.write(writer.bytes()), kNumbers);
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->size(), 5U) << "what IPv4 has is not IPv6's once more, and California is in no region";
  const RegionTable table(*read);
  EXPECT_EQ(table.find(address_of("192.0.2.1"), true).region, 2);
  EXPECT_EQ(table.find(address_of("198.51.100.1"), true).region, 1);
  EXPECT_EQ(table.find(address_of("203.0.113.1"), true).region, 0);
  EXPECT_EQ(table.find(address_of("203.0.113.200"), true).region, kNowhere);
  EXPECT_EQ(table.find(address_of("2001:db8::1"), false).region, 0);
  EXPECT_EQ(table.find(address_of("2401::1"), false).region, 3);
  EXPECT_EQ(table.find(address_of("2002:c000:201::1"), false).region, kNowhere);
}

TEST(RegionFiles, a_database_of_ipv4_alone_is_read) {
  const Folder folder;
  DatabaseWriter writer(4);
  writer.add("192.0.2.0", 24, place("EU", "DE"));
  const auto read = read_database(folder.write(writer.bytes()), kNumbers);
  ASSERT_TRUE(read) << read.error().text();
  ASSERT_EQ(read->size(), 1U);
  EXPECT_TRUE(read->front().is_ipv4);
  EXPECT_EQ(RegionTable(*read).find(address_of("192.0.2.255"), true).region, 1);
}

TEST(RegionFiles, a_database_that_is_damaged_is_refused_or_read_but_harms_nothing) {
  const Folder folder;
  DatabaseWriter writer(6);
  for (unsigned i = 0; i < 32; ++i) writer.add("192.0." + std::to_string(i) + ".0", 24, place("EU", "DE", "BY"));
  writer.alias_of_ipv4("2002::", 16);
  const std::string sound = writer.bytes();
  EXPECT_THAT(read_database(folder.write("no database"), kNumbers).error().text(), HasSubstr("fetch it anew"));
  EXPECT_THAT(read_database("/nowhere/file", kNumbers).error().text(), HasSubstr("No such file"));
  EXPECT_THAT(read_database("/tmp", kNumbers).error().text(), HasSubstr("is not a regular file"));
  Random random(3);
  unsigned refused = 0;
  for (unsigned i = 0; i < 2000; ++i) {
    std::string changed = sound;
    for (unsigned k = 0; k < 3; ++k) changed[random.below(changed.size())] = static_cast<char>(random.below(256));
    if (random.below(4) == 0) changed.resize(random.below(changed.size()));
    refused += read_database(folder.write(changed), kNumbers).has_error() ? 1 : 0;
  }
  EXPECT_GT(refused, 100U);
}

TEST(RegionFiles, a_database_whose_tree_meets_itself_again_and_again_is_refused_soon) {
  const Folder folder;
  DatabaseWriter writer(4);
  writer.add("255.255.255.255", 32, place("EU", "DE"));
  std::string bytes = writer.bytes();
  // Each node leads to the next one by both of its records.
  for (std::size_t node = 0; node + 1 < 32; ++node) bytes.replace(8 * node, 4, bytes, 8 * node + 4, 4);
  const auto read = read_database(folder.write(bytes), kNumbers);
  ASSERT_TRUE(read.has_error());
  EXPECT_THAT(read.error().text(), HasSubstr("is not a sound database"));
}

/// Two regions, three sites: in region 0 the first two are near, in region 1 the last; elsewhere all are.
DynamicName near_name() {
  DynamicName name{.name = "www.example.org", .policy = Policy::nearest, .near = {{0, 0, 1}, {1, 1, 0}, {0, 0, 0}}};
  for (const char last : {'\1', '\2', '\3'}) {
    SiteUse& use = name.sites.emplace_back();
    use.site = std::string("site") + std::to_string(last);
    use.addresses.push_back({.type = Type::a, .data = std::string{'\xc0', 0, 2, last}});
    use.answers = std::make_shared<std::atomic<std::uint64_t>>(0);
  }
  std::vector<RegionTable> tables;
  tables.emplace_back(std::vector<Network>{
      {.address = address_of("203.0.113.0"), .length = 25, .region = 0},
      {.address = address_of("203.0.113.128"), .length = 25, .region = 1},
  });
  name.regions = std::make_shared<const Regions>(std::move(tables));
  return name;
}

std::map<unsigned, unsigned> shares(const DynamicName& name, const NameState& state, Region region) {
  Random random(5);
  std::map<unsigned, unsigned> counts;
  for (unsigned i = 0; i < 3000; ++i) ++counts[choose(name, state, Type::a, {.region = region}, random).sites[0]];
  return counts;
}

TEST(Regions, nearest_takes_the_near_ones_by_weight_and_the_next_when_they_are_down) {
  DynamicName name = near_name();
  NameState state(3, {.addresses = {{}}});
  name.sites[1].weight = 2;
  auto counts = shares(name, state, 0);
  EXPECT_NEAR(counts[0], 1000, 100);
  EXPECT_NEAR(counts[1], 2000, 100);
  EXPECT_EQ(counts[2], 0U);
  EXPECT_EQ(shares(name, state, 1)[2], 3000U);
  EXPECT_GT(shares(name, state, kNowhere)[2], 0U);
  state[0].addresses[0].is_up = false;
  EXPECT_EQ(shares(name, state, 0)[1], 3000U);
  state[1].addresses[0].is_up = false;
  EXPECT_EQ(shares(name, state, 0)[2], 3000U);
}

TEST(Regions, the_client_s_subnet_tells_where_it_is_and_comes_back_with_the_scope) {
  Answering server(near_name());
  server.snapshot.states = {NameState(3, {.addresses = {{}}})};
  server.snapshot.uses_client_subnet = true;
  const std::vector<unsigned> far{0, 8, 0, 8, 0, 1, 32, 0, 203, 0, 113, 200};
  const Read read = server.ask({.edns = true, .options = far});
  EXPECT_EQ(read.answer(), std::vector<std::string>{"www.example.org. 60 IN A 192.0.2.3"});
  const Message& wire = read.wire();
  EXPECT_EQ(wire[wire.size() - 5], std::byte{25}) << "the scope stands behind the source's length";
  server.snapshot.uses_client_subnet = false;
  EXPECT_EQ(server.ask({.edns = true, .options = far}).answer().size(), 1U);
}

}  // namespace
}  // namespace astil::dns::testing
