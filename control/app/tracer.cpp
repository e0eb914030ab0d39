#include "control/app/tracer.hpp"

#include <cstring>

#include "control/app/inputs.hpp"
#include "dataplane/native/native_engine.hpp"

namespace astil::app {
namespace {

using core::Direction;
using core::FlowState;

const char* name_of(FlowState state) {
  constexpr std::array<const char*, core::kFlowStates> kNames{"free",        "claimed", "half-open", "answered",
                                                              "established", "closing", "closed",    "udp-stream",
                                                              "affinity",    "claimed"};
  return kNames.at(static_cast<std::size_t>(state));
}

const char* name_of(core::Scheduler scheduler) {
  switch (scheduler) {
    case core::Scheduler::maglev:
      return "maglev";
    case core::Scheduler::round_robin:
      return "round-robin";
    case core::Scheduler::least_connections:
      return "least-connections";
    case core::Scheduler::source_hash:
      return "source-hash";
    case core::Scheduler::two_choices:
      break;
  }
  return "two-choices";
}

const char* name_of(core::Forwarding forwarding) {
  switch (forwarding) {
    case core::Forwarding::nat:
      return "nat";
    case core::Forwarding::tunnel:
      return "tunnel";
    case core::Forwarding::full_nat:
      return "full-nat";
    case core::Forwarding::direct:
      break;
  }
  return "direct";
}

std::string text_of(const core::Address& address) { return from_core(address).to_string(); }

std::string endpoint(const core::Address& address, core::Be16 port) {
  const std::string host_text = is_ipv4(address) ? text_of(address) : "[" + text_of(address) + "]";
  return host_text + ":" + (port == core::kAnyPort ? "any" : std::to_string(host(port)));
}

/// `bits`: as core::Address has them.
std::string prefix_text(const core::Address& network, std::uint32_t bits) {
  constexpr std::uint32_t kMappedBits = 96;
  const bool ipv4 = is_ipv4(network) && bits >= kMappedBits;
  return text_of(network) + "/" + std::to_string(ipv4 ? bits - kMappedBits : bits);
}

const char* kind_of(const auto& packet) {
  if (packet.protocol == core::kProtocolUdp) return "";
  return (packet.tcp_flags & core::kTcpSyn) != 0 ? ", a SYN" : ", in mid-connection";
}

/// What a tunnel puts in front, in words.
std::string wrap_text(const core::Backend& backend) {
  const bool gue = backend.wrap == core::Wrap::gue4 || backend.wrap == core::Wrap::gue6;
  const std::string kind = gue ? "GUE headers" : "IP-in-IP header";
  const std::string from = raw(backend.source_mask) == 0
                               ? text_of(backend.source)
                               : "an address of its own in the net of " + text_of(backend.source);
  const std::string port = gue ? ", UDP port " + std::to_string(host(backend.gue_port)) : "";
  return kind + " put in front, from " + from + " to " + text_of(backend.address) + port;
}

/// Writes down what the packet path says of itself.
class Storyteller {
 public:
  Storyteller(api::TraceView& view, const Names& names, const dataplane::Tables& tables, std::uint32_t tick)
      : view_(view), names_(names), settings_(tables.settings()), tick_(tick) {
    flows_ = tables.flows().data();
    if (tables.active() != core::kNoGeneration) services_ = tables.services_of(tables.active());
  }

  void saw_packet(const auto& packet) {
    const core::Address source = source_of(packet);
    tell("parse",
         std::string(is_ipv4(source) ? "IPv4 " : "IPv6 ") + (packet.protocol == core::kProtocolUdp ? "UDP" : "TCP") +
             " from " + endpoint(source, packet.ports->source) + " to " +
             endpoint(destination_of(packet), packet.ports->destination) + kind_of(packet),
         {{"length", std::to_string(packet.length)}});
  }

  void saw_service(const core::Service& service) {
    view_.service = names_.service(service.id);
    tell("service", "service " + view_.service + " at " + endpoint(service.address, service.port),
         {{"service", view_.service},
          {"forwarding", name_of(service.forwarding)},
          {"scheduler", name_of(service.scheduler)}});
  }

