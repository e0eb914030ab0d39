// Health probes through the forwarding path: a network namespace of our own, where no service address is local, and
// programs at the end of it and at the interfaces which carry each probe to its backend and its answers back. Made when
// the configuration has such a check for the first time, and kept.
//
// A probe leaves from an address of this host's own, which is also in the namespace, and from a port of its own among
// kFirstProbePort and the following. So its answer needs no service address here: it works on a node that does not
// hold the address as on one that does.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "control/health/path_sockets.hpp"
#include "control/net/own_namespace.hpp"
#include "control/net/types.hpp"
#include "dataplane/xdp/probe_programs.hpp"

namespace astil::app {

/// Records that are in use by one each, and rest for as long as can be once they are not: what still comes for the last
/// user must not reach the next one.
class ProbePlaces {
 public:
  explicit ProbePlaces(std::uint32_t count);
  /// None: all are in use.
  [[nodiscard]] std::optional<std::uint32_t> take();
  void give_back(std::uint32_t place) { free_.push_back(place); }

 private:
  std::vector<std::uint32_t> free_;  // a ring of those that are free, the longest rested first
  std::size_t first_ = 0;
};

class PathProbes final : public health::PathSockets {
 public:
  using NextHop = std::function<Result<net::NextHop>(const config::address&)>;
  /// An address of this host's own that the backend can answer to: of the version of the first, reached like the next
  /// hop; not one of a service.
  using Source = std::function<std::optional<config::address>(const config::address& service, const net::NextHop&)>;

  /// `object`: the programs. The error says what this machine lacks.
  static Result<std::unique_ptr<PathProbes>> make(std::span<const std::byte> object, const std::string& instance,
                                                  NextHop next_hop, Source source);

  /// The interfaces that answers may come in by; asked again, it puts right what somebody took away.
  [[nodiscard]] Result<void> follow(const std::set<std::uint32_t>& interfaces) { return programs_.follow(interfaces); }
  /// How often it was missing where it had been put.
  [[nodiscard]] std::size_t mended() const { return programs_.mended(); }

  [[nodiscard]] Result<Opened> open(Kind kind, const health::Path& path, const config::address& service,
                                    config::Port port) override;

 private:
  PathProbes(net::OwnNamespace space, xdp::ProbePrograms programs, NextHop next_hop, Source source);
  [[nodiscard]] Result<base::Descriptor> bind(Kind kind, const config::address& source, std::uint32_t place) const;

  net::OwnNamespace space_;
  xdp::ProbePrograms programs_;
  NextHop next_hop_;
  Source source_;
  std::shared_ptr<ProbePlaces> places_;
};

/// The source that the routing table gives where it is of the service's version; else the first address of that version
/// on the way's interface, which is global and none of `services`.
[[nodiscard]] std::optional<config::address> probe_source(const config::address& service, const net::NextHop& hop,
                                                          const std::set<config::address>& services);

}  // namespace astil::app
