#include "tests/bench/packet_bench.hpp"

#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>

#include "control/balance/ring.hpp"
#include "dataplane/publisher.hpp"

namespace astil::bench {
namespace {

using core::be16;
using core::be32;

constexpr std::uint32_t kRingSlots = 65537;

template <class T>
T value_of(Result<T> result) {
  if (result.has_error()) fail(result.error().text());
  return std::move(*result);
}

/// Of this thread, in which test runs are.
double processor_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// Tables of BPF maps without an attachment, for the publisher.
class Unattached final : public dataplane::Dataplane {
 public:
  explicit Unattached(dataplane::Tables tables) : tables_(tables) {}
  [[nodiscard]] const dataplane::Tables& tables() const override { return tables_; }
  void wait_for_readers() override {}
  [[nodiscard]] std::uint32_t tick() const override { return 0; }
  [[nodiscard]] std::uint32_t fine_tick() const override { return 0; }
  [[nodiscard]] std::uint64_t source_clock() const override { return 0; }
  Result<dataplane::Attachment> attach(std::uint32_t /*ifindex*/, dataplane::Hook /*hook*/) override {
    return dataplane::Attachment{};
  }
  Result<void> detach(std::uint32_t /*ifindex*/) override { return {}; }
  [[nodiscard]] std::vector<dataplane::Attachment> attachments() const override { return {}; }
  [[nodiscard]] int event_descriptor() const override { return -1; }
  void take_events(const dataplane::EventTaker& /*take*/) override {}
  Result<void> inject(std::uint32_t /*ifindex*/, std::span<const std::byte> /*frame*/) override {
    return Error{"this engine takes frames by calls only", {}};
  }