  void saw_unknown_flow(const core::FlowHash& hash) {
    flow_unknown_ = true;
    tell("steer", "no flow known; the scheduler decides",
         {{"flow", "unknown"}, {"lines", std::to_string(hash.line) + ", " + std::to_string(hash.other_line)}});
  }

  void saw_known_flow(const core::FlowPlace& place, const core::Backend& backend) {
    if (backend.service < services_.size()) saw_service(services_[backend.service]);
    view_.flow_known = true;
    const core::FlowEntry entry = core::unpack(place.value);
    const std::uint32_t idle = core::idle_ticks(place.value, tick_) * core::kTickSeconds;
    tell("steer",
         std::string("flow known, ") + name_of(entry.state) + ", on backend " + names_.backend(entry.backend) +
             ", last packet about " + std::to_string(idle) + " s ago",
         {{"flow", "known"},
          {"state", name_of(entry.state)},
          {"line", std::to_string(place.line - flows_)},
          {"position", std::to_string(place.position)},
          {"idle_seconds", std::to_string(idle)}});
  }

  void saw_slot(const core::Service& service, core::Scheduler by, std::uint32_t slot, std::uint32_t backend) {
    if (by != core::Scheduler::round_robin) {
      view_.ring_slot = slot;
      tell("steer",
           std::string("ring slot ") + std::to_string(slot) + " of " + std::to_string(service.ring.length) +
               (by == core::Scheduler::source_hash ? ", by the client's address," : "") + " is backend " +
               names_.backend(backend),
           {{"ring_slot", std::to_string(slot)}, {"ring_slots", std::to_string(service.ring.length)}});
      return;
    }
    tell("steer",
         "the next turn of round-robin is " + std::to_string(slot) + " of " + std::to_string(service.wheel.length) +
             ": backend " + names_.backend(backend) + ", unless another connection comes first",
         {{"turn", std::to_string(slot)}, {"turns", std::to_string(service.wheel.length)}});
  }

  void saw_load(std::uint32_t backend, std::uint32_t weight, std::uint32_t active) {
    if (weight == 0) return;
    compared_ += (compared_.empty() ? "" : ", ") + names_.backend(backend) + " " + std::to_string(active);
    if (weight != 1) compared_ += " by weight " + std::to_string(weight);
  }

  void saw_least_loaded(const core::Service& service, std::uint32_t backend) {
    tell("steer",
         std::string(name_of(service.scheduler)) + " takes backend " + names_.backend(backend) +
             " of these flows: " + compared_ + "; unless another connection comes first",
         {{"scheduler", name_of(service.scheduler)}, {"flows", compared_}});
  }

  void saw_source_rule(const core::Address& client, std::uint32_t rule) {
    const bool denied = (rule & core::kDenied) != 0;
    const std::uint32_t length = rule & ~core::kDenied;
    const std::string which = length == 0 ? "no prefix" : prefix_text(core::first_bits(client, length - 1), length - 1);
    const std::string why = length == 0 ? (denied ? "no prefix of allow holds the client, so it is denied"
                                                  : "no prefix of deny holds the client, so it is let in")
                                        : (denied ? "deny has " + which : "allow has " + which) +
                                              ", the longest prefix that holds the client";
    tell("sources", why, {{"prefix", which}, {"verdict", denied ? "denied" : "allowed"}});
  }

  void saw_source_limit(const core::SourceRules& rules, const core::Address& source, bool takes) {
    const std::string which = prefix_text(source, rules.bits);
    tell("sources",
         which + (takes ? " is within its limit of " : " has used up its limit of ") +
             std::to_string(rules.per_second) + " new flows a second, " + std::to_string(rules.burst) + " at once",
         {{"source", which}, {"limit", std::to_string(rules.per_second)}, {"verdict", takes ? "within" : "limited"}});
  }

  void saw_affinity(const core::Service& /*service*/, const core::FlowPlace& place) {
    const core::FlowEntry entry = core::unpack(place.value);
    const std::uint32_t idle = core::idle_ticks(place.value, tick_) * core::kTickSeconds;
    tell("steer",
         "affinity: the client's last new flow went to backend " + names_.backend(entry.backend) + ", about " +
             std::to_string(idle) + " s ago",
         {{"affinity", names_.backend(entry.backend)}, {"idle_seconds", std::to_string(idle)}});
  }

