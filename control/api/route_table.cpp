#include "control/api/route_table.hpp"

#include "control/api/metrics.hpp"
#include "control/api/openapi.hpp"

namespace astil::api {
namespace {

namespace parameters {
constexpr ParameterDescription kService{"service", "Only of this service."};
constexpr ParameterDescription kBackend{"backend", "Only of backends of this name."};
constexpr ParameterDescription kWhich{"backend", "The backend's name.", false, true};
constexpr ParameterDescription kClient{"client", "Only of this client: an address."};
constexpr ParameterDescription kClients{"client", "Only of these clients: an address or a prefix."};
constexpr ParameterDescription kReason{"reason", "Only those dropped for this reason."};
constexpr ParameterDescription kFlows{"limit", "At most so many, 1 to 100000; default 1000.", true};
constexpr ParameterDescription kEvents{"limit", "At most so many, 1 to 100000, the last ones; default 100.", true};
constexpr ParameterDescription kAfter{"after", "Begin with what came after the event of this number.", true};
constexpr ParameterDescription kRate{"rate", "Packets a second, at most; default 1000.", true};
constexpr ParameterDescription kCount{"count", "Packets, at most.", true};
constexpr ParameterDescription kSize{"size", "Bytes of the file, at most; default 100000000.", true};
constexpr ParameterDescription kDuration{"duration", "Seconds, at most; up to 3600, default 60.", true};
constexpr ParameterDescription kSnap{"snap", "Bytes of each frame, 64 to 9216; default 192.", true};
constexpr ParameterDescription kFrom{"from", "The client: 203.0.113.7:40000 or [2001:db8::7]:40000.", false, true};
constexpr ParameterDescription kTo{"to", "The service, likewise.", false, true};
constexpr ParameterDescription kProtocol{"protocol", "tcp or udp; default tcp."};
constexpr ParameterDescription kFile{"file", "What messages and the history call the configuration."};
constexpr ParameterDescription kConfirm{"confirm", "Seconds until what was before comes back by itself.", true};
constexpr ParameterDescription kName{"name", "The name that is asked for.", false, true};
constexpr ParameterDescription kResolver{"from", "The client, or its resolver; default 192.0.2.1."};
constexpr ParameterDescription kType{"type", "The type that is asked for; default A."};
constexpr ParameterDescription kSite{"site", "The site's name.", false, true};
constexpr ParameterDescription kState{"state", "up, down or auto.", false, true};
constexpr ParameterDescription kAddress{"address", "One that this node has.", false, true};
constexpr ParameterDescription kNode{"to", "Name of the node that is to have it.", false, true};
constexpr ParameterDescription kWithGroup{"with_group", "1: also where other addresses go along."};
constexpr ParameterDescription kFor{"for", "Seconds that this node takes nothing back; default 3600.", true};
constexpr ParameterDescription kNumber{"number", "Of the history; default: what ran before.", true};
}  // namespace parameters

constexpr std::string_view kJson = "application/json";

template <class View>
boost::json::value schema(Schemas& schemas) {
  return schemas.of<View>();
}

boost::json::value text_schema(Schemas& /*schemas*/) { return {{"type", "string"}}; }
boost::json::value file_schema(Schemas& /*schemas*/) {
  return {{"type", "string"}, {"contentMediaType", "application/x-pcapng"}};
}
boost::json::value empty_schema(Schemas& /*schemas*/) { return {{"type", "object"}}; }

}  // namespace

const std::vector<Route>& all_routes() {
  using namespace parameters;
  static const std::vector<Route> kRoutes{
      {{"GET", "/v1/version", "The daemon's version.", {}, Access::metrics, kJson, schema<VersionView>, false},
       get_version},
      {{"GET",
        "/v1/status",
        "Problems first, then everything there is.",
        {},
        Access::read,
        kJson,
        schema<StatusView>,
        false},
       get_status},
      {{"GET",
        "/v1/flows",
        "The connections in the flow table.",
        {kService, kBackend, kClient, kFlows},
        Access::read,
        kJson,
        schema<FlowsView>,
        false},
       get_flows},
      {{"GET",
        "/v1/drops",
        "Why packets were dropped, and how many.",
        {kService, kReason},
        Access::read,
        kJson,
        schema<DropsView>,
        false},
       get_drops},
      {{"GET",
        "/v1/drops/follow",
        "A line of JSON for each packet as it is dropped, until the client leaves.",
        {kService, kReason},
        Access::read,
        "application/x-ndjson",
        schema<DropEventView>,
        false},
       follow_drops},
      {{"GET",
        "/v1/capture",
        "A pcapng file as packets come, to its limits or until the client leaves.",
        {kService, kBackend, kClients, kRate, kCount, kSize, kDuration, kSnap},
        Access::everything,
        "application/x-pcapng",
        file_schema,
        false},
       get_capture},
      {{"GET",
        "/v1/trace",
        "Where a packet would go, and why.",
        {kFrom, kTo, kProtocol},
        Access::read,
        kJson,
        schema<TraceView>,
        false},
       get_trace},
      {{"GET",
        "/v1/backends",
        "What is left on a backend.",
        {kService, kWhich},
        Access::read,
        kJson,
        schema<DrainsView>,
        false},
       get_backends},
      {{"GET",
        "/v1/why",
        "Why a backend is as it is, and how it came to that.",
        {kService, kWhich},
        Access::read,
        kJson,
        schema<WhyView>,
        false},
       get_why},
      {{"GET",
        "/v1/events",
        "Server-sent events as states change, each with an EventView as its data, until the client leaves.",
        {kService, kBackend, kAfter},
        Access::read,
        "text/event-stream",
        schema<EventView>,
        false},
       follow_events},
      {{"GET",
        "/v1/events/past",
        "The last changes of state.",
        {kService, kBackend, kEvents},
        Access::read,
        kJson,
        schema<EventsView>,
        false},
       get_past_events},
      {{"POST",
        "/v1/backends/activate",
        "Takes an order back.",
        {kService, kWhich},
        Access::everything,
        kJson,
        schema<DrainsView>,
        false},
       post_order<AdminState::active>},
      {{"POST",
        "/v1/backends/drain",
        "No new connections for a backend.",
        {kService, kWhich},
        Access::everything,
        kJson,
        schema<DrainsView>,
        false},
       post_order<AdminState::drain>},
      {{"POST",
        "/v1/backends/maintenance",
        "As if a backend were down.",
        {kService, kWhich},
        Access::everything,
        kJson,
        schema<DrainsView>,
        false},
       post_order<AdminState::maintenance>},
      {{"POST",
        "/v1/plan",
        "What applying a configuration would change; changes nothing.",
        {kFile},
        Access::everything,
        kJson,
        schema<ApplyView>,
        true},
       post_plan},
      {{"POST",
        "/v1/apply",
        "Makes a configuration the running one.",
        {kFile, kConfirm},
        Access::everything,
        kJson,
        schema<ApplyView>,
        true},
       post_apply},
      {{"POST",
        "/v1/confirm",
        "Keeps the change that waits for it.",
        {},
        Access::everything,
        kJson,
        schema<HistoryEntry>,
        false},
       post_confirm},
      {{"POST",
        "/v1/rollback",
        "Makes an earlier configuration the running one.",
        {kNumber},
        Access::everything,
        kJson,
        schema<ApplyView>,
        false},
       post_rollback},
      {{"GET", "/v1/history", "The configurations that ran.", {}, Access::read, kJson, schema<HistoryView>, false},
       get_history},
      {{"GET",
        "/v1/report",
        "Health and load of the services, for the name servers of other sites.",
        {},
        Access::read,
        kJson,
        schema<ReportView>,
        false},
       get_report},
      {{"GET",
        "/v1/dns/explain",
        "Which answer of the name server a client gets, and why.",
        {kName, kResolver, kType},
        Access::read,
        kJson,
        schema<DnsExplainView>,
        false},
       get_dns_explain},
      {{"POST",
        "/v1/dns/site",
        "Makes a site count as up or down in every name, or as its checks say.",
        {kSite, kState},
        Access::everything,
        kJson,
        schema<DnsOrderView>,
        false},
       post_dns_site},
      {{"GET",
        "/v1/ha",
        "The pair, as this node sees it; 404 where it is alone.",
        {},
        Access::read,
        kJson,
        schema<PairView>,
        false},
       get_ha},
      {{"POST",
        "/v1/ha/handover",
        "Leaves the pair's addresses to the other node once it has all flows.",
        {kFor},
        Access::everything,
        kJson,
        schema<HandoverView>,
        false},
       post_handover},
      {{"POST",
        "/v1/ha/move",
        "Leaves an address, with its group, to the other node once that has all flows.",
        {kAddress, kNode, kWithGroup},
        Access::everything,
        kJson,
        schema<HandoverView>,
        false},
       post_move},
      {{"POST",
        "/v1/detach",
        "Removes everything from the kernel and ends the daemon.",
        {},
        Access::everything,
        kJson,
        empty_schema,
        false},
       post_detach},
      {{"GET", "/metrics", "Prometheus' text.", {}, Access::metrics, kMetricsContentType, text_schema, false},
       get_metrics},
  };
  return kRoutes;
}

std::vector<RouteDescription> route_descriptions() { return {all_routes().begin(), all_routes().end()}; }

Result<Endpoint> parse_endpoint(std::string_view text) {
  const Error wrong{"'" + std::string(text) + "' is not an address with a port",
                    "write 192.0.2.1:80 or [2001:db8::1]:80"};
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong;
  auto host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  boost::system::error_code failed;
  const auto address = ip::make_address(std::string(host), failed);
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  if (failed || !port || *port == 0 || address.is_v6() != bracketed) return wrong;
  return Endpoint{address, *port};
}

}  // namespace astil::api
