// Schedulers that go by the flows of each backend, and the counts that they go by.
#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "tests/packets/loads.hpp"
#include "tests/packets/world.hpp"

namespace astil::test {
namespace {

constexpr std::string_view kVip = "198.51.100.1";

std::string backend_name(std::size_t i) { return "10.0.0." + std::to_string(i + 1); }

class LoadScheduling : public PacketCase {
 protected:
  /// A service whose backends have these weights; 0: out of rotation.
  void publish(Service service, const std::vector<std::uint32_t>& weights) {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      service.backend(backend_name(i),
                      {.weight = std::max(weights[i], 1U),
                       .rotation = weights[i] == 0 ? dataplane::Rotation::out : dataplane::Rotation::in});
    }
    numbers_ = world().publish({service}).services[0].backends;
    weights_ = weights;
  }
  void send(std::uint16_t port, std::uint8_t flags) {
    world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).tcp(port, 80, flags));
  }
  /// The place among the service's backends of the one that a port's flow is on.
  std::size_t home(std::uint16_t port) {
    const auto flow = world().flow(kClient, port, kVip, 80);
    const auto place = std::find(numbers_.begin(), numbers_.end(), flow ? flow->backend : ~0U);
    EXPECT_NE(place, numbers_.end()) << "port " << port;
    return static_cast<std::size_t>(place - numbers_.begin());
  }
  /// Opens so many connections; how many each backend got.
  std::vector<int> spread_of(std::uint16_t connections) {
    std::vector<int> got(numbers_.size(), 0);
    for (std::uint16_t port = 1000; port < 1000 + connections; ++port) {
      send(port, kSyn);
      ++got[home(port)];
    }
    return got;
  }
  /// Every backend but one seems to have very many flows.
  void load_all_but(std::size_t empty) {
    for (std::size_t i = 0; i < numbers_.size(); ++i)
      if (i != empty) world().tables().loads()[numbers_[i]].opened += 1'000'000;
  }
  static int widest(const std::vector<int>& got) {
    const auto [least, most] = std::minmax_element(got.begin(), got.end());
    return *most - *least;
  }

  std::vector<std::uint32_t> numbers_;
  std::vector<std::uint32_t> weights_;
};
ASTIL_ON_EVERY_ENGINE(LoadScheduling);

/// The plain account of what least-connections promises.
class Account {
 public:
  explicit Account(std::vector<std::uint32_t> weights) : weights_(std::move(weights)), flows_(weights_.size(), 0) {}

  void open(std::size_t backend) { ++flows_[backend]; }
  void close(std::size_t backend) { --flows_[backend]; }
  /// Has no other backend fewer flows for its weight, with the new one?
  [[nodiscard]] bool is_least(std::size_t chosen) const {
    if (weights_[chosen] == 0) return false;
    for (std::size_t other = 0; other < weights_.size(); ++other) {
      if (weights_[other] != 0 && share(other) < share(chosen) * (1 - 1e-12)) return false;
    }
    return true;
  }

 private:
  [[nodiscard]] double share(std::size_t backend) const { return (flows_[backend] + 1.0) / weights_[backend]; }

  std::vector<std::uint32_t> weights_;
  std::vector<int> flows_;
};

TEST_P(LoadScheduling, least_connections_takes_the_backend_with_the_fewest_flows_for_its_weight) {
  for (const std::vector<std::uint32_t>& weights :
       {std::vector<std::uint32_t>{1, 1}, {3, 1, 0, 7, 2}, std::vector<std::uint32_t>(32, 5), {4095, 1, 1000}}) {
    SetUp();
    publish(Service(kVip, 80).direct().least_connections(), weights);
    Account account(weights);
    std::mt19937 random(7);
    std::map<std::uint16_t, std::size_t> open;
    for (std::uint16_t port = 1000; port < 1400; ++port) {
      send(port, kSyn);
      const std::size_t chosen = home(port);
      ASSERT_TRUE(account.is_least(chosen)) << "connection " << port << " of " << weights.size() << " backends";
      account.open(chosen);
      open[port] = chosen;
      while (!open.empty() && random() % 3 == 0) {
        const auto one = std::next(open.begin(), static_cast<long>(random() % open.size()));
        send(one->first, random() % 2 == 0 ? kFin | kAck : kRst);
        account.close(one->second);
        open.erase(one);
      }
    }
    EXPECT_TRUE_LOADS(world().tables());
  }
}