  void saw_port(core::PortIndex index, const core::Backend& backend) {
    if (view_.service.empty() && backend.service < services_.size()) saw_service(services_[backend.service]);
    if (!flow_unknown_) view_.flow_known = true;
    port_ = endpoint(core::port_source(settings_, core::source_of_port(index)), core::port_of(index));
    tell("port",
         flow_unknown_ ? port_ + " would be the connection's, unless another one comes first"
                       : port_ + " is the connection's",
         {{"port", port_}});
  }

  void saw_backend(const core::Backend& backend, std::uint32_t number) {
    view_.backend = names_.backend(number);
    tell("steer", "backend " + view_.backend + " at " + endpoint(backend.address, backend.port),
         {{"backend", view_.backend}, {"in_rotation", backend.rotation == core::Rotation::in ? "yes" : "no"}});
  }

  void saw_rewrite(const core::Backend& backend, Direction direction) {
    if (backend.forwarding == core::Forwarding::tunnel) {
      tell("rewrite", wrap_text(backend), {{"forwarding", "tunnel"}});
    } else if (backend.forwarding == core::Forwarding::direct) {
      tell("rewrite", "addresses stay; only the MAC addresses change", {{"forwarding", "direct"}});
    } else if (backend.forwarding == core::Forwarding::full_nat) {
      const bool any = backend.port == core::kAnyPort;
      const std::string to = any ? text_of(backend.address) : endpoint(backend.address, backend.port);
      tell("rewrite",
           direction == Direction::from_client
               ? "source becomes " + port_ + ", destination " + to + ", checksums corrected"
               : "both ends become the service's and the client's, checksums corrected",
           {{"forwarding", "full-nat"}});
    } else if (direction == Direction::from_client) {
      const bool any = backend.port == core::kAnyPort;
      const std::string to = any ? text_of(backend.address) : endpoint(backend.address, backend.port);
      tell("rewrite", "destination becomes " + to + ", checksums corrected", {{"forwarding", "nat"}});
    } else {
      tell("rewrite", "source becomes the service's address, checksums corrected", {{"forwarding", "nat"}});
    }
  }

  void saw_drop(std::uint32_t /*service*/) {}  // the verdict says it

 private:
  void tell(std::string stage, std::string text, std::vector<std::pair<std::string, std::string>> fields) {
    view_.steps.push_back({.stage = std::move(stage), .text = std::move(text), .fields = std::move(fields)});
  }

