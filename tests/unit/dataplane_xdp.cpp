// The engine of the XDP hook with its pins and links, in a network namespace of its own. Needs root.
#include "dataplane/xdp/xdp_dataplane.hpp"

#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "dataplane/publisher.hpp"
#include "dataplane/xdp/pins.hpp"
#include "tests/packets/world.hpp"

namespace astil::xdp {
namespace {

using test::Packet;
using test::Service;

constexpr std::string_view kVip = "198.51.100.1";

Service web() { return Service(kVip, 80).nat().backend("10.0.0.1").backend("10.0.0.2"); }

class Xdp : public testing::Test {
 protected:
  void SetUp() override {
    // Which also moves this thread to the namespace that has the interfaces.
    if (auto able = test::xdp_engine(test::small_sizes()); able.has_error())
      GTEST_SKIP() << "no kernel engine here: " << able.error().text();
    ASSERT_TRUE(remove_instance(options_.instance).has_value());
  }
  void TearDown() override { (void)remove_instance(options_.instance); }

  [[nodiscard]] std::filesystem::path folder() const { return options_.bpffs / "astil" / options_.instance; }
  [[nodiscard]] std::size_t table_folders() const { return pinned_table_folders(folder()).size(); }
  [[nodiscard]] static std::uint32_t program_of(int link) {
    bpf_link_info info{};
    std::uint32_t length = sizeof(info);
    return ::bpf_obj_get_info_by_fd(link, &info, &length) == 0 ? info.prog_id : 0;
  }
  [[nodiscard]] std::uint32_t program_at(std::string_view pin) const {
    const base::Descriptor link(::bpf_obj_get((folder() / pin).c_str()));
    return program_of(link.get());
  }

  /// A packet path with a service, attached to the interface outside.
  std::unique_ptr<XdpDataplane> running() {
    auto engine = XdpDataplane::open(options_);
    if (engine.has_error()) throw std::runtime_error(engine.error().text());
    if (auto attached = (*engine)->attach(test::kOutside, dataplane::Hook::xdp); attached.has_error())
      throw std::runtime_error(attached.error().text());
    dataplane::Publisher publisher(**engine);
    if (auto published = publisher.publish(test::desired({web()})); published.has_error())
      throw std::runtime_error(published.error().text());
    return std::move(*engine);
  }

