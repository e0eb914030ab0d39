// The messages between astild and astil-vrrp.
#include "control/ha/channel.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace astil::ha::test {
namespace {

GroupRecord group() {
  GroupRecord record{.name = Name("web"), .interface = InterfaceName("eth0"), .virtual_router_id = 51, .priority = 100};
  record.advert_interval = 100;
  record.address_count = 1;
  record.addresses[0] = {.bytes = {192, 0, 2, 10}, .version = 4};
  return record;
}

Configuration configuration() {
  Configuration made;
  made.settings.node = Name("lb1");
  made.settings.groups = 1;
  made.settings.paths = 1;
  made.groups = {group()};
  made.paths = {{.name = Name("a"),
                 .local = {.bytes = {10, 0, 0, 1}, .version = 4},
                 .peer = {.bytes = {10, 0, 0, 2}, .version = 4}}};
  return made;
}

TEST(ha_channel, a_configuration_comes_through_as_it_was) {
  const auto parsed = parse_configuration(message_of(7, configuration()));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(*parsed, configuration());
}

TEST(ha_channel, a_message_that_is_cut_short_anywhere_is_none) {
  const Message whole = message_of(7, configuration());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    Message cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(parse_configuration(cut).has_value()) << length;
    if (length < sizeof(Header)) continue;
    Header header;
    std::copy_n(cut.begin(), sizeof header, reinterpret_cast<std::byte*>(&header));
    header.length = static_cast<std::uint32_t>(length);  // a sender that lies about it
    std::copy_n(reinterpret_cast<const std::byte*>(&header), sizeof header, cut.begin());
    EXPECT_FALSE(parse_configuration(cut).has_value()) << length;
  }
}

TEST(ha_channel, counts_beyond_the_arrays_are_refused) {
  for (const auto& spoil : std::initializer_list<void (*)(GroupRecord&)>{
           [](GroupRecord& g) { g.address_count = kMostChannelAddresses + 1; },
           [](GroupRecord& g) { g.address_count = 0; }, [](GroupRecord& g) { g.peer_count = kMostChannelPeers + 1; },
           [](GroupRecord& g) { g.track_count = kMostChannelTracks + 1; },
           [](GroupRecord& g) { g.advert_interval = 0; }, [](GroupRecord& g) { g.advert_interval = 4096; },
           [](GroupRecord& g) { g.virtual_router_id = 0; }, [](GroupRecord& g) { g.priority = 0; },
           [](GroupRecord& g) { g.addresses[0].version = 5; }}) {
    Configuration spoilt = configuration();
    spoil(spoilt.groups[0]);
    EXPECT_FALSE(parse_configuration(message_of(1, spoilt)).has_value());
  }
}

TEST(ha_channel, another_version_is_no_message) {
  Message message = message_of(1, TableRecord{.complete = 1});
  message[4] = static_cast<std::byte>(kChannelVersion + 1);
  EXPECT_FALSE(parse_header(message).has_value());
}

TEST(ha_channel, a_record_is_read_as_its_own_type_only) {
  const Message message = message_of(3, TableRecord{.complete = 1});
  EXPECT_EQ(parse_header(message)->sequence, 3U);
  EXPECT_EQ(parse_record<TableRecord>(message)->complete, 1);
  EXPECT_FALSE(parse_record<DigestRecord>(message).has_value());
}

TEST(ha_channel, a_report_comes_through_with_groups_and_paths) {
  Report report;
  report.groups.resize(2);
  report.groups[1].state = GroupState::active;
  report.paths.resize(1);
  report.paths[0].alive = 1;
  const auto parsed = parse_report(message_of(1, report));
  ASSERT_TRUE(parsed.has_value());
  ASSERT_EQ(parsed->groups.size(), 2U);
  EXPECT_EQ(parsed->groups[1].state, GroupState::active);
  EXPECT_EQ(parsed->paths[0].alive, 1);
}

TEST(ha_channel, text_ends_whatever_is_given) {
  EXPECT_EQ(InterfaceName("sixteen-letters-and-more").view(), "sixteen-letters");
  EXPECT_EQ(InterfaceName("").view(), "");
}

}  // namespace
}  // namespace astil::ha::test