 private:
  dataplane::Tables tables_;
};

std::vector<std::byte> read_object() {
  std::ifstream file(ASTIL_BENCH_OBJECT, std::ios::binary);
  if (!file) fail("can not read " ASTIL_BENCH_OBJECT);
  const std::vector<char> text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

core::Address network_address(bool wide, std::uint32_t net, std::uint32_t host) {
  if (!wide) return core::mapped(be32(0x0a000000U | (net << 16U) | host));
  return {{be32(0xfd000000U), be32(net), core::Be32{}, be32(host)}};
}

core::Address service_address(const Served& served) { return network_address(served.wide, 50, served.number); }

dataplane::ServiceState state_of(const Served& served, std::uint32_t interface) {
  dataplane::ServiceState service{
      .key = {.address = service_address(served), .port = kPort, .protocol = served.protocol},
      .forwarding = served.forwarding,
      .scheduler = served.scheduler,
      .affinity = served.affinity};
  const bool outer_wide = served.wrap == core::Wrap::ipip6 || served.wrap == core::Wrap::gue6;
  std::vector<balance::RingMember> members;
  for (std::uint32_t i = 0; i < served.backends; ++i) {
    members.push_back({.identity = core::mixed(i + 1), .weight = 1});
    service.backends.push_back({.address = PacketBench::backend_address(served, i),
                                .port = kPort,
                                .source = network_address(outer_wide, 60, 0),
                                .wrap = served.wrap,
                                .destination_mac = std::uint64_t{0x020000000002} + i,
                                .source_mac = kOwnMac,
                                .interface = interface});
  }
  service.ring = balance::make_ring(members, kRingSlots);
  return service;
}

core::Sizes sizes_for(std::uint32_t flow_slots, bool full_nat) {
  return {.cpus = static_cast<std::uint32_t>(libbpf_num_possible_cpus()),
          .flow_lines = flow_slots / core::kEntriesPerLine,
          .services = 1024,
          .backends = 16384,
          .ring_lines = 131072,
          .member_lines = 4096,
          .index_lines = 8192,
          .client_lines = flow_slots / core::kEntriesPerLine,
          .port_sources = full_nat ? kPortSources : 0};
}

/// Writes headers one behind the other; what is in front of the flow's client stays 0.
class FrameWriter {
 public:
  explicit FrameWriter(std::size_t bytes) : frame_(bytes) {}

  template <class Header>
  void add(const Header& header) {
    std::memcpy(frame_.data() + at_, &header, sizeof(header));
    at_ += sizeof(header);
  }
  [[nodiscard]] std::size_t left() const { return frame_.size() - at_; }
  [[nodiscard]] std::vector<std::byte> take() { return std::move(frame_); }

 private:
  std::vector<std::byte> frame_;
  std::size_t at_ = 0;
};

void add_transport(FrameWriter& frame, core::Be16 source, core::Be16 destination, std::uint8_t protocol,
                   std::uint8_t tcp_flags) {
  if (protocol == core::kProtocolUdp) {
    const auto length = static_cast<std::uint16_t>(frame.left());
    frame.add(
        core::UdpHeader{.source = source, .destination = destination, .length = be16(length), .checksum = 0x1234});
  } else {
    frame.add(core::TcpHeader{.source = source, .destination = destination, .offset = 0x50, .flags = tcp_flags});
  }
}

std::vector<std::byte> frame_of(const core::Address& source, const core::Address& destination, std::uint8_t protocol,
                                const Frames& frames) {
  const bool wide = frames.sender == Sender::client6;
  FrameWriter frame(wide ? FromClient6::kBytes : FromClient4::kBytes);
  core::EthernetHeader ethernet{
      .destination = {}, .source = {}, .type = wide ? core::kEtherTypeIpv6 : core::kEtherTypeIpv4};
  std::memcpy(&ethernet.destination, &kOwnMac, 6);
  frame.add(ethernet);
  if (wide) {
    frame.add(
        core::Ipv6Header{.version_class_flow = be32(6U << 28U),
                         .payload_length = be16(static_cast<std::uint16_t>(frame.left() - sizeof(core::Ipv6Header))),
                         .next_header = protocol,
                         .hop_limit = 64,
                         .source = source,
                         .destination = destination});
  } else {
    frame.add(core::Ipv4Header{.version_length = 0x45,
                               .total_length = be16(static_cast<std::uint16_t>(frame.left())),
                               .time_to_live = 64,
                               .protocol = protocol,
                               .source = core::ipv4_of(source),
                               .destination = core::ipv4_of(destination)});
  }
  const bool from_backend = frames.sender == Sender::backend4;
  const core::Be16 port = be16(frames.port);
  add_transport(frame, from_backend ? port : core::Be16{}, from_backend ? core::Be16{} : port, protocol,
                frames.tcp_flags);
  return frame.take();
}

}  // namespace

void enter_network() {
  if (::unshare(CLONE_NEWNET) != 0) fail("a network namespace can not be made: run it as root");
  const char* commands =
      "ip link set lo up && ip link add out type veth peer name far && ip link set far up && ip link set out up && "
      "ip addr add 192.0.2.1/24 dev out && ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:c1 nud permanent dev out && "
      "ip route add 10.0.0.0/8 via 192.0.2.2 && echo 1 > /proc/sys/net/ipv4/ip_forward && for i in 0 1; do "
      "ip link add near$i type veth peer name far$i && ip link set near$i up && ip link set far$i up || exit 1; done";
  if (std::system(commands) != 0) fail("a way to clients can not be set up");
}

void fail(const std::string& what) {
  std::cerr << "packet_path: " << what << "\n";
  std::exit(1);
}

std::string suffix_of(Sender sender) {
  if (sender == Sender::client4) return "from_client4";
  return sender == Sender::backend4 ? "from_backend4" : "from_client6";
}

core::Address PacketBench::backend_address(const Served& served, std::uint32_t i) {
  // Under nat a backend's address is of the service's version.
  const bool tunnel = served.forwarding == core::Forwarding::tunnel;
  const bool outer_wide = served.wrap == core::Wrap::ipip6 || served.wrap == core::Wrap::gue6;
  return network_address(tunnel ? outer_wide : served.wide, 100 + served.number, i + 1);
}

bool has_full_nat(std::span<const Served> services) {
  return std::ranges::any_of(services, [](const Served& s) { return s.forwarding == core::Forwarding::full_nat; });
}

PacketBench::PacketBench(std::span<const Served> services, std::uint32_t flow_slots, std::uint32_t interface)
    : object_(
          value_of(xdp::KernelObject::with_new_tables(read_object(), sizes_for(flow_slots, has_full_nat(services))))),
      mapped_(value_of(object_.map(sizes_for(flow_slots, has_full_nat(services))))) {
  constexpr std::array<std::uint64_t, core::kHashKeys> kKey{0x9d39247e33776d41, 0x2af7398005aaa5c7, 0x44db015024623547,
                                                            0x9c15f73e62a76ae2, 0x75834465489c0c89, 0x3290ac3a203001bf,
                                                            0x0fbbad1f61042279, 0xe83a908ff2fb60ca};
  dataplane::initialise(tables(), kKey, dataplane::tick_multiplier_for(250));
  publish(services, interface);
}

void PacketBench::publish(std::span<const Served> services, std::uint32_t interface) {
  Unattached engine(tables());
  dataplane::Publisher publisher(engine);
  dataplane::DesiredState state;
  state.interfaces = {{.ifindex = interface, .mac = kOwnMac}};
  for (const Served& served : services) state.services.push_back(state_of(served, interface));
  for (std::uint32_t i = 0; has_full_nat(services) && i < kPortSources; ++i)
    state.port_sources.push_back(network_address(false, 61, i + 1));
  (void)value_of(publisher.publish(state));
}

void PacketBench::limit(std::uint32_t most) {
  tables().settings().new_flows_per_unit = most;
  tables().settings().shared.limited = 0;
}

void PacketBench::clear_flows() {
  std::memset(tables().flows().data(), 0, tables().flows().size_bytes());
  std::memset(tables().ports().data(), 0, tables().ports().size_bytes());
  for (core::Load& load : tables().loads()) load = {};
}

void PacketBench::aim(const Served& served, const Frames& frames) {
  const bool from_backend = frames.sender == Sender::backend4;
  const core::Address end = from_backend ? backend_address(served, 0) : service_address(served);
  const core::Address client = served.wide ? network_address(true, 10, 0) : core::mapped(core::Be32{});
  frame_ = frame_of(from_backend ? end : client, from_backend ? client : end, served.protocol, frames);
  Control control{.first_flow = frames.first, .flow_mask = frames.count - 1, .next = client_of(frames.first)};
  std::memcpy(control.frame, frame_.data(), frame_.size());
  set(control);
}

Control PacketBench::control() const {
  Control control{};
  const std::uint32_t key = 0;
  if (::bpf_map_lookup_elem(object_.map_descriptor("bench_control"), &key, &control) != 0)
    fail("what the programs count can not be read");
  return control;
}

void PacketBench::set(const Control& control) {
  const std::uint32_t key = 0;
  if (::bpf_map_update_elem(object_.map_descriptor("bench_control"), &key, &control, BPF_ANY) != 0)
    fail("what the programs send can not be set");
}

void PacketBench::aim_elsewhere() { aim({.number = 255}, {.count = 1U << 20U}); }

double PacketBench::time(const std::string& program, std::uint32_t repeat) {
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame_.data(), .data_size_in = static_cast<__u32>(frame_.size()),
              .repeat = static_cast<int>(repeat));
  const int descriptor = object_.program(program.c_str());
  const double begin = processor_ns();
  if (::bpf_prog_test_run_opts(descriptor, &options) != 0) fail("test run of " + program);
  return (processor_ns() - begin) / repeat;
}

void PacketBench::attach(const std::string& program, std::uint32_t interface) {
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
  if (::bpf_link_create(object_.program(program.c_str()), static_cast<int>(interface), BPF_XDP, &options) < 0)
    fail("attach " + program);
}

void PacketBench::send(std::uint32_t interface, std::uint32_t frames) {
  Control aimed = control();
  aimed.interface = interface;
  set(aimed);
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame_.data(), .data_size_in = static_cast<__u32>(frame_.size()),
              .repeat = static_cast<int>(frames), .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
  if (::bpf_prog_test_run_opts(object_.program("bench_send"), &options) != 0) fail("send frames");
}

std::uint64_t PacketBench::received() const { return control().received; }

}  // namespace astil::bench
