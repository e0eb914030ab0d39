#include "control/app/path_probes.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/udp.hpp>
#include <cerrno>
#include <utility>

#include "control/app/inputs.hpp"

namespace astil::app {
namespace {

core::ProbeWrap wrap_of(const health::Path& path) {
  if (path.forwarding != config::Forwarding::tunnel) return core::ProbeWrap::none;
  return path.encapsulation == config::Encapsulation::gue ? core::ProbeWrap::gue : core::ProbeWrap::ipip;
}

core::Be16 port_of(config::Port port) { return core::be16(static_cast<std::uint16_t>(port)); }

/// Of an address that sockets have.
std::optional<config::address> address_of(const sockaddr* any) {
  if (any == nullptr) return std::nullopt;
  if (any->sa_family == AF_INET) {
    const auto* of = reinterpret_cast<const sockaddr_in*>(any);
    return boost::asio::ip::address_v4(ntohl(of->sin_addr.s_addr));
  }
  if (any->sa_family != AF_INET6) return std::nullopt;
  const auto* of = reinterpret_cast<const sockaddr_in6*>(any);
  boost::asio::ip::address_v6::bytes_type bytes;
  std::copy_n(static_cast<const std::uint8_t*>(of->sin6_addr.s6_addr), bytes.size(), bytes.begin());
  return boost::asio::ip::address_v6(bytes);
}

bool is_global(const config::address& host) {
  const bool link_local = host.is_v6() && host.to_v6().is_link_local();
  return !host.is_loopback() && !host.is_unspecified() && !host.is_multicast() && !link_local;
}

}  // namespace

ProbePlaces::ProbePlaces(std::uint32_t count) {
  free_.reserve(count);
  for (std::uint32_t place = 0; place < count; ++place) free_.push_back(place);
}

std::optional<std::uint32_t> ProbePlaces::take() {
  if (first_ == free_.size()) return std::nullopt;
  const std::uint32_t place = free_[first_++];
  if (first_ * 2 >= free_.size()) {
    free_.erase(free_.begin(), free_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  return place;
}

PathProbes::PathProbes(net::OwnNamespace space, xdp::ProbePrograms programs, NextHop next_hop, Source source)
    : space_(std::move(space)),
      programs_(std::move(programs)),
      next_hop_(std::move(next_hop)),
      source_(std::move(source)),
      places_(std::make_shared<ProbePlaces>(core::kProbePorts)) {}

Result<std::unique_ptr<PathProbes>> PathProbes::make(std::span<const std::byte> object, const std::string& instance,
                                                     NextHop next_hop, Source source) {
  auto programs = xdp::ProbePrograms::load(object, instance);
  if (programs.has_error()) return programs.error();
  auto space = net::OwnNamespace::make(mac_of(core::kProbeMac));
  if (space.has_error()) return space.error();
  if (auto attached = programs->attach_out(space->ifindex()); attached.has_error()) return attached.error();
  return std::unique_ptr<PathProbes>(
      new PathProbes(std::move(*space), std::move(*programs), std::move(next_hop), std::move(source)));
}

Result<health::PathSockets::Opened> PathProbes::open(Kind kind, const health::Path& path,
                                                     const config::address& service, config::Port port) {
  const auto hop = next_hop_(path.backend);
  if (hop.has_error()) return hop.error().within("no way to the backend");
  const auto source = source_(service, *hop);
  if (!source) {
    return Error{"no " + std::string(service.is_v4() ? "IPv4" : "IPv6") + " address of this host's to probe from",
                 "give the interface towards the backends one"};
  }
  if (auto added = space_.add_address(*source); added.has_error()) return added.error();
  const auto place = places_->take();
  if (!place) return Error{"all " + std::to_string(core::kProbePorts) + " ports for probes are in use", {}};
  std::shared_ptr<void> held(nullptr, [places = places_, number = *place](void*) { places->give_back(number); });

  core::ProbeWay& way = programs_.ways()[*place];
  core::shared_store(way.interface, std::uint32_t{0});
  const config::address outer = path.outer_source.is_unspecified() ? hop->source_address : path.outer_source;
  way.back = space_.ifindex();
  way.destination_mac = mac_word(hop->neighbour_mac);
  way.source_mac = mac_word(hop->source_mac);
  way.service = to_core(service);
  way.local = to_core(*source);
  way.outer_source = to_core(outer);
  way.outer_destination = to_core(path.backend);
  way.service_port = port_of(port);
  way.gue_port = port_of(path.gue_port);
  way.protocol = kind == Kind::stream ? core::kProtocolTcp : core::kProtocolUdp;
  way.wrap = wrap_of(path);
  core::shared_store(way.interface, hop->ifindex);

  auto socket = bind(kind, *source, *place);
  if (socket.has_error()) return socket.error();
  return Opened{.socket = std::move(*socket), .place = std::move(held)};
}

Result<base::Descriptor> PathProbes::bind(Kind kind, const config::address& source, std::uint32_t place) const {
  const int type = kind == Kind::stream ? SOCK_STREAM : SOCK_DGRAM;
  auto socket = space_.socket(source.is_v4() ? AF_INET : AF_INET6, type);
  if (socket.has_error()) return socket;
  const boost::asio::ip::udp::endpoint from(source, static_cast<std::uint16_t>(core::kFirstProbePort + place));
  if (::bind(socket->get(), from.data(), static_cast<socklen_t>(from.size())) != 0)
    return system_error("bind a probe's socket", errno);
  return socket;
}

std::optional<config::address> probe_source(const config::address& service, const net::NextHop& hop,
                                            const std::set<config::address>& services) {
  const auto fits = [&](const config::address& host) {
    return host.is_v4() == service.is_v4() && is_global(host) && !services.contains(host);
  };
  if (fits(hop.source_address)) return hop.source_address;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return std::nullopt;
  std::optional<config::address> found;
  for (const ifaddrs* each = all; each != nullptr && !found; each = each->ifa_next) {
    if (::if_nametoindex(each->ifa_name) != hop.ifindex) continue;
    const auto host = address_of(each->ifa_addr);
    if (host && fits(*host)) found = host;
  }
  ::freeifaddrs(all);
  return found;
}

}  // namespace astil::app