TEST_P(LoadScheduling, least_connections_lets_equals_take_turns) {
  publish(Service(kVip, 80).direct().least_connections(), std::vector<std::uint32_t>(8, 1));
  std::map<std::size_t, int> first;
  for (std::uint16_t port = 1000; port < 1160; ++port) {
    send(port, kSyn);
    ++first[home(port)];
    send(port, kRst);
  }
  EXPECT_EQ(first.size(), 8U) << "of idle backends it is not always the same that gets the next connection";
}

TEST_P(LoadScheduling, least_connections_follows_a_change_of_weights) {
  publish(Service(kVip, 80).direct().least_connections(), {1, 1});
  EXPECT_EQ(spread_of(20), (std::vector<int>{10, 10}));
  publish(Service(kVip, 80).direct().least_connections(), {3, 1});
  for (std::uint16_t port = 2000; port < 2020; ++port) send(port, kSyn);
  const auto loads = counted(world().tables());
  EXPECT_EQ(loads[numbers_[0]], 30U);
  EXPECT_EQ(loads[numbers_[1]], 10U);
}

TEST_P(LoadScheduling, of_many_backends_least_connections_spreads_evenly_by_samples) {
  publish(Service(kVip, 80).direct(), std::vector<std::uint32_t>(40, 1));
  const int by_ring = widest(spread_of(600));
  SetUp();
  publish(Service(kVip, 80).direct().least_connections(), std::vector<std::uint32_t>(40, 1));
  const int by_load = widest(spread_of(600));
  EXPECT_LE(by_load, 4) << "fewest and most, where the mean is 15";
  EXPECT_GE(by_ring, 3 * by_load);
}

TEST_P(LoadScheduling, of_many_backends_an_empty_one_is_found_by_eight_samples) {
  publish(Service(kVip, 80).direct().least_connections(), std::vector<std::uint32_t>(40, 1));
  load_all_but(7);
  EXPECT_NEAR(spread_of(500)[7], 500 * (1 - std::pow(1 - 1 / 40.0, 8)), 25);
}

TEST_P(LoadScheduling, two_choices_spread_far_more_evenly_than_the_ring) {
  publish(Service(kVip, 80).direct(), std::vector<std::uint32_t>(10, 1));
  const int by_ring = widest(spread_of(600));
  SetUp();
  publish(Service(kVip, 80).direct().two_choices(), std::vector<std::uint32_t>(10, 1));
  const int by_two = widest(spread_of(600));
  EXPECT_LE(by_two, 6) << "fewest and most, where the mean is 60";
  EXPECT_GE(by_ring, 3 * by_two);
}

TEST_P(LoadScheduling, two_choices_follow_the_weights) {
  publish(Service(kVip, 80).direct().two_choices(), {1, 2, 1, 4});
  const auto got = spread_of(640);
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], 80 * static_cast<int>(weights_[i]), 8) << i;
}

TEST_P(LoadScheduling, two_choices_of_two_backends_know_both) {
  publish(Service(kVip, 80).direct().two_choices(), {1, 1});
  EXPECT_LE(widest(spread_of(400)), 40) << "the same backend is drawn four times in a row for one flow of eight";
  EXPECT_TRUE_LOADS(world().tables());
}

TEST_P(LoadScheduling, two_choices_draw_up_to_four_times_for_another_one) {
  publish(Service(kVip, 80).direct().two_choices(), {1, 1});
  load_all_but(1);
  EXPECT_NEAR(spread_of(480)[0], 480 / 16, 15) << "the full one is drawn four times in a row";
}

