// The daemon's answers as an operator reads them. Each function gives whole lines.
#pragma once

#include <string>

#include "control/api/view.hpp"
#include "control/cli/table.hpp"

namespace astil::cli {

/// One screen: problems with their next steps first, then the daemon, interfaces, tables, and each service with its
/// backends. Ages are counted to `now`.
[[nodiscard]] std::string status_text(const api::StatusView& status, api::TimePoint now, Colour colour);

[[nodiscard]] std::string flows_text(const api::FlowsView& flows, Colour colour);

/// A line for each backend.
[[nodiscard]] std::string drains_text(const api::DrainsView& drains);

/// Every reason, the most frequent first.
[[nodiscard]] std::string drop_line(const api::DropEventView& drop, Colour colour);
[[nodiscard]] std::string drops_text(const api::DropsView& drops, Colour colour);

/// What each stage saw, and the verdict in a sentence.
[[nodiscard]] std::string trace_text(const api::TraceView& trace, const api::TraceQuery& query, Colour colour);

enum class Tense { planned, done };

/// What a file changes, or has changed: a line for each change, ring and service with flows that it concerns.
[[nodiscard]] std::string changes_text(const api::ApplyView& view, Tense tense, const std::string& file, Colour colour);

/// The newest first.
[[nodiscard]] std::string history_text(const api::HistoryView& history, Colour colour);

/// The answer, why it is so, and what is known of the sites.
[[nodiscard]] std::string dns_explain_text(const api::DnsExplainView& view, Colour colour);

/// Of the name server, if there is one.
[[nodiscard]] std::string dns_status_text(const std::optional<api::DnsView>& dns, Colour colour);

}  // namespace astil::cli
