// The publisher: numbers that stay, all or nothing, room that is used again.
#include "dataplane/publisher.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/dataplane_watching.hpp"

namespace astil::dataplane {
namespace {

using test::Service;

constexpr std::string_view kVip = "198.51.100.1";

constexpr core::Sizes kSizes{.cpus = 2,
                             .flow_lines = 16,
                             .services = 4,
                             .backends = 8,
                             .ring_lines = 32,
                             .member_lines = 8,
                             .index_lines = 16,
                             .client_lines = 0,
                             .source_ranges = 64,
                             .source_buckets = 16};

class PublisherCase : public testing::Test {
 protected:
  [[nodiscard]] const Tables& tables() const { return engine_.tables(); }
  Published publish(const std::vector<Service>& services) {
    return publisher_.publish(test::desired(services)).value();
  }

  [[nodiscard]] std::vector<test::Bytes> contents() const {
    std::vector<test::Bytes> copies;
    for (std::size_t i = 0; i < kTableCount; ++i) {
      const TableSpec& spec = kTableSpecs[i];
      copies.emplace_back(tables().memory[i], tables().memory[i] + spec.record_bytes * spec.records(tables().sizes));
    }
    return copies;
  }

  test::WatchingEngine engine_{kSizes};
  Publisher publisher_{engine_};
};

Service web() { return Service(kVip, 80).nat().ring_length(32).backend("10.0.0.1").backend("10.0.0.2"); }
Service mail() { return Service(kVip, 25).tunnel().ring_length(32).backend("10.0.0.1").backend("10.0.0.3"); }

TEST_F(PublisherCase, publishing_the_same_again_changes_nothing) {
  const Published first = publish({web(), mail()});
  EXPECT_TRUE(first.switched);
  const auto before = contents();
  EXPECT_FALSE(publish({web(), mail()}).switched);
  EXPECT_EQ(contents(), before);
}

TEST_F(PublisherCase, ids_and_numbers_stay_when_others_come_and_go) {
  const Published first = publish({web(), mail()});
  const Published second = publish({mail().backend("10.0.0.4"), Service(kVip, 443).nat().backend("10.0.0.5"), web()});
  EXPECT_EQ(second.services[2].id, first.services[0].id);
  EXPECT_EQ(second.services[2].backends, first.services[0].backends);
  EXPECT_EQ(second.services[0].id, first.services[1].id);
  EXPECT_TRUE(std::equal(first.services[1].backends.begin(), first.services[1].backends.end(),
                         second.services[0].backends.begin()));
}

TEST_F(PublisherCase, a_backends_record_says_by_which_way_plain_packets_of_its_flows_go) {
  const auto quick = [&](const Service& service) {
    return tables().backends()[publish({service}).services[0].backends[0]].quick;
  };
  EXPECT_EQ(quick(Service(kVip, 80).nat().ring_length(32).backend("10.0.0.1")), core::Way::nat);
  EXPECT_EQ(quick(Service(kVip, 81).tunnel().ring_length(32).backend("10.0.0.1")), core::Way::ipip4);
  EXPECT_EQ(quick(Service(kVip, 82).direct().ring_length(32).backend("10.0.0.1")), core::Way::direct);
  const auto rotated = [&](Rotation rotation) {
    return quick(Service(kVip, 82).direct().ring_length(32).backend("10.0.0.1", {.rotation = rotation}));
  };
  EXPECT_EQ(rotated(Rotation::out), core::Way::direct);
  for (const Rotation rotation : {Rotation::down, Rotation::lost, Rotation::reset})
    EXPECT_EQ(rotated(rotation), core::Way::none) << "its flows may leave it";
  EXPECT_EQ(rotated(Rotation::in), core::Way::direct);
}

TEST_F(PublisherCase, a_backend_that_nobody_wants_any_more_keeps_its_way) {
  const Service service = Service(kVip, 82).direct().ring_length(32).backend("10.0.0.1");
  const Service wanted_by_none = Service(kVip, 82).direct().ring_length(32).backend("10.0.0.2");
  const std::uint32_t number = publish({Service(service)}).services[0].backends[0];
  publish({Service(wanted_by_none)});
  EXPECT_EQ(tables().backends()[number].rotation, Rotation::out);
  EXPECT_EQ(tables().backends()[number].quick, core::Way::direct);
}

TEST_F(PublisherCase, a_new_publisher_finds_ids_and_numbers_again) {
  const Published first = publish({web(), mail()});
  const auto before = contents();
  Publisher restarted(engine_);
  const Published second = restarted.publish(test::desired({mail(), web()})).value();
  EXPECT_FALSE(second.switched);
  EXPECT_EQ(second.services[1].backends, first.services[0].backends);
  EXPECT_EQ(second.services[0].backends, first.services[1].backends);
  EXPECT_EQ(contents(), before);
}

TEST_F(PublisherCase, a_change_of_rotation_or_next_hop_switches_no_generation) {
  publish({web()});
  auto state = test::desired({web()});
  state.services[0].backends[1].rotation = Rotation::out;
  state.services[0].backends[0].destination_mac = test::mac(0x55);
  EXPECT_FALSE(publisher_.publish(state).value().switched);
  EXPECT_EQ(tables().backends()[1].rotation, core::Rotation::out);
  EXPECT_EQ(tables().backends()[0].destination_mac, test::mac(0x55));
}

TEST_F(PublisherCase, the_list_of_members_has_the_weights_of_those_in_rotation) {
  const auto weights = [&] {
    const core::Service& service = tables().services_of(tables().active())[0];
    std::vector<std::uint32_t> list;
    for (std::uint32_t i = 0; i < service.members; ++i)
      list.push_back(core::weight_of_member(tables().member_word(service, i)));
    return list;
  };
  auto state = test::desired({web()});
  state.services[0].backends[0].weight = 1000;
  state.services[0].backends[1].weight = 3;
  ASSERT_TRUE(publisher_.publish(state).has_value());
  EXPECT_EQ(weights(), (std::vector<std::uint32_t>{1000, 3}));
  state.services[0].backends[1].rotation = Rotation::out;
  state.services[0].backends[0].weight = 2;
  EXPECT_FALSE(publisher_.publish(state).value().switched) << "stored in place";
  EXPECT_EQ(weights(), (std::vector<std::uint32_t>{2, 0}));
}

TEST_F(PublisherCase, schedulers_affinity_and_limit_are_read_back) {
  auto state = test::desired({web().source_hash(24).affinity(100, 16), mail().two_choices()});
  state.services[1].backends[0].weight = 5;
  state.services[1].backends[1].weight = 70;
  state.new_flows_per_second = 6400;
  ASSERT_TRUE(publisher_.publish(state).has_value());
  EXPECT_EQ(tables().settings().new_flows_per_unit, 100U);
  EXPECT_EQ(tables().settings().timeouts[static_cast<std::size_t>(core::FlowState::affinity)], 8U);
  const DesiredState read = read_state(tables());
  EXPECT_EQ(read.new_flows_per_second, 6400U);
  ASSERT_EQ(read.services.size(), 2U);
  EXPECT_EQ(read.services[0].scheduler, core::Scheduler::source_hash);
  EXPECT_EQ(read.services[0].source_bits, 120);
  EXPECT_EQ(read.services[0].affinity, (Affinity{.seconds = 112, .bits = 112})) << "in whole ticks";
  EXPECT_EQ(read.services[1].scheduler, core::Scheduler::two_choices);
  EXPECT_EQ(read.services[1].affinity, std::nullopt);
  ASSERT_EQ(read.services[1].backends.size(), 2U);
  EXPECT_EQ(read.services[1].backends[0].weight, 5U);
  EXPECT_EQ(read.services[1].backends[1].weight, 70U);
}

TEST_F(PublisherCase, a_limit_of_new_flows_is_never_rounded_down_to_none) {
  auto state = test::desired({web()});
  for (const auto& [per_second, per_unit] : {std::pair{0U, 0U}, {1U, 1U}, {64U, 1U}, {65U, 2U}, {100'000U, 1563U}}) {
    state.new_flows_per_second = per_second;
    ASSERT_TRUE(publisher_.publish(state).has_value());
    EXPECT_EQ(tables().settings().new_flows_per_unit, per_unit) << per_second;
  }
}

TEST_F(PublisherCase, what_a_service_that_has_nobody_does_is_read_back) {
  publish({web().refusing(), mail()});
  const DesiredState read = read_state(tables());
  EXPECT_EQ(read.services[0].when_none, WhenNone::refuse);
  EXPECT_EQ(read.services[1].when_none, WhenNone::drop);
}

TEST_F(PublisherCase, full_lines_go_by_the_longest_affinity_that_any_service_has) {
  const auto ticks = [&] { return tables().settings().timeouts[static_cast<std::size_t>(core::FlowState::affinity)]; };
  publish({web().affinity(800, 16), mail().affinity(100, 16)});
  EXPECT_EQ(ticks(), 51U);
  publish({web().affinity(100, 16), mail().affinity(320, 16)});
  EXPECT_EQ(ticks(), 21U);
  publish({web(), mail()});
  EXPECT_EQ(ticks(), 0U);
}

TEST_F(PublisherCase, lists_and_limits_of_sources_are_read_back_and_switch_a_generation_when_they_change) {
  const auto with = [&](std::string_view denied) {
    return test::desired({web().deny(denied, 24).allow("10.0.0.0", 8).limit(100, 250, 28), mail().limit(7, 7, 32)});
  };
  EXPECT_TRUE(publisher_.publish(with("10.1.2.0")).value().switched);
  EXPECT_FALSE(publisher_.publish(with("10.1.2.0")).value().switched);
  const DesiredState read = read_state(tables());
  ASSERT_EQ(read.services.size(), 2U);
  EXPECT_EQ(read.services[0].sources, with("10.1.2.0").services[0].sources);
  EXPECT_EQ(read.services[1].sources, with("10.1.2.0").services[1].sources);
  EXPECT_EQ(pool_use(tables()).source_ranges, 5U);
  EXPECT_TRUE(publisher_.publish(with("10.1.3.0")).value().switched);
  EXPECT_EQ(read_state(tables()).services[0].sources, with("10.1.3.0").services[0].sources);
  EXPECT_TRUE(publisher_.publish(test::desired({web(), mail()})).value().switched);
  EXPECT_EQ(read_state(tables()).services[0].sources, SourceControl{});
}

TEST_F(PublisherCase, too_many_prefixes_of_sources_leave_everything_as_it_was) {
  publish({web()});
  const auto before = contents();
  Service many = web();
  for (unsigned i = 0; i < 200; ++i) many.deny("10.0." + std::to_string(i) + ".4", 32);
  const auto refused = publisher_.publish(test::desired({many}));
  ASSERT_TRUE(refused.has_error());
  EXPECT_NE(refused.error().text().find("dataplane.tables.source_prefixes"), std::string::npos);
  EXPECT_EQ(contents(), before);
}

TEST_F(PublisherCase, too_many_services_backends_or_slots_leave_everything_as_it_was) {
  publish({web()});
  const auto before = contents();
  std::vector<Service> services;
  for (std::uint16_t port = 1; port <= 5; ++port)
    services.push_back(Service(kVip, port).direct().ring_length(32).backend("10.0.0.1"));
  Service crowded = web();
  for (int i = 10; i < 20; ++i) crowded.backend("10.0.0." + std::to_string(i));
  for (const auto& [wanted, key] : {std::pair{services, "dataplane.tables.services"},
                                    {{crowded}, "dataplane.tables.backends"},
                                    {{web().ring_length(4096)}, "dataplane.tables.ring_slots"}}) {
    const auto refused = publisher_.publish(test::desired(wanted));
    ASSERT_TRUE(refused.has_error()) << key;
    EXPECT_NE(refused.error().remedy.find(key), std::string::npos) << refused.error().text();
    EXPECT_EQ(contents(), before) << key;
  }
  EXPECT_FALSE(publish({web()}).switched);
}

TEST_F(PublisherCase, a_removed_backend_retires_and_is_released_when_no_flow_holds_it) {
  const Published first = publish({web()});
  const std::uint32_t removed = first.services[0].backends[1];
  publish({Service(kVip, 80).nat().ring_length(32).backend("10.0.0.1")});
  ASSERT_EQ(publisher_.retired().size(), 1U);
  EXPECT_EQ(publisher_.retired()[0].number, removed);
  EXPECT_EQ(tables().backends()[removed].rotation, core::Rotation::out);
  EXPECT_EQ(publisher_.release([](std::uint32_t) { return true; }), 0U);
  EXPECT_EQ(tables().backends()[removed].service, first.services[0].id);
  EXPECT_EQ(publisher_.release([](std::uint32_t) { return false; }), 1U);
  EXPECT_EQ(tables().backends()[removed].service, core::kNoService);
  EXPECT_TRUE(publisher_.retired().empty());
}

TEST_F(PublisherCase, release_never_takes_a_backend_that_is_wanted) {
  publish({web()});
  EXPECT_EQ(publisher_.release([](std::uint32_t) { return false; }), 0U);
}

TEST_F(PublisherCase, a_backend_that_comes_back_before_its_release_has_its_number) {
  const Published first = publish({web()});
  publish({Service(kVip, 80).nat().ring_length(32).backend("10.0.0.1")});
  EXPECT_EQ(publish({web()}).services[0].backends, first.services[0].backends);
  EXPECT_TRUE(publisher_.retired().empty());
}

TEST_F(PublisherCase, the_id_of_a_removed_service_waits_for_its_last_flow) {
  const Published first = publish({web(), mail()});
  publish({mail()});
  EXPECT_NE(publish({mail(), Service(kVip, 443).direct().ring_length(32).backend("10.0.0.9")}).services[1].id,
            first.services[0].id);
  publish({mail()});
  publisher_.release([](std::uint32_t) { return false; });
  EXPECT_EQ(publish({mail(), Service(kVip, 8443).direct().ring_length(32).backend("10.0.0.9")}).services[1].id,
            first.services[0].id);
}

TEST_F(PublisherCase, a_service_that_comes_back_before_its_release_has_its_id_and_numbers) {
  const Published first = publish({web(), mail()});
  const std::uint32_t removed = first.services[0].backends[0];
  publish({mail()});
  EXPECT_EQ(tables().backends()[removed].service_protocol, 0);
  const Published second = publish({Service(kVip, 443).direct().ring_length(32).backend("10.0.0.9"), web(), mail()});
  EXPECT_EQ(second.services[1].id, first.services[0].id);
  EXPECT_EQ(second.services[1].backends, first.services[0].backends);
  EXPECT_EQ(tables().backends()[removed].service_protocol, core::kProtocolTcp);
  EXPECT_TRUE(publisher_.retired().empty());
}

TEST_F(PublisherCase, a_service_that_comes_back_after_a_restart_has_its_id_and_numbers) {
  const Published first = publish({web(), mail()});
  publish({mail()});
  Publisher restarted(engine_);
  const Published second = restarted.publish(test::desired({mail(), web()})).value();
  EXPECT_EQ(second.services[1].id, first.services[0].id);
  EXPECT_EQ(second.services[1].backends, first.services[0].backends);
}

TEST_F(PublisherCase, the_key_of_a_removed_service_gives_way_to_the_one_that_takes_its_id) {
  const Published first = publish({web(), mail()});
  publish({mail()});
  publisher_.release([](std::uint32_t) { return false; });
  const Service secure = Service(kVip, 443).direct().ring_length(32).backend("10.0.0.9");
  EXPECT_EQ(publish({mail(), secure}).services[1].id, first.services[0].id);
  EXPECT_NE(publish({mail(), secure, web()}).services[2].id, first.services[0].id);
}

TEST_F(PublisherCase, what_a_released_backend_has_counted_goes_to_its_service) {
  const Published first = publish({web()});
  const std::uint32_t removed = first.services[0].backends[1];
  tables().counters()[removed].packets = 100;
  tables().counters()[tables().counter_stride() + removed].packets = 11;
  publish({Service(kVip, 80).nat().ring_length(32).backend("10.0.0.1")});
  publisher_.release([](std::uint32_t) { return false; });
  EXPECT_EQ(tables().sum_counter(removed).packets, 0U);
  EXPECT_EQ(tables().sum_counter(tables().sizes.backends + first.services[0].id).packets, 111U);
}

/// Everything that a packet can come to from the service records of a generation.
std::vector<std::uint32_t> choices_of(const Tables& tables, std::uint32_t generation) {
  std::vector<std::uint32_t> numbers;
  for (const core::Service& service : tables.services_of(generation)) {
    if (service.in_use == 0) continue;
    for (const core::RingSpan& span : {service.ring, service.wheel}) {
      for (std::uint32_t slot = 0; slot < span.length; ++slot) {
        numbers.push_back(tables.member(service, tables.ring_entry(span, slot)));
      }
    }
  }
  return numbers;
}

TEST_F(PublisherCase, room_for_rings_is_used_again_for_ever_but_never_under_a_packet) {
  std::vector<std::uint32_t> before;
  engine_.at_wait = [&] { EXPECT_EQ(choices_of(tables(), 1 - tables().active()), before); };
  for (int i = 0; i < 10'000; ++i) {
    const auto weight = static_cast<std::uint32_t>(1 + i % 7);
    const std::uint32_t length = 32U << (static_cast<unsigned>(i) * 5 % 3);
    const Service changing = Service(kVip, 80)
                                 .nat()
                                 .round_robin()
                                 .ring_length(length)
                                 .backend("10.0.0.1", {.weight = weight})
                                 .backend("10.0.0.2");
    const auto published = publisher_.publish(test::desired({changing, mail()}));
    ASSERT_TRUE(published.has_value()) << i << ": " << published.error().text();
    before = choices_of(tables(), tables().active());
    ASSERT_EQ(before.size(), length + weight + 1 + 32U);
    ASSERT_FALSE(HasFailure()) << i;
  }
}

TEST_F(PublisherCase, a_backend_that_changes_its_nat_service_waits_for_its_old_flows) {
  const auto other = [](std::string_view backend) {
    return Service(kVip, 443).nat().ring_length(32).backend(backend, {.port = 80});
  };
  const Service less = Service(kVip, 80).nat().ring_length(32).backend("10.0.0.1");
  publish({web(), other("10.0.0.3")});
  const auto refused = publisher_.publish(test::desired({less, other("10.0.0.2")}));
  ASSERT_TRUE(refused.has_error());
  EXPECT_NE(refused.error().what.find("10.0.0.2:80"), std::string::npos) << refused.error().text();
  publish({less, other("10.0.0.3")});
  publisher_.release([](std::uint32_t) { return false; });
  EXPECT_TRUE(publisher_.publish(test::desired({less, other("10.0.0.2")})).has_value());
}

}  // namespace
}  // namespace astil::dataplane
