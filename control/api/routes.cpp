// From a request to its route, and from what goes wrong to an answer.
#include "control/api/routes.hpp"

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "control/api/route_table.hpp"
#include "control/base/log.hpp"
#include "control/config/utf8.hpp"

namespace astil::api {
namespace {

const Route* find_route(std::string_view path) {
  for (const auto& route : all_routes()) {
    if (route.path == path) return &route;
  }
  return nullptr;
}

Result<Query> parse_query(const boost::urls::url_view& url, const Route& route) {
  Query query;
  for (const auto& parameter : url.params()) {
    if (std::ranges::find(route.parameters, parameter.key, &ParameterDescription::name) == route.parameters.end()) {
      return Error{"unknown parameter '" + parameter.key + "'", {}};
    }
    if (!query.emplace(parameter.key, parameter.value).second) {
      return Error{"parameter '" + parameter.key + "' is given twice", {}};
    }
  }
  for (const ParameterDescription& parameter : route.parameters) {
    if (parameter.required && value_of(query, parameter.name).empty())
      return Error{"the parameter " + std::string(parameter.name) + " is missing", {}};
  }
  return query;
}

Answer forbid(const Request& request, const Route& route) {
  if (request.access == Access::metrics) {
    return failure(403, {"without TLS there are /metrics and /v1/version only over TCP",
                         "use the daemon's Unix socket, as astil does, or api.remote"});
  }
  return failure(403, {std::string(route.method) + " " + std::string(route.path) + " needs the role operator, and " +
                           request.by.name() + " has read-only",
                       "use an operator's token"});
}

Answer dispatch(Daemon& daemon, const Request& request) {
  const auto url = boost::urls::parse_origin_form({request.target.data(), request.target.size()});
  if (!url) return bad_request("the request's target is not a path with a query");
  const std::string path = url->path();
  const Route* route = find_route(path);
  if (route == nullptr) return failure(404, {"there is nothing at this path", "ask for /v1/status or /metrics"});
  if (request.access < route->access) return forbid(request, *route);
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

namespace {

Answer try_to_answer(Daemon& daemon, const Request& request) {
  try {
    return dispatch(daemon, request);
  } catch (const std::exception& mistake) {
    log::error("a request failed", {{"method", request.method}, {"target", request.target}, {"why", mistake.what()}});
    return failed_request(mistake);
  }
}

constexpr std::string_view kReading = "GET";
constexpr std::size_t kShownTarget = 512;

}  // namespace

Answer answer(Daemon& daemon, const Request& request, Tally* tally) {
  Answer answer = try_to_answer(daemon, request);
  constexpr unsigned kForbidden = 403;
  if (tally != nullptr && answer.status == kForbidden) ++tally->forbidden;
  // What reads is told apart by the method, so that an attempt to change by a wrong path or role is told as well.
  // A client of plain TCP, who can be anybody, can not change anything, and is not to fill the log.
  if (request.method == kReading || request.method == "HEAD" || request.access == Access::metrics) return answer;
  const auto note = [tally, by = request.by.name(), from = std::string(request.from),
                     method = std::string(request.method),
                     target = std::string(request.target.substr(0, kShownTarget))](const Answer& answered) {
    const bool done = answered.status == 200;
    if (tally != nullptr) ++(done ? tally->changes_ok : tally->changes_refused);
    log::write(done ? log::Level::info : log::Level::warning, "change asked for",
               {{"by", by}, {"from", from}, {"method", method}, {"target", target}, {"status", answered.status}});
  };
  if (!answer.unfinished) {
    note(answer);
    return answer;
  }
  answer.unfinished = [note, rest = std::move(answer.unfinished)] {
    auto finished = rest();
    if (finished) note(*finished);
    return finished;
  };
  return answer;
}

void go_on(Answer& answer) {
  try {
    if (auto finished = answer.unfinished()) answer = std::move(*finished);
  } catch (const std::exception& mistake) {
    log::error("an answer failed", {{"why", mistake.what()}});
    answer = failed_request(mistake);
  }
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
