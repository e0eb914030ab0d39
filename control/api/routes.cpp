// The table of routes and their handlers.
#include "control/api/routes.hpp"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <limits>
#include <map>
#include <vector>

#include "control/api/json.hpp"
#include "control/api/metrics.hpp"
#include "control/base/log.hpp"
#include "control/config/utf8.hpp"

namespace astil::api {
namespace {

constexpr std::size_t kMaxFlows = 100'000;  // about 20 MB of JSON

/// The decoded query, one value for each key.
using Query = std::map<std::string, std::string, std::less<>>;

template <class View>
Answer ok(const View& view) {
  return {200, "application/json", boost::json::serialize(to_json(view)) + "\n", {}, false};
}

Answer bad_request(const std::string& what, const std::string& remedy = {}) { return failure(400, {what, remedy}); }

std::string value_of(const Query& query, std::string_view key) {
  const auto found = query.find(key);
  return found == query.end() ? std::string() : found->second;
}

std::optional<std::string> optional_value(const Query& query, std::string_view key) {
  auto value = value_of(query, key);
  return value.empty() ? std::nullopt : std::optional(std::move(value));
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Answer get_version(Daemon& daemon, const Query& /*query*/, const Request& /*request*/) { return ok(daemon.version()); }

Answer get_status(Daemon& daemon, const Query& /*query*/, const Request& /*request*/) { return ok(daemon.status()); }

Answer get_ha(Daemon& daemon, const Query& /*query*/, const Request& /*request*/) {
  const StatusView status = daemon.status();
  if (!status.pair)
    return failure(404, {"this balancer is alone", "make it one of a pair with ha: in its configuration"});
  return ok(*status.pair);
}

DropFilter drop_filter(const Query& query) {
  return {.service = optional_value(query, "service"), .reason = optional_value(query, "reason")};
}

Answer get_drops(Daemon& daemon, const Query& query, const Request& /*request*/) {
  const auto drops = daemon.drops(drop_filter(query));
  return drops ? ok(*drops) : failure(422, drops.error());
}

/// A follower's drops, a line for each.
class DropLines final : public Feed {
 public:
  explicit DropLines(std::unique_ptr<DropFollower> follower) : follower_(std::move(follower)) {}

  std::string take() override {
    std::string lines;
    for (const DropEventView& drop : follower_->take()) lines += boost::json::serialize(to_json(drop)) + "\n";
    return lines;
  }
  void on_ready(std::function<void()> ready) override { follower_->on_ready(std::move(ready)); }

 private:
  std::unique_ptr<DropFollower> follower_;
};

Answer follow_drops(Daemon& daemon, const Query& query, const Request& /*request*/) {
  auto follower = daemon.follow_drops(drop_filter(query));
  if (!follower) return failure(422, follower.error());
  Answer answer;
  answer.content_type = "application/x-ndjson";
  answer.feed = std::make_shared<DropLines>(std::move(*follower));
  return answer;
}

class CaptureFile final : public Feed {
 public:
  explicit CaptureFile(std::unique_ptr<Capture> capture) : capture_(std::move(capture)) {}

  std::string take() override { return capture_->take(); }
  void on_ready(std::function<void()> ready) override { capture_->on_ready(std::move(ready)); }
  void end() override { capture_->end(); }
  [[nodiscard]] bool ended() const override { return capture_->ended(); }

 private:
  std::unique_ptr<Capture> capture_;
};

/// Puts a parameter's number where it belongs, if it was given.
template <class Number, class Goal>
Result<> read_number(const Query& query, const char* key, Number least, Number most, Goal& goal) {
  const auto text = optional_value(query, key);
  if (!text) return {};
  const auto number = parse_number<Number>(*text);
  if (!number || *number < least || *number > most) {
    return Error{std::string(key) + ": '" + *text + "' is not a number from " + std::to_string(least) + " to " +
                     std::to_string(most),
                 {}};
  }
  goal = *number;
  return {};
}

Result<CaptureQuery> capture_query(const Query& query) {
  using Asked = CaptureQuery;
  Asked asked;
  asked.service = optional_value(query, "service");
  asked.backend = optional_value(query, "backend");
  if (const auto text = optional_value(query, "client")) {
    const auto client = parse_client(*text);
    if (!client) return client.error().within("client");
    asked.client = *client;
  }
  constexpr std::uint64_t kAny = std::numeric_limits<std::uint64_t>::max();
  for (const Result<>& read : {read_number(query, "rate", 1U, Asked::kMostRate, asked.rate),
                               read_number(query, "count", std::uint64_t{1}, kAny, asked.count),
                               read_number(query, "size", Asked::kLeastSize, Asked::kMostSize, asked.size),
                               read_number(query, "duration", 1U, Asked::kMostSeconds, asked.seconds),
                               read_number(query, "snap", Asked::kLeastSnap, Asked::kMostSnap, asked.snap)}) {
    if (!read) return read.error();
  }
  return asked;
}

Answer get_capture(Daemon& daemon, const Query& query, const Request& /*request*/) {
  const auto asked = capture_query(query);
  if (!asked) return failure(400, asked.error());
  auto capture = daemon.capture(*asked);
  if (!capture) return failure(422, capture.error());
  Answer answer;
  answer.content_type = "application/x-pcapng";
  answer.feed = std::make_shared<CaptureFile>(std::move(*capture));
  return answer;
}

Answer get_flows(Daemon& daemon, const Query& query, const Request& /*request*/) {
  FlowFilter filter;
  filter.service = optional_value(query, "service");
  filter.backend = optional_value(query, "backend");
  if (const auto client = optional_value(query, "client")) {
    boost::system::error_code failed;
    filter.client = ip::make_address(*client, failed);
    if (failed) return bad_request("client: '" + *client + "' is not an IP address");
  }
  if (const auto limit = optional_value(query, "limit")) {
    const auto number = parse_number<std::size_t>(*limit);
    if (!number || *number < 1 || *number > kMaxFlows) {
      return bad_request("limit: '" + *limit + "' is not a number from 1 to " + std::to_string(kMaxFlows));
    }
    filter.limit = *number;
  }
  auto begun = daemon.flows(filter);
  if (!begun) return failure(422, begun.error());
  const std::shared_ptr<FlowWalk> walk = std::move(*begun);
  Answer unfinished;
  unfinished.unfinished = [walk] { return walk->advance() ? std::nullopt : std::optional(ok(walk->take())); };
  return unfinished;
}

Answer get_trace(Daemon& daemon, const Query& query, const Request& /*request*/) {
  const auto from = parse_endpoint(value_of(query, "from"));
  if (!from) return failure(400, from.error().within("from"));
  const auto to = parse_endpoint(value_of(query, "to"));
  if (!to) return failure(400, to.error().within("to"));
  const auto protocol = optional_value(query, "protocol").value_or("tcp");
  if (protocol != "tcp" && protocol != "udp") {
    return bad_request("protocol: '" + protocol + "' is not a protocol", "use tcp or udp");
  }
  if (from->address.is_v4() != to->address.is_v4()) {
    return bad_request("from and to are of different IP versions", "give both as IPv4 or both as IPv6");
  }
  const auto trace = daemon.trace({protocol, *from, *to});
  return trace ? ok(*trace) : failure(422, trace.error());
}

Answer answer_of(const Applied& applied) {
  if (applied) return ok(*applied);
  const auto& refusal = applied.error();
  return failure(refusal.diagnostics.empty() ? 500 : 422, refusal.error, refusal.diagnostics);
}

Result<BackendFilter> backend_filter(const Query& query) {
  auto backend = optional_value(query, "backend");
  if (!backend) return Error{"the parameter backend is missing", "name a backend"};
  return BackendFilter{.backend = std::move(*backend), .service = optional_value(query, "service")};
}

Answer get_backends(Daemon& daemon, const Query& query, const Request& /*request*/) {
  const auto filter = backend_filter(query);
  if (!filter) return failure(400, filter.error());
  const auto backends = daemon.backends(*filter);
  return backends ? ok(*backends) : failure(422, backends.error());
}

template <AdminState kState>
Answer post_order(Daemon& daemon, const Query& query, const Request& /*request*/) {
  const auto filter = backend_filter(query);
  if (!filter) return failure(400, filter.error());
  const auto backends = daemon.order(*filter, kState);
  return backends ? ok(*backends) : failure(422, backends.error());
}

Change change_of(const Query& query, const Request& request) {
  return {.yaml = std::string(request.body),
          .file = config::made_printable(optional_value(query, "file").value_or("(request)")),
          .uid = request.uid,
          .confirm = std::nullopt};
}

Answer post_plan(Daemon& daemon, const Query& query, const Request& request) {
  return answer_of(daemon.plan(change_of(query, request)));
}

Answer post_apply(Daemon& daemon, const Query& query, const Request& request) {
  Change change = change_of(query, request);
  std::optional<std::uint64_t> confirm;
  const auto most = static_cast<std::uint64_t>(kLongestConfirm.count());
  if (const auto read = read_number(query, "confirm", std::uint64_t{1}, most, confirm); !read)
    return failure(400, read.error());
  if (confirm) change.confirm = std::chrono::seconds(*confirm);
  return answer_of(daemon.apply(change));
}

Answer post_confirm(Daemon& daemon, const Query& /*query*/, const Request& /*request*/) {
  const auto confirmed = daemon.confirm();
  return confirmed ? ok(*confirmed) : failure(422, confirmed.error());
}

Answer post_rollback(Daemon& daemon, const Query& query, const Request& request) {
  std::optional<std::uint64_t> number;
  constexpr std::uint64_t kAny = std::numeric_limits<std::uint64_t>::max();
  if (const auto read = read_number(query, "number", std::uint64_t{1}, kAny, number); !read)
    return failure(400, read.error());
  return answer_of(daemon.rollback(number, request.uid));
}

Answer get_dns_explain(Daemon& daemon, const Query& query, const Request& /*request*/) {
  const auto explained = daemon.explain({.name = value_of(query, "name"),
                                         .from = value_of(query, "from"),
                                         .type = optional_value(query, "type").value_or("A")});
  return explained ? ok(*explained) : failure(422, explained.error());
}

Answer post_dns_site(Daemon& daemon, const Query& query, const Request& /*request*/) {
  const std::string state = value_of(query, "state");
  if (state != "up" && state != "down" && state != "auto")
    return bad_request("state: '" + state + "' is no order", "use up, down or auto");
  const auto ordered = daemon.order_site(value_of(query, "site"), state);
  return ordered ? ok(*ordered) : failure(422, ordered.error());
}

Answer get_history(Daemon& daemon, const Query& /*query*/, const Request& /*request*/) { return ok(daemon.history()); }

Answer post_detach(Daemon& daemon, const Query& /*query*/, const Request& /*request*/) {
  const auto detached = daemon.detach();
  if (!detached) return failure(500, detached.error());
  return {200, "application/json", "{}\n", {}, true};
}

Answer get_metrics(Daemon& daemon, const Query& /*query*/, const Request& /*request*/) {
  return {200, kMetricsContentType, metrics_text({daemon.status(), daemon.drops({}).value()}), {}, false};
}

struct Route {
  std::string_view method;
  std::string_view path;
  std::vector<std::string_view> parameters;
  Access access;  ///< that a client needs
  Answer (*handle)(Daemon&, const Query&, const Request&);
};

const std::array kRoutes{
    Route{"GET", "/v1/version", {}, Access::metrics, get_version},
    Route{"GET", "/v1/status", {}, Access::everything, get_status},
    Route{"GET", "/v1/ha", {}, Access::everything, get_ha},
    Route{"GET", "/v1/flows", {"service", "backend", "client", "limit"}, Access::everything, get_flows},
    Route{"GET", "/v1/drops", {"service", "reason"}, Access::everything, get_drops},
    Route{"GET", "/v1/drops/follow", {"service", "reason"}, Access::everything, follow_drops},
    Route{"GET",
          "/v1/capture",
          {"service", "backend", "client", "rate", "count", "size", "duration", "snap"},
          Access::everything,
          get_capture},
    Route{"GET", "/v1/trace", {"from", "to", "protocol"}, Access::everything, get_trace},
    Route{"GET", "/v1/backends", {"service", "backend"}, Access::everything, get_backends},
    Route{"POST", "/v1/backends/activate", {"service", "backend"}, Access::everything, post_order<AdminState::active>},
    Route{"POST", "/v1/backends/drain", {"service", "backend"}, Access::everything, post_order<AdminState::drain>},
    Route{"POST",
          "/v1/backends/maintenance",
          {"service", "backend"},
          Access::everything,
          post_order<AdminState::maintenance>},
    Route{"POST", "/v1/plan", {"file"}, Access::everything, post_plan},
    Route{"POST", "/v1/apply", {"file", "confirm"}, Access::everything, post_apply},
    Route{"POST", "/v1/confirm", {}, Access::everything, post_confirm},
    Route{"POST", "/v1/rollback", {"number"}, Access::everything, post_rollback},
    Route{"GET", "/v1/history", {}, Access::everything, get_history},
    Route{"GET", "/v1/dns/explain", {"name", "from", "type"}, Access::everything, get_dns_explain},
    Route{"POST", "/v1/dns/site", {"site", "state"}, Access::everything, post_dns_site},
    Route{"POST", "/v1/detach", {}, Access::everything, post_detach},
    Route{"GET", "/metrics", {}, Access::metrics, get_metrics},
};

const Route* find_route(std::string_view path) {
  for (const auto& route : kRoutes) {
    if (route.path == path) return &route;
  }
  return nullptr;
}

Result<Query> parse_query(const boost::urls::url_view& url, const Route& route) {
  Query query;
  for (const auto& parameter : url.params()) {
    if (std::ranges::find(route.parameters, parameter.key) == route.parameters.end()) {
      return Error{"unknown parameter '" + parameter.key + "'", {}};
    }
    if (!query.emplace(parameter.key, parameter.value).second) {
      return Error{"parameter '" + parameter.key + "' is given twice", {}};
    }
  }
  return query;
}

Answer dispatch(Daemon& daemon, const Request& request) {
  const auto url = boost::urls::parse_origin_form({request.target.data(), request.target.size()});
  if (!url) return bad_request("the request's target is not a path with a query");
  const std::string path = url->path();
  const Route* route = find_route(path);
  if (route == nullptr) return failure(404, {"there is nothing at this path", "ask for /v1/status or /metrics"});
  if (route->access == Access::everything && request.access != Access::everything) {
    return failure(403,
                   {"over TCP there are /metrics and /v1/version only", "use the daemon's Unix socket, as astil does"});
  }
  if (request.method != route->method) {
    auto wrong = failure(405, {"this path takes " + std::string(route->method) + " only", {}});
    wrong.allow = route->method;
    return wrong;
  }
  const auto query = parse_query(*url, *route);
  if (!query) return failure(400, query.error());
  return route->handle(daemon, *query, request);
}

Answer failed_request(const std::exception& mistake) {
  return failure(500, {std::string("the daemon failed: ") + mistake.what(), "look into its log, and report it"});
}

}  // namespace

Answer failure(unsigned status, const Error& error, const config::Diagnostics& diagnostics) {
  FailureView view{config::made_printable(error.what), config::made_printable(error.remedy), diagnostics};
  for (auto& diagnostic : view.diagnostics) diagnostic.file = config::made_printable(diagnostic.file);
  auto answer = ok(view);
  answer.status = status;
  return answer;
}

Answer answer(Daemon& daemon, const Request& request) {
  try {
    return dispatch(daemon, request);
  } catch (const std::exception& mistake) {
    log::error("a request failed", {{"method", request.method}, {"target", request.target}, {"why", mistake.what()}});
    return failed_request(mistake);
  }
}

void go_on(Answer& answer) {
  try {
    if (auto finished = answer.unfinished()) answer = std::move(*finished);
  } catch (const std::exception& mistake) {
    log::error("an answer failed", {{"why", mistake.what()}});
    answer = failed_request(mistake);
  }
}

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

Result<ClientPrefix> parse_client(const std::string& text) {
  const Error wrong{"'" + text + "' is not an address or a prefix", "write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"};
  const auto slash = text.find('/');
  boost::system::error_code failed;
  const auto address = ip::make_address(text.substr(0, slash), failed);
  if (failed || text.find('%') != std::string::npos) return wrong;
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return Error{"'" + text + "' is an IPv4-mapped address, which no packet has", "write it as an IPv4 address"};
  }
  const unsigned most = address.is_v4() ? 32 : 128;
  if (slash == std::string::npos) return ClientPrefix{address, most};
  const auto bits = parse_number<unsigned>(std::string_view(text).substr(slash + 1));
  if (!bits || *bits < 1 || *bits > most) {
    return Error{"'" + text + "' has no prefix length from 1 to " + std::to_string(most), {}};
  }
  return ClientPrefix{address, *bits};
}

}  // namespace astil::api
