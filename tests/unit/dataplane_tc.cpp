// The attachment to the tc hook, in a network namespace of its own. Needs root.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "dataplane/publisher.hpp"
#include "dataplane/xdp/rtnetlink.hpp"
#include "dataplane/xdp/tc_filter.hpp"
#include "dataplane/xdp/xdp_dataplane.hpp"
#include "tests/packets/world.hpp"

namespace astil::xdp {
namespace {

using dataplane::Hook;
using test::kOutside;
using test::Packet;
using test::Service;

constexpr std::string_view kVip = "198.51.100.1";

class Tc : public testing::Test {
 protected:
  void SetUp() override {
    // Which also moves this thread to the namespace that has the interfaces.
    if (auto able = test::tc_engine(test::small_sizes()); able.has_error())
      GTEST_SKIP() << "no kernel engine here: " << able.error().text();
    ASSERT_TRUE(remove_instance(options_.instance).has_value());
  }
  void TearDown() override {
    (void)remove_instance(options_.instance);
    destroy_qdisc();
  }

  std::unique_ptr<XdpDataplane> open() {
    auto engine = XdpDataplane::open(options_);
    if (engine.has_error()) throw std::runtime_error(engine.error().text());
    dataplane::Publisher publisher(**engine);
    auto published = publisher.publish(test::desired({Service(kVip, 80).nat().backend("10.0.0.1")}));
    if (published.has_error()) throw std::runtime_error(published.error().text());
    return std::move(*engine);
  }
  std::unique_ptr<XdpDataplane> attached(Hook hook) {
    auto engine = open();
    if (auto done = engine->attach(kOutside, hook); done.has_error()) throw std::runtime_error(done.error().text());
    return engine;
  }

  /// Somebody else's program for the tc hook.
  static base::Descriptor open_other() {
    const bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
                             {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
    return base::Descriptor(::bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "other", "GPL", code, std::size(code), nullptr));
  }
  [[nodiscard]] std::uint32_t program() const { return TcFilter(options_.instance, kOutside).program_id(); }
  [[nodiscard]] std::filesystem::path link() const {
    return options_.bpffs / "astil" / options_.instance / ("link-" + std::to_string(kOutside));
  }
  static bool has_qdisc() {
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(kOutside), .attach_point = BPF_TC_INGRESS);
    return bpf_tc_hook_create(&hook) == -EEXIST || (destroy_qdisc(), false);
  }
  static void destroy_qdisc() {
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(kOutside),
                .attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
    bpf_tc_hook_destroy(&hook);
  }

  Options options_{
      .instance = "test-tc-" + std::to_string(::getpid()), .sizes = test::small_sizes(), .program = embedded_program()};
};

TEST_F(Tc, attaches_a_filter_and_takes_everything_away_again) {
  const auto engine = attached(Hook::tc);
  ASSERT_EQ(engine->attachments().size(), 1U);
  EXPECT_EQ(engine->attachments()[0].hook, "tc");
  EXPECT_NE(program(), 0U);
  ASSERT_TRUE(engine->detach(kOutside).has_value());
  EXPECT_EQ(program(), 0U);
  EXPECT_TRUE(engine->attachments().empty());
  EXPECT_FALSE(has_qdisc());
}

TEST_F(Tc, is_what_a_virtual_interface_gets_where_the_choice_is_ours) {
  const auto engine = attached(Hook::automatic);
  EXPECT_EQ(engine->attachments()[0].hook, "tc");
  EXPECT_FALSE(has_device(kOutside).value());
}

TEST_F(Tc, leaves_others_their_filters_and_their_qdisc) {
  const auto engine = attached(Hook::tc);
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(kOutside), .attach_point = BPF_TC_INGRESS);
  LIBBPF_OPTS(bpf_tc_opts, others, .prog_id = 0, .handle = 77, .priority = 9);
  const base::Descriptor program(::bpf_prog_get_fd_by_id(this->program()));
  others.prog_fd = program.get();
  ASSERT_EQ(bpf_tc_attach(&hook, &others), 0);
  ASSERT_TRUE(engine->detach(kOutside).has_value());
  EXPECT_EQ(this->program(), 0U);
  EXPECT_TRUE(has_tc_filters(kOutside).value());
}

TEST_F(Tc, leaves_a_qdisc_that_was_there_before) {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(kOutside), .attach_point = BPF_TC_INGRESS);
  ASSERT_EQ(bpf_tc_hook_create(&hook), 0);
  const auto engine = attached(Hook::tc);
  ASSERT_TRUE(engine->detach(kOutside).has_value());
  EXPECT_TRUE(has_qdisc());
}

TEST_F(Tc, outlives_the_daemon_and_is_taken_over_with_a_new_program) {
  attached(Hook::tc).reset();
  const std::uint32_t before = program();
  ASSERT_NE(before, 0U);
  const auto engine = open();
  EXPECT_EQ(engine->origin().kind, Origin::Kind::adopted);
  EXPECT_NE(program(), 0U);
  EXPECT_NE(program(), before);
  ASSERT_EQ(engine->attachments().size(), 1U);
  EXPECT_EQ(engine->attachments()[0].hook, "tc");
}

