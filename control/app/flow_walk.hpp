// The list of flows that `astil flows` shows, gathered in slices: a table can be so large that one walk over it would
// keep the loop from the health checks.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "control/api/view.hpp"
#include "dataplane/tables.hpp"

namespace astil::app {

/// What the operator calls a backend number of the tables.
struct Labels {
  std::string service;
  std::string backend;
};

/// The tables as they are now: others may take their place between two slices.
struct FlowSource {
  std::function<const dataplane::Tables&()> tables;
  std::function<std::uint64_t()> tables_made;  ///< how often there were new ones
  std::function<std::uint32_t()> tick;
  std::function<Labels(std::uint32_t backend)> labels;
};

class FlowWalk final : public api::FlowWalk {
 public:
  /// Lines of the flow table in a slice: a millisecond or two.
  static constexpr std::size_t kSliceLines = 4096;

  FlowWalk(FlowSource source, api::FlowFilter filter, std::size_t slice_lines = kSliceLines);
  bool advance() override;
  api::FlowsView take() override { return std::move(view_); }

 private:
  void begin();
  void list(std::uint32_t backend, api::FlowView flow);

  FlowSource source_;
  api::FlowFilter filter_;
  std::size_t slice_lines_;
  std::uint64_t tables_made_ = 0;
  std::vector<bool> wanted_;  ///< backends that the filter lets through, by number
  std::size_t next_line_ = 0;
  api::FlowsView view_;
};

}  // namespace astil::app
