// The index of services: every key is found, no other is.
#include "dataplane/service_index.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "dataplane/core/service.hpp"
#include "dataplane/native/native_dataplane.hpp"

namespace astil::dataplane {
namespace {

constexpr core::Sizes kSizes{
    .cpus = 1, .flow_lines = 2, .services = 4, .backends = 4, .ring_lines = 4, .member_lines = 4, .index_lines = 16384};

std::vector<IndexKey> random_keys(std::size_t count) {
  std::mt19937 random(3);
  std::vector<IndexKey> keys;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto number = core::be32(0x0a000000U + static_cast<std::uint32_t>(random() % (1U << 24U)));
    const core::Address wide{{core::be32(0x20010db8U), number, core::Be32{}, core::be32(i % 7)}};
    keys.push_back({i % 2 == 0 ? core::mapped(number) : wide, core::be16(static_cast<std::uint16_t>(i)), 6,
                    i % 3 == 0 ? core::IndexKind::reply : core::IndexKind::service, i});
  }
  return keys;
}

class Index : public testing::Test {
 protected:
  /// The reference that the packet path finds.
  std::uint32_t find(const IndexKey& key, std::uint32_t generation) {
    native::Frame frame({});
    const native::Surroundings around;
    native::NativeEngine<> engine(native_.tables(), frame, around);
    return core::detail::look_up(engine, generation, core::index_key(key.address, key.port, key.protocol, key.kind));
  }

  native::NativeDataplane native_{kSizes};
};

TEST(Filter, lists_what_an_address_is_at_its_place) {
  const core::Address service = core::mapped(core::be32(0xc6336401U));
  const core::Address backend{{core::be32(0x20010db8U), core::Be32{}, core::Be32{}, core::be32(9)}};
  const core::Be16 port = core::be16(443);
  const auto index = ServiceIndex::build({{service, port, 6, core::IndexKind::service, 0},
                                          {service, port, 6, core::IndexKind::full_nat, 0},
                                          {backend, port, 6, core::IndexKind::reply, 1}},
                                         kSizes.index_lines);
  ASSERT_TRUE(index.has_value());
  const ServiceIndex::Filter& filter = index->filter();
  EXPECT_EQ(filter.at(core::filter_place(service)), core::kListedService | core::kListedFullNat);
  EXPECT_EQ(filter.at(core::filter_place(backend)), core::kListedReplier);
  EXPECT_EQ(filter.at(core::filter_place(core::index_key(service, port, 6, core::IndexKind::full_nat))),
            core::kListedFullNatPort);
  EXPECT_EQ(std::count(filter.begin(), filter.end(), 0), core::kFilterPlaces - 3);
}

TEST_F(Index, finds_each_of_ten_thousand_keys_in_either_generation) {
  const auto keys = random_keys(10'000);
  const auto index = ServiceIndex::build(keys, kSizes.index_lines);
  ASSERT_TRUE(index.has_value());
  for (const std::uint32_t generation : {0U, 1U}) {
    index->write(native_.tables(), generation);
    EXPECT_TRUE(index->matches(native_.tables(), generation));
    for (const IndexKey& key : keys) ASSERT_EQ(find(key, generation), key.reference);
  }
}

TEST_F(Index, finds_nothing_at_other_keys_but_by_the_chance_of_a_tag) {
  const auto keys = random_keys(10'000);
  ServiceIndex::build(keys, kSizes.index_lines)->write(native_.tables(), 0);
  std::size_t found = 0;
  for (IndexKey key : keys) {
    key.protocol = 17;
    found += find(key, 0) == core::detail::kNoReference ? 0 : 1;
    key.address = core::mapped(core::be32(0xc0000201U));
    found += find(key, 0) == core::detail::kNoReference ? 0 : 1;
  }
  EXPECT_EQ(found, 0U);
}

TEST_F(Index, is_the_same_whatever_order_keys_come_in) {
  auto keys = random_keys(1000);
  ServiceIndex::build(keys, kSizes.index_lines)->write(native_.tables(), 0);
  std::reverse(keys.begin(), keys.end());
  EXPECT_TRUE(ServiceIndex::build(keys, kSizes.index_lines)->matches(native_.tables(), 0));
}

TEST_F(Index, of_no_keys_finds_nothing) {
  ServiceIndex::build({}, kSizes.index_lines)->write(native_.tables(), 0);
  EXPECT_EQ(find(random_keys(1)[0], 0), core::detail::kNoReference);
}

TEST_F(Index, has_room_for_as_many_keys_as_its_lines_are_made_for) {
  // The worst are powers of two, where the lines are as many as the keys.
  for (const std::size_t keys : {1U, 8U, 9U, 1024U, 16384U, 17408U, 1U << 18U}) {
    const auto index = ServiceIndex::build(random_keys(keys), ServiceIndex::lines_for(keys));
    EXPECT_TRUE(index.has_value()) << keys;
  }
}

TEST_F(Index, without_room_is_an_error_that_says_what_to_raise) {
  const auto index = ServiceIndex::build(random_keys(1000), 64);
  ASSERT_TRUE(index.has_error());
  EXPECT_NE(index.error().remedy.find("dataplane.tables"), std::string::npos);
}

}  // namespace
}  // namespace astil::dataplane
