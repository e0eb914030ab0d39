// Bursts through the DPDK engine: what looking ahead does must not be seen. A frame in a burst of many comes out as it
// does alone.
#include <algorithm>

#include "tests/packets/dpdk_world.hpp"
#include "tests/packets/mutator.hpp"
#include "tests/packets/sense.hpp"

namespace astil::test {
namespace {

constexpr std::uint64_t kSeedOfBursts = 20260101;
constexpr std::size_t kBursts = 2000;

std::vector<Service> services() {
  std::vector<Service> list;
  for (const Hosts* hosts : {&kHosts4, &kHosts6}) {
    const auto service = [&, port = kFirstServicePort](std::uint16_t offset) {
      return Service(hosts->service, static_cast<std::uint16_t>(port + offset)).ring_length(64);
    };
    list.push_back(service(0).nat().backend(hosts->backends[0], {.port = kBackendPort}));
    list.push_back(service(1).tunnel().backend(hosts->backends[0]).backend(hosts->backends[1]));
    list.push_back(service(2).direct().round_robin().backend(hosts->backends[0]));
    list.push_back(service(5).udp().gue().backend(hosts->backends[0]).backend(hosts->backends[1]));
  }
  return list;
}

class Bursts : public testing::TestWithParam<std::size_t> {};

TEST_P(Bursts, come_out_as_their_frames_do_alone) {
  World alone(native_engine(small_sizes()));
  auto engine = dpdk_burst_engine(small_sizes());
  DpdkTestEngine& dpdk = *engine;
  World together(std::move(engine));
  alone.publish(services());
  together.publish(services());
  Mutator mutator(kSeedOfBursts);
  for (std::size_t i = 0; i < kBursts; ++i) {
    std::vector<Bytes> frames(GetParam());
    std::generate(frames.begin(), frames.end(), [&] { return mutator.next(); });
    std::vector<Exit> exits;
    std::vector<Bytes> expected = frames;
    for (Bytes& frame : expected) exits.push_back(alone.engine().run(frame));
    ASSERT_EQ(dpdk.run_burst(frames), exits) << "burst " << i;
    ASSERT_TRUE(frames == expected) << "burst " << i;
  }
  EXPECT_EQ(difference(alone.tables(), together.tables(), 0), "");
  EXPECT_GT(together.tables().sum_counter(0).packets, kBursts / 100);
}

INSTANTIATE_TEST_SUITE_P(of, Bursts, testing::Values(2U, 8U, 32U, 64U));

}  // namespace
}  // namespace astil::test
