// What the API's routes do, each with the query and the request as they were read. Used by the table of routes alone.
#pragma once

#include <boost/json/serialize.hpp>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "control/api/json.hpp"
#include "control/api/routes.hpp"

namespace astil::api {

/// The decoded query, one value for each key.
using Query = std::map<std::string, std::string, std::less<>>;

template <class View>
Answer ok(const View& view) {
  return {200, "application/json", boost::json::serialize(to_json(view)) + "\n", {}, false};
}

inline Answer bad_request(const std::string& what, const std::string& remedy = {}) {
  return failure(400, {what, remedy});
}

inline std::string value_of(const Query& query, std::string_view key) {
  const auto found = query.find(key);
  return found == query.end() ? std::string() : found->second;
}

inline std::optional<std::string> optional_value(const Query& query, std::string_view key) {
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

[[nodiscard]] Answer get_version(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer get_status(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer get_drops(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer follow_drops(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer get_capture(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer get_flows(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer get_trace(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer get_backends(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer get_why(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer get_past_events(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer follow_events(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer post_plan(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer post_apply(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer post_confirm(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer post_rollback(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer get_report(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer get_dns_explain(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer post_dns_site(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer get_ha(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer post_handover(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer post_move(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer get_history(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer post_detach(Daemon& daemon, const Query& query, const Request& request);
[[nodiscard]] Answer get_metrics(Daemon& daemon, const Query& query, const Request& request);
template <AdminState kState>
[[nodiscard]] Answer post_order(Daemon& daemon, const Query& query, const Request& request);

}  // namespace astil::api
