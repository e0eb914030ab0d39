// Turns any described struct into JSON and back, member by member.
#include "control/api/json.hpp"

#include <algorithm>
#include <boost/describe/enum_from_string.hpp>
#include <boost/describe/enum_to_string.hpp>
#include <boost/describe/members.hpp>
#include <boost/json/value_to.hpp>
#include <boost/mp11/algorithm.hpp>
#include <concepts>
#include <ctime>
#include <type_traits>

#include "control/api/described.hpp"

namespace astil::api {
namespace {

namespace describe = boost::describe;
namespace json = boost::json;

using Pairs = std::vector<std::pair<std::string, std::string>>;

template <class T>
using Members = describe::describe_members<T, describe::mod_public>;

template <class T>
concept Described = describe::has_describe_members<T>::value;

template <class T>
concept DescribedEnum = describe::has_describe_enumerators<T>::value;

template <class T>
concept Number = std::is_arithmetic_v<T> && !std::same_as<T, bool>;

template <DescribedEnum E>
std::string spell(E value) {
  std::string text = describe::enum_to_string(value, "unknown");
  std::ranges::replace(text, '_', '-');
  return text;
}

// One overload for each kind of member. The templates call each other, hence the declarations.
template <class T>
json::value encode(const std::optional<T>& value);
template <class T>
json::value encode(const std::vector<T>& values);
template <Described T>
json::value encode(const T& object);

json::value encode(const std::string& text) { return json::value(text); }
json::value encode(bool value) { return value; }
template <Number T>
json::value encode(T value) {
  return value;
}
json::value encode(const ip::address& address) { return json::value(address.to_string()); }
json::value encode(TimePoint time) { return json::value(to_rfc3339(time)); }
template <DescribedEnum E>
json::value encode(E value) {
  return json::value(spell(value));
}
json::value encode(const Pairs& pairs) {
  json::object object;
  for (const auto& [key, value] : pairs) object[key] = value;
  return object;
}

template <class T>
json::value encode(const std::optional<T>& value) {
  return value ? encode(*value) : json::value(nullptr);
}

template <class T>
json::value encode(const std::vector<T>& values) {
  json::array array;
  array.reserve(values.size());
  for (const auto& value : values) array.push_back(encode(value));
  return array;
}

template <Described T>
json::value encode(const T& object) {
  json::object members;
  boost::mp11::mp_for_each<Members<T>>([&](auto member) { members[member.name] = encode(object.*member.pointer); });
  return members;
}

Error wrong_type(const char* wanted) { return {std::string("expected ") + wanted, {}}; }

template <class T>
Result<> decode(const json::value& value, std::optional<T>& to);
template <class T>
Result<> decode(const json::value& value, std::vector<T>& to);
template <Described T>
Result<> decode(const json::value& value, T& to);

Result<> decode(const json::value& value, std::string& to) {
  if (!value.is_string()) return wrong_type("a string");
  to = json::value_to<std::string>(value);
  return {};
}

Result<> decode(const json::value& value, bool& to) {
  if (!value.is_bool()) return wrong_type("true or false");
  to = value.get_bool();
  return {};
}

template <Number T>
Result<> decode(const json::value& value, T& to) {
  boost::system::error_code failed;
  const T number = value.to_number<T>(failed);
  if (failed) return wrong_type("a number in range");
  to = number;
  return {};
}

Result<> decode(const json::value& value, ip::address& to) {
  if (!value.is_string()) return wrong_type("an IP address");
  boost::system::error_code failed;
  const auto address = ip::make_address(json::value_to<std::string>(value), failed);
  if (failed) return wrong_type("an IP address");
  to = address;
  return {};
}

Result<> decode(const json::value& value, TimePoint& to) {
  if (!value.is_string()) return wrong_type("a time");
  const auto time = from_rfc3339(json::value_to<std::string>(value));
  if (!time) return time.error();
  to = *time;
  return {};
}

template <DescribedEnum E>
Result<> decode(const json::value& value, E& to) {
  if (!value.is_string()) return wrong_type("a name");
  auto text = json::value_to<std::string>(value);
  std::ranges::replace(text, '-', '_');
  if (!describe::enum_from_string(text.c_str(), to)) return Error{"unknown name '" + text + "'", {}};
  return {};
}

Result<> decode(const json::value& value, Pairs& to) {
  const auto* object = value.if_object();
  if (object == nullptr) return wrong_type("an object");
  for (const auto& [key, field] : *object) {
    std::string text;
    if (const auto read = decode(field, text); !read) return read.error().within(key);
    to.emplace_back(key, std::move(text));
  }
  return {};
}

template <class T>
Result<> decode(const json::value& value, std::optional<T>& to) {
  if (value.is_null()) {
    to.reset();
    return {};
  }
  return decode(value, to.emplace());
}

template <class T>
Result<> decode(const json::value& value, std::vector<T>& to) {
  const auto* array = value.if_array();
  if (array == nullptr) return wrong_type("an array");
  for (const auto& element : *array) {
    if (const auto read = decode(element, to.emplace_back()); !read) return read;
  }
  return {};
}

template <Described T>
Result<> decode(const json::value& value, T& to) {
  const auto* object = value.if_object();
  if (object == nullptr) return wrong_type("an object");
  Result<> outcome;
  boost::mp11::mp_for_each<Members<T>>([&](auto member) {
    const auto* found = outcome ? object->if_contains(member.name) : nullptr;
    if (found == nullptr) return;
    if (const auto read = decode(*found, to.*member.pointer); !read) outcome = read.error().within(member.name);
  });
  return outcome;
}

}  // namespace

template <class View>
json::value to_json(const View& view) {
  return encode(view);
}

template <class View>
Result<View> from_json(const json::value& json) {
  View view;
  if (const auto read = decode(json, view); !read) return read.error();
  return view;
}

#define ASTIL_JSON_VIEW(View)                      \
  template json::value to_json<View>(const View&); \
  template Result<View> from_json<View>(const json::value&);
ASTIL_JSON_VIEW(StatusView)
ASTIL_JSON_VIEW(FlowsView)
ASTIL_JSON_VIEW(DropsView)
ASTIL_JSON_VIEW(DropEventView)
ASTIL_JSON_VIEW(DrainsView)
ASTIL_JSON_VIEW(OrdersView)
ASTIL_JSON_VIEW(TraceView)
ASTIL_JSON_VIEW(ApplyView)
ASTIL_JSON_VIEW(HistoryEntry)
ASTIL_JSON_VIEW(PairView)
ASTIL_JSON_VIEW(HandoverView)
ASTIL_JSON_VIEW(HistoryView)
ASTIL_JSON_VIEW(EventView)
ASTIL_JSON_VIEW(EventsView)
ASTIL_JSON_VIEW(WhyView)
ASTIL_JSON_VIEW(FailureView)
ASTIL_JSON_VIEW(VersionView)
ASTIL_JSON_VIEW(DnsExplainView)
ASTIL_JSON_VIEW(ReportView)
ASTIL_JSON_VIEW(DnsOrderView)
ASTIL_JSON_VIEW(DnsOrdersView)
#undef ASTIL_JSON_VIEW

std::string to_rfc3339(TimePoint time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::string text(sizeof "2026-01-31T12:00:00Z", '\0');
  text.resize(std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc));
  return text;
}

