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
                                                              "established", "closing", "closed",    "udp-stream"};
  return kNames[static_cast<std::size_t>(state) & 7U];
}

const char* name_of(core::Forwarding forwarding) {
  switch (forwarding) {
    case core::Forwarding::nat:
      return "nat";
    case core::Forwarding::tunnel:
      return "tunnel";
    case core::Forwarding::direct:
      break;
  }
  return "direct";
}

std::string text_of(core::Be32 address) { return boost::asio::ip::address_v4(core::host(address)).to_string(); }

std::string endpoint(core::Be32 address, core::Be16 port) {
  return text_of(address) + ":" + std::to_string(host(port));
}

const char* kind_of(const core::Packet& packet) {
  if (packet.protocol == core::kProtocolUdp) return "";
  return (packet.tcp_flags & core::kTcpSyn) != 0 ? ", a SYN" : ", in mid-connection";
}

/// Writes down what the packet path says of itself.
class Storyteller {
 public:
  Storyteller(api::TraceView& view, const Names& names, const dataplane::Tables& tables, std::uint32_t tick)
      : view_(view), names_(names), tick_(tick) {
    flows_ = tables.flows().data();
    if (tables.active() != core::kNoGeneration) services_ = tables.services_of(tables.active());
  }

  void saw_packet(const core::Packet& packet) {
    tell("parse",
         std::string("IPv4 ") + (packet.protocol == core::kProtocolUdp ? "UDP" : "TCP") + " from " +
             endpoint(packet.source, packet.source_port) + " to " +
             endpoint(packet.destination, packet.destination_port) + kind_of(packet),
         {{"length", std::to_string(packet.length)}});
  }

  void saw_service(const core::Service& service) {
    view_.service = names_.service(service.id);
    tell("service", "service " + view_.service + " at " + endpoint(service.address.words[0], service.port),
         {{"service", view_.service},
          {"forwarding", name_of(service.forwarding)},
          {"scheduler", service.scheduler == core::Scheduler::maglev ? "maglev" : "round-robin"}});
  }

  void saw_unknown_flow(const core::FlowHash& hash) {
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
    if (by == core::Scheduler::maglev) {
      view_.ring_slot = slot;
      tell("steer",
           "ring slot " + std::to_string(slot) + " of " + std::to_string(service.ring.length) + " is backend " +
               names_.backend(backend),
           {{"ring_slot", std::to_string(slot)}, {"ring_slots", std::to_string(service.ring.length)}});
      return;
    }
    tell("steer",
         "the next turn of round-robin is " + std::to_string(slot) + " of " + std::to_string(service.wheel.length) +
             ": backend " + names_.backend(backend) + ", unless another connection comes first",
         {{"turn", std::to_string(slot)}, {"turns", std::to_string(service.wheel.length)}});
  }

  void saw_backend(const core::Backend& backend, std::uint32_t number) {
    view_.backend = names_.backend(number);
    tell("steer", "backend " + view_.backend + " at " + endpoint(backend.address.words[0], backend.port),
         {{"backend", view_.backend}, {"in_rotation", backend.rotation == core::Rotation::in ? "yes" : "no"}});
    source_ = text_of(backend.source.words[0]);
    address_ = endpoint(backend.address.words[0], backend.port);
    host_ = text_of(backend.address.words[0]);
  }

  void saw_rewrite(core::Forwarding forwarding, Direction direction) {
    if (forwarding == core::Forwarding::tunnel) {
      tell("rewrite", "IP-in-IP header put in front, from " + source_ + " to " + host_, {{"forwarding", "tunnel"}});
    } else if (forwarding == core::Forwarding::direct) {
      tell("rewrite", "addresses stay; only the MAC addresses change", {{"forwarding", "direct"}});
    } else if (direction == Direction::from_client) {
      tell("rewrite", "destination becomes " + address_ + ", checksums corrected", {{"forwarding", "nat"}});
    } else {
      tell("rewrite", "source becomes the service's address, checksums corrected", {{"forwarding", "nat"}});
    }
  }

 private:
  void tell(std::string stage, std::string text, std::vector<std::pair<std::string, std::string>> fields) {
    view_.steps.push_back({.stage = std::move(stage), .text = std::move(text), .fields = std::move(fields)});
  }

  api::TraceView& view_;
  const Names& names_;
  std::uint32_t tick_;
  const core::FlowLine* flows_;
  std::span<const core::Service> services_;  ///< of the active generation, by id
  std::string source_;
  std::string address_;
  std::string host_;
};

/// A segment or datagram without payload, as it would come in. `flags`: of TCP.
std::vector<std::byte> make_packet(const api::TraceQuery& query, std::uint64_t mac, std::uint8_t flags) {
  struct ASTIL_WIRE Headers {
    core::EthernetHeader ethernet;
    core::Ipv4Header ip;
    union {
      core::TcpHeader tcp;
      core::UdpHeader udp;
    };
  };
  Headers headers{};
  const bool udp = query.protocol == "udp";
  const std::size_t transport = udp ? sizeof(core::UdpHeader) : sizeof(core::TcpHeader);
  std::memcpy(&headers.ethernet.destination, &mac, 6);
  headers.ethernet.type = core::kEtherTypeIpv4;
  headers.ip.version_length = 0x45;
  headers.ip.total_length = core::be16(static_cast<std::uint16_t>(sizeof(core::Ipv4Header) + transport));
  headers.ip.time_to_live = 64;
  headers.ip.protocol = udp ? core::kProtocolUdp : core::kProtocolTcp;
  headers.ip.source = to_core(query.from.address).words[0];
  headers.ip.destination = to_core(query.to.address).words[0];
  const core::Ports ports{core::be16(query.from.port), core::be16(query.to.port)};
  std::memcpy(&headers.tcp, &ports, sizeof(ports));
  if (udp) {
    headers.udp.length = core::be16(sizeof(core::UdpHeader));
  } else {
    headers.tcp.offset = 0x50;
    headers.tcp.flags = flags;
  }
  std::vector<std::byte> bytes(sizeof(headers.ethernet) + sizeof(headers.ip) + transport);
  std::memcpy(bytes.data(), &headers, bytes.size());
  return bytes;
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
  if (!query.from.address.is_v4() || !query.to.address.is_v4()) {
    return Error{"IPv6 can not be traced", "this version forwards IPv4: give IPv4 addresses"};
  }
  native::Surroundings around;
  around.ingress = entry.ingress;
  around.tick = entry.tick;
  around.route = [](core::Be32, core::Be32, std::uint32_t) {
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