TEST_P(LoadScheduling, two_choices_draw_an_empty_backend_for_a_fifth_of_ten) {
  publish(Service(kVip, 80).direct().two_choices(), std::vector<std::uint32_t>(10, 1));
  load_all_but(3);
  EXPECT_NEAR(spread_of(500)[3], 100, 25);
}

TEST_P(LoadScheduling, one_backend_gets_everything) {
  for (const bool two : {false, true}) {
    SetUp();
    const Service service = Service(kVip, 80).direct();
    publish(two ? Service(service).two_choices() : Service(service).least_connections(), {0, 1, 0});
    EXPECT_EQ(spread_of(20), (std::vector<int>{0, 20, 0}));
  }
}

TEST_P(LoadScheduling, without_a_backend_in_rotation_drops) {
  for (const bool two : {false, true}) {
    SetUp();
    const Service service = Service(kVip, 80).direct();
    publish(two ? Service(service).two_choices() : Service(service).least_connections(), {0, 0});
    const auto outcome = world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).tcp(9, 80, kSyn));
    EXPECT_EQ(outcome.reason, core::Reason::no_backend);
  }
}

TEST_P(LoadScheduling, counts_flows_of_udp_too) {
  numbers_ =
      world()
          .publish({Service(kVip, 53).udp().direct().least_connections().backend("10.0.0.1").backend("10.0.0.2")})
          .services[0]
          .backends;
  for (std::uint16_t port = 1000; port < 1020; ++port)
    world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).udp(port, 53));
  EXPECT_EQ(counted(world().tables())[numbers_[0]], 10U);
  EXPECT_EQ(counted(world().tables())[numbers_[1]], 10U);
}

TEST_P(LoadScheduling, counts_what_full_lines_give_up) {
  publish(Service(kVip, 80).direct().least_connections(), {1, 1, 1});
  for (std::uint32_t port = 1000; port < 5000; ++port) send(static_cast<std::uint16_t>(port), kSyn);
  EXPECT_GT(world().tables().sum_event(core::FlowEvent::evicted_half_open), 100U);
  EXPECT_TRUE_LOADS(world().tables());
}

TEST_P(LoadScheduling, counts_what_the_census_forgets) {
  publish(Service(kVip, 80).direct().least_connections(), {1, 1, 1});
  spread_of(100);
  for (std::uint16_t port = 1000; port < 1030; ++port) send(port, kFin | kAck);
  world().let_pass(20);
  EXPECT_EQ(dataplane::take_census(world().tables(), 0).expired, 100U);
  EXPECT_TRUE_LOADS(world().tables());
  EXPECT_EQ(counted(world().tables()), std::vector<std::uint32_t>(world().tables().sizes.backends, 0));
}

TEST_P(LoadScheduling, counts_a_port_that_is_used_again) {
  publish(Service(kVip, 80).direct().least_connections(), {1, 1, 1});
  for (int round = 0; round < 5; ++round) {
    for (std::uint16_t port = 1000; port < 1050; ++port) {
      send(port, kSyn);
      send(port, kAck);
      send(port, round % 2 == 0 ? kRst : kFin | kAck);
    }
  }
  spread_of(30);
  EXPECT_TRUE_LOADS(world().tables());
}

TEST_P(LoadScheduling, counts_a_connection_again_that_goes_on_after_a_forged_reset) {
  publish(Service(kVip, 80).direct().least_connections(), {1});
  send(1000, kSyn);
  send(1000, kRst);
  EXPECT_EQ(counted(world().tables())[numbers_[0]], 0U);
  world().send(Packet().ethernet(kBalancerMac, kClientMac).ipv4(kClient, kVip).tcp(1000, 80, kAck).payload(10));
  EXPECT_EQ(counted(world().tables())[numbers_[0]], 1U);
}

}  // namespace
}  // namespace astil::test
