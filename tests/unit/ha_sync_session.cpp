// What is not authentic, not fresh or not readable changes nothing, and is counted by its reason.
#include "tests/unit/ha_sync_pair.hpp"

namespace astil::ha::sync {
namespace {

std::uint64_t dropped(Pair& pair, Drop drop) { return pair.status(1).session.dropped[static_cast<std::size_t>(drop)]; }

class SyncSession : public testing::Test {
 protected:
  void SetUp() override {
    pair_.publish({web()});
    open_direct(pair_.world(0), 1000, 20);
    pair_.records = true;
    pair_.start();
    ASSERT_TRUE(pair_.both_complete());
    pair_.records = false;
    for (const auto& [to, datagram] : pair_.seen) {
      if (to == 1) recorded_.push_back(datagram);
    }
    sessions_ = pair_.status(1).session.sessions;
  }

  Pair pair_;
  std::vector<Pair::Datagram> recorded_;
  std::uint64_t sessions_ = 0;
};

TEST_F(SyncSession, drops_a_datagram_that_has_come_already) {
  const auto writes = pair_.fate(1, Fate::written);
  for (const auto& datagram : recorded_) pair_.inject(1, datagram);
  EXPECT_GT(dropped(pair_, Drop::replayed), 0U);
  EXPECT_EQ(pair_.fate(1, Fate::written), writes);
  EXPECT_EQ(pair_.fate(1, Fate::known), 0U);
  EXPECT_EQ(pair_.status(1).session.sessions, sessions_);
}

TEST_F(SyncSession, drops_what_was_recorded_of_an_earlier_session) {
  pair_.start(1);
  ASSERT_TRUE(pair_.both_complete());
  const auto before = pair_.status(1);
  const auto stale = dropped(pair_, Drop::stale);
  for (const auto& datagram : recorded_) pair_.inject(1, datagram);
  pair_.run(500ms);
  EXPECT_GT(dropped(pair_, Drop::stale), stale);
  EXPECT_EQ(pair_.status(1).records, before.records);
  EXPECT_EQ(pair_.status(1).session.sessions, before.session.sessions);
  EXPECT_TRUE(pair_.complete(1));
}

TEST_F(SyncSession, begins_anew_though_recorded_hellos_come_all_the_time) {
  pair_.start(1);
  for (int i = 0; i < 2000 && !pair_.complete(1); ++i) {
    for (std::size_t at = 0; at < recorded_.size() && at < 4; ++at) pair_.inject(1, recorded_[at]);
    pair_.run(1ms);
  }
  EXPECT_TRUE(pair_.complete(1));
}

TEST_F(SyncSession, drops_a_datagram_with_any_bit_changed) {
  const auto before = pair_.status(1).records;
  Pair::Datagram datagram = recorded_.back();
  for (std::size_t bit = 0; bit < datagram.size() * 8; ++bit) {
    datagram[bit / 8] ^= std::byte(1U << (bit % 8));
    pair_.inject(1, datagram);
    datagram[bit / 8] ^= std::byte(1U << (bit % 8));
  }
  const auto malformed = dropped(pair_, Drop::malformed);
  EXPECT_EQ(malformed, 5U * 8U);  // magic and version
  EXPECT_EQ(dropped(pair_, Drop::unknown_key), 4U * 8U);
  EXPECT_EQ(dropped(pair_, Drop::unauthenticated), (datagram.size() - 9) * 8);
  EXPECT_EQ(pair_.status(1).records, before);
}

TEST_F(SyncSession, drops_a_datagram_that_was_cut_short_anywhere) {
  const Pair::Datagram& datagram = recorded_.back();
  for (std::size_t length = 0; length < datagram.size(); ++length) pair_.inject(1, Bytes(datagram).first(length));
  EXPECT_EQ(dropped(pair_, Drop::malformed) + dropped(pair_, Drop::unauthenticated), datagram.size());
}

TEST_F(SyncSession, drops_its_own_datagrams_that_come_back) {
  for (const auto& [to, datagram] : pair_.seen) {
    if (to == 0) pair_.inject(1, datagram);
  }
  EXPECT_GT(dropped(pair_, Drop::stale), 0U);
  EXPECT_EQ(pair_.status(1).session.sessions, sessions_);
}

TEST(SyncKeys, of_another_secret_are_refused_by_name) {
  Pair pair;
  pair.publish({web()});
  pair.set_keys(1, Keyring(secret_of(2)));
  pair.start();
  pair.run(1s);
  EXPECT_FALSE(pair.status(1).up);
  EXPECT_GT(dropped(pair, Drop::unknown_key), 0U);
}

TEST(SyncKeys, change_without_a_time_in_which_the_nodes_do_not_understand_each_other) {
  Pair pair;
  pair.publish({web()});
  pair.start();
  ASSERT_TRUE(pair.both_complete());
  // First each node takes the new secret beside the old one, then each sends by it, then the old one goes.
  const std::array<std::pair<std::size_t, Keyring>, 4> steps{{{0, Keyring(secret_of(1), secret_of(2))},
                                                              {1, Keyring(secret_of(2), secret_of(1))},
                                                              {0, Keyring(secret_of(2), secret_of(1))},
                                                              {1, Keyring(secret_of(2))}}};
  for (const auto& [node, keys] : steps) {
    pair.set_keys(node, keys);
    pair.start(node);
    ASSERT_TRUE(pair.both_complete());
  }
}

TEST(SyncArrivals, tell_what_has_come_within_the_window) {
  Arrivals arrivals;
  EXPECT_FALSE(arrivals.take(0));
  EXPECT_TRUE(arrivals.take(5));
  EXPECT_TRUE(arrivals.take(3));
  EXPECT_FALSE(arrivals.take(3));
  EXPECT_TRUE(arrivals.take(5000));
  EXPECT_FALSE(arrivals.take(5000 - Arrivals::kWindow));
  EXPECT_TRUE(arrivals.take(5001 - Arrivals::kWindow));
  EXPECT_FALSE(arrivals.take(5));
  const Ack ack = arrivals.ack();
  EXPECT_EQ(host(ack.highest), 5000U);
  EXPECT_EQ(ack.before[0], 0);
}

TEST(SyncWire, takes_a_body_only_if_its_records_fill_it) {
  std::array<std::byte, 4 + 2 * sizeof(Flow4)> plain{};
  plain[0] = std::byte(Kind::flows4);
  plain[3] = std::byte(2);
  EXPECT_TRUE(parse_body(plain));
  EXPECT_FALSE(parse_body(Bytes(plain).first(plain.size() - 1)));
  plain[3] = std::byte(3);
  EXPECT_FALSE(parse_body(plain));
  plain[0] = std::byte(99);
  EXPECT_FALSE(parse_body(plain));
}

}  // namespace
}  // namespace astil::ha::sync
