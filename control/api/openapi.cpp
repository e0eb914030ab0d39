#include "control/api/openapi.hpp"

#include <algorithm>
#include <boost/core/demangle.hpp>
#include <boost/describe/enumerators.hpp>
#include <boost/describe/members.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <boost/mp11/algorithm.hpp>
#include <concepts>
#include <type_traits>

#include "control/api/described.hpp"
#include "control/api/routes.hpp"
#include "control/api/view.hpp"

namespace astil::api {

namespace describe = boost::describe;
namespace json = boost::json;

/// The schema of a type, as control/api/json.cpp writes its values.
template <class T>
struct SchemaOf {
  static json::value make(Schemas& schemas) {
    if constexpr (std::same_as<T, bool>) {
      return {{"type", "boolean"}};
    } else if constexpr (std::unsigned_integral<T>) {
      return {{"type", "integer"}, {"minimum", 0}};
    } else if constexpr (std::integral<T>) {
      return {{"type", "integer"}};
    } else if constexpr (std::floating_point<T>) {
      return {{"type", "number"}};
    } else if constexpr (describe::has_describe_enumerators<T>::value) {
      json::array names;
      boost::mp11::mp_for_each<describe::describe_enumerators<T>>([&](auto each) {
        std::string name = each.name;
        std::ranges::replace(name, '_', '-');
        names.emplace_back(name);
      });
      return {{"type", "string"}, {"enum", std::move(names)}};
    } else {
      return {{"$ref", described(schemas)}};
    }
  }

 private:
  static std::string described(Schemas& schemas) {
    const std::string whole = boost::core::demangle(typeid(T).name());
    const std::string name = whole.substr(whole.rfind(':') + 1);
    if (!schemas.all_.contains(name)) {
      schemas.all_[name] = nullptr;  // for one that holds itself
      json::object properties;
      json::array required;
      boost::mp11::mp_for_each<describe::describe_members<T, describe::mod_public>>([&](auto member) {
        using Member = std::remove_cvref_t<decltype(std::declval<T>().*member.pointer)>;
        properties[member.name] = SchemaOf<Member>::make(schemas);
        required.emplace_back(member.name);
      });
      schemas.all_[name] =
          json::object{{"type", "object"}, {"properties", std::move(properties)}, {"required", std::move(required)}};
    }
    return "#/components/schemas/" + name;
  }
};

template <>
struct SchemaOf<std::string> {
  static json::value make(Schemas& /*schemas*/) { return {{"type", "string"}}; }
};

template <>
struct SchemaOf<ip::address> {
  static json::value make(Schemas& /*schemas*/) {
    return {{"type", "string"}, {"anyOf", json::array{{{"format", "ipv4"}}, {{"format", "ipv6"}}}}};
  }
};

template <>
struct SchemaOf<TimePoint> {
  static json::value make(Schemas& /*schemas*/) { return {{"type", "string"}, {"format", "date-time"}}; }
};

template <>
struct SchemaOf<std::vector<std::pair<std::string, std::string>>> {
  static json::value make(Schemas& /*schemas*/) {
    return {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}};
  }
};

template <class T>
struct SchemaOf<std::vector<T>> {
  static json::value make(Schemas& schemas) { return {{"type", "array"}, {"items", SchemaOf<T>::make(schemas)}}; }
};

template <class T>
struct SchemaOf<std::optional<T>> {
  static json::value make(Schemas& schemas) {
    return {{"anyOf", json::array{SchemaOf<T>::make(schemas), {{"type", "null"}}}}};
  }
};

template <class View>
json::value Schemas::of() {
  return SchemaOf<View>::make(*this);
}