std::string to_rfc3339_micro(TimePoint time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto rest = std::chrono::duration_cast<std::chrono::microseconds>(time - seconds).count();
  std::string fraction = std::to_string(rest);
  fraction.insert(0, 6 - fraction.size(), '0');
  std::string text = to_rfc3339(seconds);
  text.insert(text.size() - 1, "." + fraction);
  return text;
}

Result<TimePoint> from_rfc3339(const std::string& text) {
  std::tm utc{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  if (end == nullptr || *end != '\0') return Error{"'" + text + "' is not a time like 2026-01-31T12:00:00Z", {}};
  const std::chrono::seconds since_epoch(timegm(&utc));
  constexpr std::chrono::seconds kMost(7258118400);  // 2200-01-01: differences fit into nanoseconds of 64 bits
  if (since_epoch > kMost || since_epoch.count() < 0) return Error{"'" + text + "' is too far away", {}};
  return TimePoint(since_epoch);
}

std::string to_string(BackendState state) { return spell(state); }
std::string to_string(AdminState state) { return spell(state); }
std::string to_string(FlowState state) { return spell(state); }
std::string to_string(Verdict verdict) { return spell(verdict); }
std::string to_string(ChangedBy by) { return spell(by); }
std::string to_string(ChangeResult result) { return spell(result); }
std::string to_string(EventKind kind) { return spell(kind); }

}  // namespace astil::api
