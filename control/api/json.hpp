// The views as JSON, and back. Both directions follow from the BOOST_DESCRIBE lines in view.hpp: a field is a member of
// the object by its own name, enumerators are spelt with '-' for '_', addresses are text, times are RFC 3339 in UTC,
// and an optional that is not set is null.
#pragma once

#include <boost/json/value.hpp>
#include <string>

#include "control/api/view.hpp"
#include "control/base/result.hpp"

namespace astil::api {

/// Defined for StatusView, FlowsView, DropsView, DropEventView, DrainsView, OrdersView, TraceView, ApplyView,
/// HistoryView, HistoryEntry, PairView, HandoverView, EventView, EventsView, WhyView, FailureView, VersionView,
/// DnsExplainView, ReportView, DnsOrderView and DnsOrdersView.
template <class View>
[[nodiscard]] boost::json::value to_json(const View& view);

/// Reads what `to_json` of this or another version wrote: unknown members are skipped, missing ones keep their default,
/// so that the command line and the daemon may differ in version. A member of the wrong type is an error that names it.
template <class View>
[[nodiscard]] Result<View> from_json(const boost::json::value& json);

/// "2026-01-31T12:00:00Z".
[[nodiscard]] std::string to_rfc3339(TimePoint time);
[[nodiscard]] Result<TimePoint> from_rfc3339(const std::string& text);
/// "2026-01-31T12:00:00.123456Z".
[[nodiscard]] std::string to_rfc3339_micro(TimePoint time);

/// The enumerator as JSON spells it: "half-open".
[[nodiscard]] std::string to_string(BackendState state);
[[nodiscard]] std::string to_string(AdminState state);
[[nodiscard]] std::string to_string(FlowState state);
[[nodiscard]] std::string to_string(Verdict verdict);
[[nodiscard]] std::string to_string(ChangedBy by);
[[nodiscard]] std::string to_string(ChangeResult result);
[[nodiscard]] std::string to_string(EventKind kind);

}  // namespace astil::api