TEST_F(Tc, gets_other_tables_like_any_hook) {
  attached(Hook::tc).reset();
  const std::uint32_t before = program();
  options_.sizes.flow_lines = 256;
  const auto engine = open();
  EXPECT_EQ(engine->origin().kind, Origin::Kind::carried);
  EXPECT_NE(program(), before);
}

TEST_F(Tc, is_removed_with_the_instance_though_no_daemon_runs) {
  attached(Hook::tc).reset();
  EXPECT_EQ(remove_instance(options_.instance).value(), 1U);
  EXPECT_EQ(program(), 0U);
  EXPECT_FALSE(has_qdisc());
}

TEST_F(Tc, takes_the_place_of_xdp_and_gives_it_back) {
  const auto engine = attached(Hook::xdp);
  EXPECT_EQ(engine->attach(kOutside, Hook::tc).value().hook, "tc");
  EXPECT_FALSE(std::filesystem::exists(link()));
  EXPECT_NE(program(), 0U);
  EXPECT_EQ(engine->attach(kOutside, Hook::xdp_generic).value().hook, "xdp generic");
  EXPECT_EQ(program(), 0U);
  EXPECT_EQ(engine->attach(kOutside, Hook::xdp).value().hook, "xdp native");
  EXPECT_EQ(engine->attach(kOutside, Hook::automatic).value().hook, "xdp native") << "what suits is left as it is";
}

TEST_F(Tc, sees_the_frames_that_the_control_plane_gives_back) {
  const auto engine = attached(Hook::tc);
  const auto frame = Packet()
                         .ethernet(test::kBalancerMac, test::kClientMac)
                         .ipv4(test::kClient, "192.0.2.1")
                         .tcp(1000, 81, test::kSyn);
  ASSERT_TRUE(engine->inject(kOutside, frame.bytes()).has_value());
  EXPECT_EQ(engine->tables().sum_reason(core::Reason::no_service), 1U);
}

TEST_F(Tc, a_filter_that_somebody_removed_is_attached_again) {
  const auto engine = attached(Hook::tc);
  EXPECT_TRUE(engine->mend().empty());
  destroy_qdisc();
  const auto repairs = engine->mend();
  ASSERT_EQ(repairs.size(), 1U);
  EXPECT_EQ(repairs[0].kind, dataplane::Repaired::attachment);
  EXPECT_EQ(repairs[0].failure, "");
  EXPECT_NE(program(), 0U);
  EXPECT_TRUE(engine->mend().empty());
}

TEST_F(Tc, a_link_that_somebody_detached_is_attached_again) {
  const auto engine = attached(Hook::xdp);
  base::Descriptor held(::bpf_obj_get(link().c_str()));
  ASSERT_EQ(::bpf_link_detach(held.get()), 0);
  const auto repairs = engine->mend();
  ASSERT_EQ(repairs.size(), 1U);
  EXPECT_EQ(repairs[0].failure, "");
  std::uint32_t attached = 0;
  ASSERT_EQ(::bpf_xdp_query_id(static_cast<int>(kOutside), 0, &attached), 0);
  EXPECT_NE(attached, 0U);
  EXPECT_TRUE(engine->mend().empty());
}

TEST_F(Tc, another_program_in_our_place_gives_it_back) {
  const auto engine = attached(Hook::tc);
  const auto other = open_other();
  const std::uint32_t ours = program();
  ASSERT_TRUE(TcFilter(options_.instance, kOutside).attach(other.get(), link().parent_path()).has_value());
  ASSERT_NE(program(), ours);
  const auto repairs = engine->mend();
  ASSERT_EQ(repairs.size(), 1U);
  EXPECT_NE(repairs[0].what.find("in its place"), std::string::npos) << repairs[0].what;
  EXPECT_EQ(program(), ours);
}

TEST_F(Tc, pins_that_somebody_removed_are_there_again) {
  const auto engine = attached(Hook::xdp);
  const std::filesystem::path folder = link().parent_path();
  std::filesystem::remove(link());
  for (const auto& each : std::filesystem::directory_iterator(folder / "tables-0")) std::filesystem::remove(each);
  std::filesystem::remove(folder / "tables-0");
  const auto repairs = engine->mend();
  ASSERT_EQ(repairs.size(), 2U);
  for (const auto& repair : repairs) {
    EXPECT_EQ(repair.kind, dataplane::Repaired::pin);
    EXPECT_EQ(repair.failure, "");
  }
  EXPECT_TRUE(std::filesystem::exists(link()));
  EXPECT_TRUE(std::filesystem::exists(folder / "tables-0" / "settings"));
  EXPECT_TRUE(engine->mend().empty());
}

}  // namespace
}  // namespace astil::xdp
