// `astil trace`: one packet through the packet path, natively, over the live tables, without writing anything; and what
// each stage saw, in words. The code that decides is the code that forwards (dataplane/core), not an account of it.
#pragma once

#include <functional>
#include <string>

#include "control/api/view.hpp"
#include "dataplane/tables.hpp"

namespace astil::app {

/// Names for what the tables know by number.
struct Names {
  std::function<std::string(std::uint32_t service_id)> service;
  std::function<std::string(std::uint32_t backend_number)> backend;
  std::function<std::string(std::uint32_t ifindex)> interface;
};

/// Where the packet is supposed to come in, and when.
struct TraceEntry {
  std::uint32_t ingress = 0;      ///< ifindex
  std::uint64_t ingress_mac = 0;  ///< of that interface
  std::uint32_t tick = 0;
  std::uint64_t source_clock = 0;
};

/// A packet of a known flow is traced as one in mid-connection, any other as a SYN.
[[nodiscard]] Result<api::TraceView> trace(const dataplane::Tables& tables, const TraceEntry& entry,
                                           const api::TraceQuery& query, const Names& names);

}  // namespace astil::app