namespace {

std::string role_of(Access access) {
  switch (access) {
    case Access::metrics:
      return "Any role; on `api.metrics` without a token.";
    case Access::read:
      return "Role read-only or operator.";
    case Access::everything:
      break;
  }
  return "Role operator.";
}

json::object answer_of(std::string_view type, json::value schema, std::string_view description) {
  return {{"description", description}, {"content", {{type, {{"schema", std::move(schema)}}}}}};
}

json::object operation_of(const RouteDescription& route, Schemas& schemas) {
  json::array parameters;
  for (const ParameterDescription& parameter : route.parameters) {
    json::object schema{{"type", parameter.is_number ? "integer" : "string"}};
    parameters.push_back({{"name", parameter.name},
                          {"in", "query"},
                          {"required", parameter.required},
                          {"description", parameter.text},
                          {"schema", std::move(schema)}});
  }
  json::object responses{{"200", answer_of(route.type, route.schema(schemas), "Done.")}};
  const json::value failure = schemas.of<FailureView>();
  for (const auto& [status, text] :
       {std::pair("400", "The request makes no sense."), std::pair("401", "No valid token; over TLS only."),
        std::pair("403", "The role may not ask this."), std::pair("422", "The daemon refuses, and says why.")})
    responses[status] = answer_of("application/json", failure, text);
  json::object operation{
      {"summary", route.summary}, {"description", role_of(route.access)}, {"responses", std::move(responses)}};
  if (!parameters.empty()) operation["parameters"] = std::move(parameters);
  if (route.takes_configuration) {
    operation["requestBody"] = json::object{{"required", true},
                                            {"description", "The configuration."},
                                            {"content", {{"application/yaml", {{"schema", {{"type", "string"}}}}}}}};
  }
  return operation;
}

/// As people read it: Boost.JSON writes one line only.
void write_indented(const json::value& value, const std::string& indent, std::string& out) {
  const std::string deeper = indent + "  ";
  std::string between = "\n";
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    out += "{";
    for (const auto& [key, member] : *object) {
      out += std::exchange(between, ",\n") + deeper + json::serialize(json::string(key)) + ": ";
      write_indented(member, deeper, out);
    }
    out += "\n" + indent + "}";
  } else if (const auto* array = value.if_array(); array != nullptr && !array->empty()) {
    out += "[";
    for (const json::value& element : *array) {
      out += std::exchange(between, ",\n") + deeper;
      write_indented(element, deeper, out);
    }
    out += "\n" + indent + "]";
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

std::string openapi_document() {
  Schemas schemas;
  json::object paths;
  for (const RouteDescription& route : route_descriptions()) {
    std::string method(route.method);
    std::ranges::transform(method, method.begin(), [](char c) { return static_cast<char>(c | 0x20); });
    paths[route.path] = json::object{{method, operation_of(route, schemas)}};
  }
  const json::object bearer{{"type", "http"}, {"scheme", "bearer"}};
  const json::value document{
      {"openapi", "3.1.0"},
      {"info",
       {{"title", "Astil"},
        {"version", "1"},
        {"description",
         "The API of astild (docs/api.md), on its Unix socket and over TLS at api.remote. Members are only ever added "
         "to what is answered. This document is made of the server's own declarations: "
         "build/release/bin/astil_api_reference > docs/openapi.json"}}},
      {"security", json::array{json::object{{"bearer", json::array{}}}}},
      {"paths", std::move(paths)},
      {"components", {{"securitySchemes", {{"bearer", bearer}}}, {"schemas", schemas.all()}}}};
  std::string text;
  write_indented(document, "", text);
  return text + "\n";
}

#define ASTIL_SCHEMA_OF(View) template json::value Schemas::of<View>();
ASTIL_SCHEMA_OF(StatusView)
ASTIL_SCHEMA_OF(FlowsView)
ASTIL_SCHEMA_OF(DropsView)
ASTIL_SCHEMA_OF(DropEventView)
ASTIL_SCHEMA_OF(DrainsView)
ASTIL_SCHEMA_OF(TraceView)
ASTIL_SCHEMA_OF(ApplyView)
ASTIL_SCHEMA_OF(HistoryEntry)
ASTIL_SCHEMA_OF(HistoryView)
ASTIL_SCHEMA_OF(EventView)
ASTIL_SCHEMA_OF(EventsView)
ASTIL_SCHEMA_OF(WhyView)
ASTIL_SCHEMA_OF(DnsExplainView)
ASTIL_SCHEMA_OF(DnsOrderView)
ASTIL_SCHEMA_OF(PairView)
ASTIL_SCHEMA_OF(HandoverView)
ASTIL_SCHEMA_OF(FailureView)
ASTIL_SCHEMA_OF(VersionView)
#undef ASTIL_SCHEMA_OF

}  // namespace astil::api
