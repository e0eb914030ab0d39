// Two balancers that sync their flows, in tests: each a packet path, between them a net that loses, delays, doubles and
// cuts as it is told, and one clock that goes on only when a test says so.
#pragma once

#include <map>
#include <random>

#include "control/ha/sync/peer.hpp"
#include "tests/packets/world.hpp"

namespace astil::ha::sync {

using namespace std::chrono_literals;
using test::kAck;
using test::kClient;
using test::kClient6;
using test::kFin;
using test::kSyn;
using test::Packet;
using test::Service;
using test::World;

inline constexpr std::string_view kVip = "198.51.100.1";
inline constexpr std::string_view kVip6 = "2001:db8:5::1";

inline Secret secret_of(std::uint8_t seed) {
  Secret secret{};
  secret.fill(seed);
  return secret;
}

/// What the net does to datagrams.
struct Weather {
  double loss = 0;
  double twice = 0;
  std::chrono::microseconds delay{100};
  std::chrono::microseconds jitter{0};  ///< more than that, by chance: datagrams overtake each other
  bool cut = false;
};

class Pair {
 public:
  using Datagram = std::vector<std::byte>;

  struct Node {
    std::unique_ptr<World> world;
    std::unique_ptr<Peer> peer;
    Keyring keys{secret_of(1)};
    std::uint32_t generation = 0;
  };

  explicit Pair(const core::Sizes& a = test::small_sizes(), const core::Sizes& b = test::small_sizes()) {
    nodes_[0].world = std::make_unique<World>(test::native_engine(a));
    nodes_[1].world = std::make_unique<World>(test::native_engine(b));
  }

  void publish(std::size_t node, const std::vector<Service>& services) {
    nodes_[node].world->publish(services);
    if (nodes_[node].peer) nodes_[node].peer->names_changed();
  }
  void publish(const std::vector<Service>& services) {
    publish(0, services);
    publish(1, services);
  }

  void start(std::size_t node) {
    Node& own = nodes_[node];
    const std::uint32_t generation = ++own.generation;
    own.peer = std::make_unique<Peer>(own.world->tables(), own.keys, options,
                                      Peer::Surroundings{.send =
                                                             [this, node](std::size_t path, Bytes datagram) {
                                                               carry(1 - node, path, datagram);
                                                               return true;
                                                             },
                                                         .random =
                                                             [this, node, generation](std::span<std::uint8_t> out) {
                                                               (void)generation;
                                                               for (std::uint8_t& byte : out)
                                                                 byte = static_cast<std::uint8_t>(random_());
                                                               out[0] = static_cast<std::uint8_t>(node);
                                                             },
                                                         .tick = [] { return 0U; },
                                                         .clock = [this] { return now_; }});
  }
  void start() {
    start(0);
    start(1);
  }
  /// The process ends; its tables stay, if they are pinned.
  void stop(std::size_t node) { nodes_[node].peer.reset(); }

  /// Lets time go by.
  void run(Clock::duration time) {
    const Time end = now_ + time;
    while (now_ < end) {
      deliver();
      for (Node& node : nodes_) {
        for (int i = 0; node.peer && i < 64 && node.peer->due() <= now_; ++i) node.peer->run();
      }
      now_ += 100us;
    }
  }
  /// Until it is true; false: not within so much time.
  bool run_until(const std::function<bool()>& is_so, Clock::duration limit) {
    const Time end = now_ + limit;
    while (!is_so()) {
      if (now_ >= end) return false;
      run(1ms);
    }
    return true;
  }

  /// The node has all that the other one had when their session began.
  [[nodiscard]] bool complete(std::size_t node) { return nodes_[node].peer->has_peer_table(); }
  bool both_complete(Clock::duration limit = 5s) {
    return run_until([this] { return complete(0) && complete(1); }, limit);
  }

  [[nodiscard]] World& world(std::size_t node) { return *nodes_[node].world; }
  [[nodiscard]] Peer& peer(std::size_t node) { return *nodes_[node].peer; }
  [[nodiscard]] PeerStatus status(std::size_t node) { return nodes_[node].peer->status(); }
  [[nodiscard]] std::uint64_t fate(std::size_t node, Fate fate) {
    return status(node).records[static_cast<std::size_t>(fate)];
  }
  void set_keys(std::size_t node, Keyring keys) { nodes_[node].keys = std::move(keys); }
  [[nodiscard]] Time now() const { return now_; }

  /// Gives a datagram to a node, from nowhere.
  void inject(std::size_t node, Bytes datagram) { nodes_[node].peer->receive(0, datagram); }

  PeerOptions options;
  Weather weather;
  std::vector<std::pair<std::size_t, Datagram>> seen;  ///< all that was sent, and to whom, while `records` is true
  bool records = false;

 private:
  struct Flying {
    std::size_t to;
    std::size_t path;
    Datagram bytes;
  };

  bool chance(double share) { return std::uniform_real_distribution<double>(0, 1)(random_) < share; }

  void carry(std::size_t to, std::size_t path, Bytes datagram) {
    if (records) seen.emplace_back(to, Datagram(datagram.begin(), datagram.end()));
    if (weather.cut || chance(weather.loss)) return;
    for (int copies = chance(weather.twice) ? 2 : 1; copies > 0; --copies) {
      const auto more = weather.jitter.count() == 0
                            ? 0
                            : std::uniform_int_distribution<std::int64_t>(0, weather.jitter.count())(random_);
      flying_.emplace(now_ + weather.delay + std::chrono::microseconds(more),
                      Flying{to, path, Datagram(datagram.begin(), datagram.end())});
    }
  }
  void deliver() {
    while (!flying_.empty() && flying_.begin()->first <= now_) {
      const Flying flying = std::move(flying_.begin()->second);
      flying_.erase(flying_.begin());
      if (nodes_[flying.to].peer) nodes_[flying.to].peer->receive(flying.path, flying.bytes);
    }
  }

  Time now_{std::chrono::hours(1)};
  std::mt19937 random_{7};
  std::multimap<Time, Flying> flying_;
  std::array<Node, 2> nodes_;
};

/// Opens connections of one client's ports from `first` on, established ones where `acknowledged`.
inline void open_direct(World& world, std::uint16_t first, std::uint16_t count, bool acknowledged = true) {
  const auto send = [&](std::uint16_t port, std::uint8_t flags) {
    world.send(Packet().ethernet(test::kBalancerMac, test::kClientMac).ipv4(kClient, kVip).tcp(port, 80, flags));
  };
  for (std::uint16_t port = first; port < first + count; ++port) send(port, kSyn);
  if (!acknowledged) return;
  world.let_pass(1);
  for (std::uint16_t port = first; port < first + count; ++port) send(port, kAck);
}

/// How many of these connections the other node has with the same backend and state.
inline std::size_t same(Pair& pair, std::uint16_t first, std::uint16_t count, std::string_view client = kClient,
                        std::string_view vip = kVip) {
  std::size_t found = 0;
  for (std::uint16_t port = first; port < first + count; ++port) {
    const auto here = pair.world(0).flow(client, port, vip, 80);
    const auto there = pair.world(1).flow(client, port, vip, 80);
    if (!here || !there || here->state != there->state) continue;
    found += pair.world(0).backend_address(here->backend) == pair.world(1).backend_address(there->backend) ? 1 : 0;
  }
  return found;
}

inline Service web() { return Service(kVip, 80).direct().backend("10.0.0.1").backend("10.0.0.2").backend("10.0.0.3"); }

}  // namespace astil::ha::sync
