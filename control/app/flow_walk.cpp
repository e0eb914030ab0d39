#include "control/app/flow_walk.hpp"

#include <algorithm>

#include "control/app/inputs.hpp"
#include "dataplane/census.hpp"
#include "dataplane/native/native_engine.hpp"

namespace astil::app {
namespace {

/// A part of the flow table as if it were the whole; all other tables as they are.
dataplane::Tables slice_of(const dataplane::Tables& tables, std::size_t first_line, std::size_t lines) {
  dataplane::Tables slice = tables;
  slice.memory[static_cast<std::size_t>(dataplane::TableId::flows)] += first_line * sizeof(core::FlowLine);
  slice.sizes.flow_lines = static_cast<std::uint32_t>(lines);
  if (tables.sizes.client_lines != 0) {
    slice.memory[static_cast<std::size_t>(dataplane::TableId::clients)] += first_line * sizeof(core::ClientLine);
    slice.sizes.client_lines = slice.sizes.flow_lines;
  }
  return slice;
}

api::FlowView view_of(const dataplane::FlowRecord& record) {
  const core::FlowTuple& flow = record.flow;
  constexpr auto kFirst = static_cast<int>(core::FlowState::half_open);
  static_assert(static_cast<int>(core::FlowState::affinity) - kFirst == static_cast<int>(api::FlowState::affinity));
  return {.service = "",
          .client = {.address = from_core(flow.client), .port = host(flow.client_port)},
          .destination = {.address = from_core(flow.address), .port = host(flow.port)},
          .backend = "",
          .state = static_cast<api::FlowState>(static_cast<int>(record.entry.state) - kFirst),
          .idle_seconds = record.idle_seconds,
          .protocol = flow.protocol == core::kProtocolUdp ? "udp" : "tcp",
          .client_prefix = std::nullopt,
          .source = std::nullopt};
}

/// Under full NAT, the port that the flow has.
std::optional<api::Endpoint> source_of(const dataplane::Tables& tables, const dataplane::FlowRecord& record) {
  if (record.entry.state == core::FlowState::affinity) return std::nullopt;
  if (tables.backends()[record.entry.backend].forwarding != core::Forwarding::full_nat) return std::nullopt;
  native::Frame no_frame({});
  const native::Surroundings around;
  native::NativeEngine<native::Access::read_only> engine(tables, no_frame, around);
  const core::Connection connection{.flow = record.flow, .hash = core::connection_hash(engine, record.flow)};
  const core::PortIndex index = core::find_any_port(engine, connection);
  if (index == core::kNoPort) return std::nullopt;
  return api::Endpoint{.address = from_core(core::port_source(tables.settings(), core::source_of_port(index))),
                       .port = host(core::port_of(index))};
}

/// Bits of addresses that an affinity entry of the backend's service goes by; IPv4 addresses are mapped into IPv6.
std::uint32_t affinity_bits(const dataplane::Tables& tables, std::uint32_t backend) {
  const std::uint32_t service = core::shared_load(tables.backends()[backend].service);
  if (tables.active() == core::kNoGeneration || service >= tables.sizes.services) return 0;
  return tables.services_of(tables.active())[service].affinity_bits;
}

}  // namespace

FlowWalk::FlowWalk(FlowSource source, api::FlowFilter filter, std::size_t slice_lines)
    : source_(std::move(source)), filter_(std::move(filter)), slice_lines_(slice_lines) {
  begin();
}

/// The names are compared once for each backend, not for each flow.
void FlowWalk::begin() {
  tables_made_ = source_.tables_made();
  next_line_ = 0;
  view_ = {};
  wanted_.assign(source_.tables().sizes.backends, true);
  if (!filter_.service && !filter_.backend) return;
  for (std::uint32_t number = 0; number < wanted_.size(); ++number) {
    const Labels labels = source_.labels(number);
    wanted_[number] = (!filter_.service || *filter_.service == labels.service) &&
                      (!filter_.backend || *filter_.backend == labels.backend);
  }
}

bool FlowWalk::advance() {
  if (tables_made_ != source_.tables_made()) begin();  // numbers and places are others
  const dataplane::Tables& tables = source_.tables();
  const std::size_t left = tables.sizes.flow_lines - next_line_;
  const std::size_t lines = std::min(slice_lines_, left);
  const auto client = filter_.client ? std::optional(to_core(*filter_.client)) : std::nullopt;
  const auto visit = [&](const dataplane::FlowRecord& flow) {
    const std::uint32_t backend = flow.entry.backend;
    if (backend >= wanted_.size() || !wanted_[backend]) return true;
    const bool affinity = flow.entry.state == core::FlowState::affinity;
    const std::uint32_t bits = affinity ? affinity_bits(tables, backend) : 128;
    if (client && !(core::first_bits(*client, bits) == flow.flow.client)) return true;
    if (++view_.matched > filter_.limit) return true;
    api::FlowView view = view_of(flow);
    if (affinity) view.client_prefix = core::is_ipv4(flow.flow.client) ? bits - 96 : bits;
    view.source = source_of(tables, flow);
    list(backend, std::move(view));
    return true;
  };
  dataplane::visit_flows(slice_of(tables, next_line_, lines), source_.tick(), visit);
  next_line_ += lines;
  return lines < left;
}

void FlowWalk::list(std::uint32_t backend, api::FlowView flow) {
  const Labels labels = source_.labels(backend);
  flow.service = labels.service;
  flow.backend = labels.backend;
  view_.flows.push_back(std::move(flow));
}

}  // namespace astil::app
