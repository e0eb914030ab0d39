// What somebody else writes to the tables is found and undone; and from whatever the tables went through, a publication
// leads to the same.
#include "dataplane/mirror.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>

#include "dataplane/publisher.hpp"
#include "tests/unit/dataplane_watching.hpp"

namespace astil::dataplane {
namespace {

using test::Service;

constexpr core::Sizes kSizes{.cpus = 1,
                             .flow_lines = 16,
                             .services = 8,
                             .backends = 64,
                             .ring_lines = 128,
                             .member_lines = 32,
                             .index_lines = 64,
                             .client_lines = 0,
                             .source_ranges = 64,
                             .source_buckets = 16};

class MirrorCase : public testing::Test {
 protected:
  [[nodiscard]] const Tables& tables() const { return engine_.tables(); }
  void publish(const DesiredState& state) {
    (void)mirror_.restore();
    ASSERT_TRUE(publisher_.publish(state).has_value());
    mirror_.take();
  }
  [[nodiscard]] std::byte* memory(TableId table) const { return tables().memory[static_cast<std::size_t>(table)]; }
  [[nodiscard]] static std::size_t bytes(TableId table) {
    const TableSpec& spec = kTableSpecs[static_cast<std::size_t>(table)];
    return spec.record_bytes * spec.records(kSizes);
  }

  test::WatchingEngine engine_{kSizes};
  Publisher publisher_{engine_};
  Mirror mirror_{engine_.tables()};
};

DesiredState some_services() {
  return test::desired({Service("198.51.100.1", 80).nat().ring_length(32).backend("10.0.0.1").backend("10.0.0.2"),
                        Service("198.51.100.1", 25).tunnel().ring_length(64).limit(10, 5, 32).backend("10.0.0.3")});
}

TEST_F(MirrorCase, finds_nothing_where_nobody_wrote) {
  EXPECT_TRUE(mirror_.restore().empty()) << "it knows nothing yet";
  publish(some_services());
  EXPECT_TRUE(mirror_.restore().empty());
}

TEST_F(MirrorCase, a_flushed_table_is_filled_again) {
  publish(some_services());
  for (const TableId table : {TableId::service_index, TableId::services, TableId::backends, TableId::rings,
                              TableId::members, TableId::source_rules}) {
    const std::vector<std::byte> before(memory(table), memory(table) + bytes(table));
    std::memset(memory(table), 0, bytes(table));
    const auto repairs = mirror_.restore();
    const std::string name(kTableSpecs[static_cast<std::size_t>(table)].name);
    ASSERT_EQ(repairs.size(), 1U) << name;
    EXPECT_EQ(repairs[0].kind, Repaired::table);
    EXPECT_NE(repairs[0].what.find("table " + name), std::string::npos) << repairs[0].what;
    EXPECT_TRUE(mirror_.restore().empty()) << name;
    const DesiredState read = read_state(tables());
    ASSERT_EQ(read.services.size(), 2U) << name;
    EXPECT_EQ(read.services[0].ring.size() + read.services[1].ring.size(), 96U) << name;
  }
}

TEST_F(MirrorCase, the_switch_of_generations_is_put_back) {
  publish(some_services());
  tables().settings().active = core::kNoGeneration;
  EXPECT_EQ(mirror_.restore().size(), 1U);
  EXPECT_LT(tables().active(), core::kNoGeneration);
}

/// Another thread of the daemon's changes it, where a pair's nodes agree on one.
TEST_F(MirrorCase, a_new_key_of_the_hash_is_left_alone) {
  publish(some_services());
  tables().settings().hash_key[0] ^= 1U;
  EXPECT_TRUE(mirror_.restore().empty());
}

TEST_F(MirrorCase, what_packets_count_is_left_alone) {
  publish(some_services());
  tables().settings().shared.drop_followers = 3;
  tables().loads()[0].closed = 7;
  EXPECT_TRUE(mirror_.restore().empty());
}

/// What packets of new flows meet: by service, who has how many slots, and how each backend is reached.
std::map<std::string, std::map<std::string, std::size_t>> behaviour(const Tables& tables) {
  std::map<std::string, std::map<std::string, std::size_t>> seen;
  const auto text = [](const core::Address& address) {
    return std::to_string(raw(address.words[2])) + "." + std::to_string(raw(address.words[3]));
  };
  for (const ServiceState& service : read_state(tables).services) {
    auto& backends = seen[text(service.key.address) + ":" + std::to_string(service.key.port) + "/" +
                          std::to_string(static_cast<int>(service.forwarding))];
    for (std::size_t slot = 0; slot < service.ring.size(); ++slot) {
      const BackendUse& use = service.backends[service.ring[slot]];
      ++backends[text(use.address) + ":" + std::to_string(use.port) + " " + std::to_string(use.destination_mac) + " " +
                 std::to_string(static_cast<int>(use.rotation))];
    }
  }
  return seen;
}

class AnyState {
 public:
  explicit AnyState(std::uint32_t seed) : random_(seed) {}

  DesiredState state() {
    std::vector<Service> services;
    for (int port = 80; port < 84; ++port) {
      if (pick(3) == 0) continue;
      Service service("198.51.100.1", static_cast<std::uint16_t>(port));
      pick(2) == 0 ? service.nat() : service.tunnel();
      service.ring_length(32);
      const int first = 1 + pick(3);
      for (int i = first; i <= first + pick(4); ++i)
        service.backend("10.0.0." + std::to_string(i), {.mac = test::mac(static_cast<std::uint8_t>(0xb0 + pick(4)))});
      services.push_back(service);
    }
    return test::desired(services);
  }

  int pick(int below) { return static_cast<int>(random_() % static_cast<std::uint32_t>(below)); }

 private:
  std::mt19937 random_;
};

TEST_F(MirrorCase, from_any_starting_state_a_publication_leads_to_the_same) {
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    AnyState any(seed);
    const int earlier = any.pick(4);
    for (int i = 0; i < earlier; ++i) {
      publish(any.state());
      for (int damages = any.pick(4); damages > 0; --damages) {
        const TableId all[] = {TableId::service_index, TableId::services,     TableId::backends,     TableId::rings,
                               TableId::members,       TableId::source_rules, TableId::source_ranges};
        const TableId table = all[any.pick(static_cast<int>(std::size(all)))];
        const std::size_t at = static_cast<std::size_t>(any.pick(static_cast<int>(bytes(table))));
        const std::size_t length =
            std::min(bytes(table) - at, std::size_t{1} + static_cast<std::size_t>(any.pick(300)));
        std::memset(memory(table) + at, any.pick(256), length);
      }
      if (any.pick(3) == 0) {
        (void)mirror_.restore();
        publisher_.release([](std::uint32_t) { return false; });
        mirror_.take();
      }
    }
    const DesiredState wanted = any.state();
    publish(wanted);
    test::WatchingEngine fresh(kSizes);
    Publisher publisher(fresh);
    ASSERT_TRUE(publisher.publish(wanted).has_value());
    EXPECT_EQ(behaviour(tables()), behaviour(fresh.tables())) << "seed " << seed;
    ASSERT_TRUE(mirror_.restore().empty()) << "seed " << seed;
    publisher_.release([](std::uint32_t) { return false; });
    mirror_.take();
  }
}

}  // namespace
}  // namespace astil::dataplane