  Options options_{
      .instance = "test-" + std::to_string(::getpid()), .sizes = test::small_sizes(), .program = embedded_program()};
};

TEST_F(Xdp, a_move_to_tables_that_are_too_small_changes_nothing) {
  const auto engine = running();
  const std::uint32_t program = program_at("link-100");
  Options smaller = options_;
  smaller.sizes.backends = 1;
  const auto refused = XdpDataplane::open(smaller);
  ASSERT_TRUE(refused.has_error());
  EXPECT_NE(refused.error().remedy.find("dataplane.tables.backends"), std::string::npos) << refused.error().text();
  EXPECT_EQ(engine->tables().settings().header.ring_only, 0U);
  EXPECT_EQ(table_folders(), 1U);
  EXPECT_EQ(program_at("link-100"), program);
}

/// Attaches to the loopback what no program of ours can replace: one of the kind that the kernel wants to be told less
/// about.
base::Descriptor stubborn_link() {
  constexpr std::array<bpf_insn, 2> kPass{
      bpf_insn{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = XDP_PASS},
      bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  const base::Descriptor program(
      ::bpf_prog_load(BPF_PROG_TYPE_XDP, "stubborn", "GPL", kPass.data(), kPass.size(), nullptr));
  return base::Descriptor(::bpf_link_create(program.get(), static_cast<int>(test::kIngress), BPF_XDP, nullptr));
}

TEST_F(Xdp, a_link_that_takes_no_other_program_leaves_every_link_with_its_own) {
  const auto engine = running();
  const std::uint32_t program = program_at("link-100");
  const base::Descriptor stubborn = stubborn_link();
  ASSERT_TRUE(stubborn.valid()) << std::strerror(errno);
  ASSERT_EQ(::bpf_obj_pin(stubborn.get(), (folder() / "link-900").c_str()), 0);
  Options larger = options_;
  larger.sizes.flow_lines = 256;
  for (const Options& wanted : {larger, options_}) {  // new tables, then adopted ones
    ASSERT_TRUE(XdpDataplane::open(wanted).has_error());
    EXPECT_EQ(program_at("link-100"), program);
    EXPECT_EQ(engine->tables().settings().header.ring_only, 0U);
    EXPECT_EQ(table_folders(), 1U);
  }
  std::filesystem::remove(folder() / "link-900");
  const auto moved = XdpDataplane::open(larger);
  ASSERT_TRUE(moved.has_value()) << moved.error().text();
  EXPECT_NE(program_at("link-100"), program);
  EXPECT_EQ((*moved)->tables().settings().header.ring_only, 0U);
  EXPECT_EQ(table_folders(), 1U);
}

TEST_F(Xdp, tables_of_a_layout_that_a_build_does_not_list_are_left_alone) {
  constexpr std::uint32_t kOther = core::kLayoutVersion + 1;
  Options other = options_;
  other.program.layout_version = kOther;
  std::swap(options_, other);
  const auto engine = running();
  std::swap(options_, other);
  const auto refused = XdpDataplane::open(options_);
  ASSERT_TRUE(refused.has_error());
  EXPECT_NE(refused.error().what.find("layout version " + std::to_string(kOther)), std::string::npos)
      << refused.error().text();
  EXPECT_TRUE(pinned_services(options_.instance).empty());
  options_.program.also_reads = kOther;
  const auto carried = XdpDataplane::open(options_);
  ASSERT_TRUE(carried.has_value()) << carried.error().text();
  EXPECT_EQ((*carried)->origin().kind, Origin::Kind::carried);
  EXPECT_EQ(pinned_services(options_.instance).size(), 1U);
}

/// As a later release's, which does not have one of our tables, would be found; and an earlier one's.
TEST_F(Xdp, tables_of_another_layout_that_are_fewer_are_left_alone_or_read_as_far_as_they_go) {
  constexpr std::uint32_t kOther = core::kLayoutVersion + 1;
  Options other = options_;
  other.program.layout_version = kOther;
  std::swap(options_, other);
  const auto engine = running();
  std::swap(options_, other);
  const std::uint32_t program = program_at("link-100");
  ASSERT_TRUE(std::filesystem::remove(pinned_table_folders(folder()).front().second / "source_buckets"));
  const auto refused = XdpDataplane::open(options_);
  ASSERT_TRUE(refused.has_error());
  EXPECT_NE(refused.error().what.find("layout version " + std::to_string(kOther)), std::string::npos)
      << refused.error().text();
  EXPECT_EQ(program_at("link-100"), program);
  EXPECT_EQ(table_folders(), 1U);
  options_.program.also_reads = kOther;
  const auto carried = XdpDataplane::open(options_);
  ASSERT_TRUE(carried.has_value()) << carried.error().text();
  EXPECT_EQ((*carried)->origin().kind, Origin::Kind::carried);
  EXPECT_EQ(pinned_services(options_.instance).size(), 1U);
}

TEST_F(Xdp, tables_in_use_of_which_a_pin_is_gone_are_not_given_up) {
  const auto engine = running();
  const std::uint32_t program = program_at("link-100");
  ASSERT_TRUE(std::filesystem::remove(pinned_table_folders(folder()).front().second / "rings"));
  const auto refused = XdpDataplane::open(options_);
  ASSERT_TRUE(refused.has_error());
  EXPECT_NE(refused.error().what.find("rings"), std::string::npos) << refused.error().text();
  EXPECT_NE(refused.error().remedy.find("astil detach"), std::string::npos) << refused.error().text();
  EXPECT_EQ(program_at("link-100"), program);
  EXPECT_EQ(table_folders(), 1U);
}

TEST_F(Xdp, events_are_limited_and_taken_by_portions_however_many_there_are) {
  const auto engine = running();
  const auto replies = [&](const Packet& packet, int times) {
    test::Bytes frame = packet.bytes();
    LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame.data(),
                .data_size_in = static_cast<std::uint32_t>(frame.size()), .repeat = times);
    ASSERT_EQ(::bpf_prog_test_run_opts(engine->program_descriptor(), &run), 0);
  };
  replies(
      Packet().ethernet(test::kBalancerMac, test::kClientMac).ipv4(test::kSilentClient, kVip).tcp(1000, 80, test::kSyn),
      1);
  const auto begin = std::chrono::steady_clock::now();
  constexpr std::chrono::seconds kFlood{1};
  while (std::chrono::steady_clock::now() - begin < kFlood) {
    for (const std::string_view backend : {"10.0.0.1", "10.0.0.2"}) {
      replies(Packet()
                  .ethernet(test::kBalancerMac, test::mac(0xb1))
                  .ipv4(backend, test::kSilentClient)
                  .tcp(80, 1000, test::kSyn | test::kAck),
              100);
    }
  }
  const std::chrono::duration<double> flooded = std::chrono::steady_clock::now() - begin;
  const auto readable = [&] {
    pollfd descriptor{.fd = engine->event_descriptor(), .events = POLLIN, .revents = 0};
    return ::poll(&descriptor, 1, 0) == 1;
  };
  std::size_t all = 0;
  while (readable()) {
    std::size_t taken = 0;
    engine->take_events({.neighbour =
                             [&](const core::NeighbourWanted& wanted) {
                               EXPECT_EQ(wanted.address, test::address(test::kSilentClient));
                               ++taken;
                             },
                         .fragment = [](std::uint32_t, std::span<const std::byte>) { FAIL(); }});
    ASSERT_NE(taken, 0U);
    ASSERT_LE(taken, XdpDataplane::kEventsAtOnce);
    all += taken;
  }
  EXPECT_GT(all, XdpDataplane::kEventsAtOnce);
  // Each CPU's limit is of units of its clock, which begins at any moment.
  const double limit = (flooded.count() * 1.1 + 0.1) * core::kNeighboursWantedPerSecond;
  EXPECT_LT(static_cast<double>(all), limit * static_cast<double>(::libbpf_num_possible_cpus()));
}

TEST_F(Xdp, a_fragment_ahead_of_its_first_is_given_to_who_takes_events) {
  const auto engine = running();
  test::Bytes frame = Packet()
                          .ethernet(test::kBalancerMac, test::kClientMac)
                          .ipv4(test::kClient, kVip)
                          .later_fragment(core::kProtocolUdp, 64, 100)
                          .bytes();
  LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame.data(),
              .data_size_in = static_cast<std::uint32_t>(frame.size()));
  for (int times = 0; times < 3; ++times) {
    ASSERT_EQ(::bpf_prog_test_run_opts(engine->program_descriptor(), &run), 0);
    pollfd descriptor{.fd = engine->event_descriptor(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&descriptor, 1, 5000), 1);
    std::vector<test::Bytes> taken;
    engine->take_events({.neighbour = [](const core::NeighbourWanted&) { FAIL(); },
                         .fragment =
                             [&](std::uint32_t ifindex, std::span<const std::byte> bytes) {
                               EXPECT_EQ(ifindex, test::kIngress);
                               taken.emplace_back(bytes.begin(), bytes.end());
                             }});
    EXPECT_EQ(taken, std::vector<test::Bytes>(1, frame));
  }
}

}  // namespace
}  // namespace astil::xdp
