#include "tests/packets/world.hpp"

#include <bpf/libbpf.h>
#include <unistd.h>

#include <array>

#include "dataplane/core/flow_table.hpp"
#include "tests/packets/judge.hpp"

namespace astil::test {
namespace {

using Counts = std::array<std::uint64_t, static_cast<std::size_t>(core::Reason::count)>;

Counts counts_of(const dataplane::Tables& tables) {
  Counts counts{};
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = tables.sum_reason(static_cast<core::Reason>(i));
  return counts;
}

/// The one reason that was counted once more, kSent where there is none; Reason::count where there are several.
core::Reason counted_between(const Counts& before, const Counts& after) {
  core::Reason reason = kSent;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i] == after[i]) continue;
    if (after[i] != before[i] + 1 || reason != kSent) return core::Reason::count;
    reason = static_cast<core::Reason>(i);
  }
  return reason;
}

}  // namespace

core::Sizes small_sizes() {
  return {.cpus = static_cast<std::uint32_t>(::libbpf_num_possible_cpus()),
          .flow_lines = 128,
          .services = 16,
          .backends = 64,
          .ring_lines = 256,
          .member_lines = 64,
          .index_lines = 64,
          .client_lines = 128,
          .source_ranges = 256,
          .source_buckets = 64,
          .port_sources = 2,
          .reserved = 0};
}

Outcome World::send(Bytes frame) {
  const Counts before = counts_of(tables());
  const Made made = how_made(frame);
  const Exit exit = engine_->run(frame);
  if (exit != Exit::drop) judge().saw(name_of_test(), frame, made);
  const core::Reason reason = counted_between(before, counts_of(tables()));
  return {.reason = reason, .exit = exit, .bytes = std::move(frame)};
}

// The packet path looks at differences between its clock and the ages only; so time goes by as well when all ages go
// back.
void World::let_pass(std::uint32_t ticks) {
  for (const std::span<core::FlowLine> lines : {tables().flows(), tables().ports()}) {
    for (core::FlowLine& line : lines) {
      for (std::uint64_t& place : line.entries) {
        if (place == 0) continue;
        core::FlowEntry entry = core::unpack(place);
        entry.age = (entry.age - ticks) & core::kAgeMask;
        place = core::pack(entry);
      }
    }
  }
}

std::vector<Port> World::ports() const {
  std::vector<Port> ports;
  dataplane::visit_ports(tables(), 0, [&](const dataplane::FlowRecord& record) {
    const auto index = static_cast<core::PortIndex>(record.slot);
    ports.push_back({.source = tables().settings().port_sources[core::source_of_port(index)],
                     .number = host(core::port_of(index)),
                     .record = record});
    return true;
  });
  return ports;
}

std::optional<core::FlowEntry> World::flow(std::string_view client, std::uint16_t client_port, std::string_view service,
                                           std::uint16_t port, std::uint8_t protocol) const {
  const core::FlowTuple tuple{.client = address(client),
                              .address = address(service),
                              .client_port = core::be16(client_port),
                              .port = core::be16(port),
                              .protocol = protocol};
  const auto hash = core::flow_hash(tuple, tables().settings().hash_key, tables().sizes.flow_lines - 1);
  for (const std::uint32_t line : {hash.line, hash.other_line}) {
    for (const std::uint64_t entry : tables().flows()[line].entries) {
      if (core::tag_of(entry) == hash.tag) return core::unpack(entry);
    }
  }
  return std::nullopt;
}

std::unique_ptr<World> make_world(EngineKind kind) {
  if (kind == EngineKind::native) return std::make_unique<World>(native_engine(small_sizes()));
#ifdef ASTIL_DPDK
  if (kind == EngineKind::dpdk) return std::make_unique<World>(dpdk_engine(small_sizes()));
#endif
  auto engine = kind == EngineKind::xdp ? xdp_engine(small_sizes()) : tc_engine(small_sizes());
  return engine.has_error() ? nullptr : std::make_unique<World>(std::move(*engine));
}

void PacketCase::SetUp() {
  world_ = make_world(GetParam());
  if (!world_ && ::geteuid() != 0) GTEST_SKIP() << "no kernel engine here: loading a program needs root";
  // A program that the verifier refuses must not pass for a test that was left out.
  ASSERT_TRUE(world_ != nullptr) << "the kernel does not load the program";
}

const char* name_of(EngineKind kind) {
  switch (kind) {
    case EngineKind::native:
      return "native";
    case EngineKind::xdp:
      return "xdp";
    case EngineKind::tc:
      return "tc";
    case EngineKind::dpdk:
      return "dpdk";
  }
  return "";
}

std::string engine_name(const testing::TestParamInfo<EngineKind>& kind) { return name_of(kind.param); }

}  // namespace astil::test