  api::TraceView& view_;
  const Names& names_;
  const core::Settings& settings_;
  std::uint32_t tick_;
  bool flow_unknown_ = false;
  std::string port_;  ///< of full NAT
  const core::FlowLine* flows_;
  std::string compared_;                     ///< backends and their flows, as they were compared
  std::span<const core::Service> services_;  ///< of the active generation, by id
};

template <class Header>
void append(std::vector<std::byte>& packet, const Header& header) {
  const auto bytes = std::as_bytes(std::span(&header, 1));
  packet.insert(packet.end(), bytes.begin(), bytes.end());
}

void append_network(std::vector<std::byte>& packet, const api::TraceQuery& query, std::uint8_t protocol,
                    std::size_t payload) {
  const core::Address from = to_core(query.from.address);
  const core::Address to = to_core(query.to.address);
  if (is_ipv4(from)) {
    core::Ipv4Header ip{};
    ip.version_length = 0x45;
    ip.total_length = core::be16(static_cast<std::uint16_t>(sizeof(ip) + payload));
    ip.time_to_live = 64;
    ip.protocol = protocol;
    ip.source = ipv4_of(from);
    ip.destination = ipv4_of(to);
    append(packet, ip);
    return;
  }
  append(packet, core::Ipv6Header{.version_class_flow = core::be32(6U << 28U),
                                  .payload_length = core::be16(static_cast<std::uint16_t>(payload)),
                                  .next_header = protocol,
                                  .hop_limit = 64,
                                  .source = from,
                                  .destination = to});
}

/// A segment or datagram without payload, as it would come in. `flags`: of TCP.
std::vector<std::byte> make_packet(const api::TraceQuery& query, std::uint64_t mac, std::uint8_t flags) {
  const bool udp = query.protocol == "udp";
  const core::Be16 from = core::be16(query.from.port);
  const core::Be16 to = core::be16(query.to.port);
  core::EthernetHeader ethernet{};
  std::memcpy(&ethernet.destination, &mac, 6);
  ethernet.type = query.from.address.is_v4() ? core::kEtherTypeIpv4 : core::kEtherTypeIpv6;
  std::vector<std::byte> packet;
  append(packet, ethernet);
  if (udp) {
    append_network(packet, query, core::kProtocolUdp, sizeof(core::UdpHeader));
    append(packet,
           core::UdpHeader{
               .source = from, .destination = to, .length = core::be16(sizeof(core::UdpHeader)), .checksum = 0});
    return packet;
  }
  append_network(packet, query, core::kProtocolTcp, sizeof(core::TcpHeader));
  core::TcpHeader tcp{};
  tcp.source = from;
  tcp.destination = to;
  tcp.offset = 0x50;
  tcp.flags = flags;
  append(packet, tcp);
  return packet;
}

/// What becomes of the packet, in the view's words.
void conclude(api::TraceView& view, const core::Verdict& verdict, const native::Frame& frame, const TraceEntry& entry,
              const Names& names) {
  const core::ReasonText& reason = core::kReasons[static_cast<std::size_t>(verdict.reason)];
  view.reason = reason.name;
  std::vector<std::pair<std::string, std::string>> fields{{"reason", reason.name}};
  std::string text = reason.text;
  switch (reason.action) {
    case core::Action::pass:
      view.verdict = api::Verdict::pass;
      text = "passed to the kernel untouched: " + text;
      break;
    case core::Action::drop:
      view.verdict = api::Verdict::drop;
      text = "dropped: " + text;
      break;
    case core::Action::hold:
      view.verdict = api::Verdict::drop;
      text = "held: " + text;
      break;
    case core::Action::refuse:
      view.verdict = api::Verdict::drop;
      text = "dropped, and its sender told so: " + text;
      break;
    case core::Action::transmit: {
      view.verdict = verdict.interface == entry.ingress ? api::Verdict::transmit : api::Verdict::redirect;
      if (verdict.interface == 0) {
        text = "sent to the client, by the way that the kernel's routing table says";
        break;
      }
      std::uint64_t mac = 0;
      std::memcpy(&mac, frame.bytes().data(), 6);
      view.interface = names.interface(verdict.interface);
      view.mac = net::to_string(mac_of(mac));
      fields.emplace_back("interface", view.interface);
      fields.emplace_back("mac", view.mac);
      text = "sent out of " + view.interface + " to " + view.mac;
      break;
    }
  }
  view.steps.push_back({.stage = "verdict", .text = std::move(text), .fields = std::move(fields)});
}

}  // namespace

Result<api::TraceView> trace(const dataplane::Tables& tables, const TraceEntry& entry, const api::TraceQuery& query,
                             const Names& names) {
  if (query.from.address.is_v4() != query.to.address.is_v4())
    return Error{"from and to are of different IP versions", "give both as IPv4 or both as IPv6"};
  native::Surroundings around;
  around.ingress = entry.ingress;
  around.tick = entry.tick;
  around.source_clock = entry.source_clock;
  around.route = [](const core::Address&, const core::Address&, std::uint32_t) {
    return core::NextHop{.status = core::NextHop::Status::found};
  };
  const auto run = [&](std::uint8_t flags, api::TraceView& view) {
    native::Frame frame(make_packet(query, entry.ingress_mac, flags));
    native::NativeEngine<native::Access::read_only, Storyteller> engine(tables, frame, around, view, names, tables,
                                                                        entry.tick);
    conclude(view, core::run(engine), frame, entry, names);
  };
  api::TraceView view;
  run(core::kTcpAck, view);
  if (!view.flow_known) {
    view = {};
    run(core::kTcpSyn, view);
  }
  return view;
}

}  // namespace astil::app
