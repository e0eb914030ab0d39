// Flow sync at its first meeting: 1 M established flows go from one table to an empty one, over UDP on the loopback, by
// the threads that the daemon has. Prints the time until the receiver calls the table complete, the CPU time of both,
// and as the baseline of the same run the time in which a table of that many flows is carried by memory alone
// (dataplane/carry.hpp). Then the cost of a walk that finds nothing.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "control/ha/sync/runner.hpp"
#include "dataplane/carry.hpp"
#include "dataplane/core/flow_table.hpp"
#include "dataplane/native/native_dataplane.hpp"
#include "dataplane/publisher.hpp"

namespace {

using namespace astil;  // NOLINT(google-build-using-namespace)
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kFlows = 1'000'000;

core::Sizes sizes() {
  return {.cpus = 1,
          .flow_lines = 1U << 18U,
          .services = 4,
          .backends = 64,
          .ring_lines = 64,
          .member_lines = 8,
          .index_lines = 64,
          .client_lines = 1U << 18U,
          .source_ranges = 16,
          .source_buckets = 16,
          .port_sources = 0,
          .reserved = 0};
}

core::Address address(bool ipv6, std::uint32_t last) {
  if (!ipv6) return core::mapped(core::be32(last));
  return {{core::be32(0x20010db8), core::Be32{}, core::Be32{}, core::be32(last)}};
}

void prepare(native::NativeDataplane& engine, bool ipv6) {
  std::array<std::uint64_t, core::kHashKeys> key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = core::mixed(i + 1);
  dataplane::initialise(engine.tables(), key, 1);
  dataplane::Publisher publisher(engine);
  dataplane::ServiceState service{
      .key = {.address = address(ipv6, 0xc6336401), .port = 80, .protocol = core::kProtocolTcp},
      .forwarding = core::Forwarding::direct};
  for (std::uint32_t i = 0; i < 32; ++i) service.backends.push_back({.address = address(ipv6, 0x0a000001 + i)});
  for (std::uint16_t i = 0; i < 32; ++i) service.ring.push_back(i);
  dataplane::DesiredState state;
  state.services.push_back(std::move(service));
  (void)publisher.publish(state).value();
}

std::uint64_t fill(native::NativeDataplane& engine, bool ipv6) {
  const dataplane::Tables& tables = engine.tables();
  native::Frame no_frame({});
  native::Surroundings around;
  native::NativeEngine<> native(tables, no_frame, around);
  std::uint64_t filled = 0;
  for (std::uint32_t i = 0; i < kFlows; ++i) {
    const core::FlowTuple flow{.client = address(ipv6, 0x0b000000 + i / 16),
                               .address = address(ipv6, 0xc6336401),
                               .client_port = core::be16(static_cast<std::uint16_t>(20'000 + i % 16)),
                               .port = core::be16(80),
                               .protocol = core::kProtocolTcp};
    const core::FlowHash hash = core::flow_hash(flow, tables.settings().hash_key, tables.sizes.flow_lines - 1);
    core::FlowLines lines = core::flow_lines(native, hash, true);
    const core::FlowPlace place = core::choose_place(native, lines, hash, 0);
    filled +=
        core::write_flow(native, place,
                         {.tag = hash.tag, .age = 0, .state = core::FlowState::established, .backend = i % 32}, flow)
            ? 1
            : 0;
  }
  return filled;
}

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

int measure(bool ipv6) {
  native::NativeDataplane from(sizes());
  native::NativeDataplane to(sizes());
  native::NativeDataplane carried(sizes());
  for (auto* engine : {&from, &to, &carried}) prepare(*engine, ipv6);
  fill(from, ipv6);
  const std::uint64_t flows = ha::sync::count_flows(from.tables());

  const auto carry_begin = Clock::now();
  dataplane::FlowCarrier(from.tables(), carried.tables()).carry(0);
  const double carry = seconds(Clock::now() - carry_begin);

  ha::sync::Secret secret{};
  secret.fill(9);
  const auto local = boost::asio::ip::make_address("127.0.0.1");
  const auto other = boost::asio::ip::make_address("127.0.0.2");
  ha::sync::RunnerOptions options{.paths = {{local, other}}, .port = 47911, .bytes_per_second = 2'000'000'000};
  ha::sync::RunnerOptions mirrored = options;
  mirrored.paths = {{other, local}};
  const double cpu_begin = cpu_seconds();
  const auto begin = Clock::now();
  auto sender = ha::sync::Runner::start(from, ha::sync::Keyring(secret), options, [] {});
  auto receiver = ha::sync::Runner::start(to, ha::sync::Keyring(secret), mirrored, [] {});
  if (sender.has_error() || receiver.has_error()) {
    std::fprintf(stderr, "flow sync does not start\n");
    return 1;
  }
  while (!(*receiver)->has_peer_table()) {
    if (Clock::now() - begin > 60s) {
      std::fprintf(stderr, "the table did not come within a minute\n");
      return 1;
    }
    std::this_thread::sleep_for(1ms);
  }
  const double took = seconds(Clock::now() - begin);
  const double cpu = cpu_seconds() - cpu_begin;
  const std::uint64_t arrived = ha::sync::count_flows(to.tables());
  std::this_thread::sleep_for(200ms);
  const auto status = (*sender)->status();
  std::printf(
      "%s: %llu flows, %llu arrived, in %.0f ms (CPU of both sides %.0f ms, %.1f MB, %llu datagrams, %llu lost); "
      "carried by memory alone %.0f ms, so %.1f times that; a walk that finds nothing %.1f ms\n",
      ipv6 ? "IPv6" : "IPv4", static_cast<unsigned long long>(flows), static_cast<unsigned long long>(arrived),
      took * 1e3, cpu * 1e3, static_cast<double>(status.session.sent_bytes) / 1e6,
      static_cast<unsigned long long>(status.session.sent), static_cast<unsigned long long>(status.session.lost),
      carry * 1e3, took / carry, static_cast<double>(status.walk_nanoseconds) / 1e6);
  for (std::size_t i = 0; i < status.records.size(); ++i) {
    const std::uint64_t count = (*receiver)->status().records[i];
    if (count != 0)
      std::printf("  %s %llu\n", ha::sync::to_string(static_cast<ha::sync::Fate>(i)),
                  static_cast<unsigned long long>(count));
  }
  return arrived == flows ? 0 : 1;
}

}  // namespace

int main() { return measure(false) | measure(true); }
