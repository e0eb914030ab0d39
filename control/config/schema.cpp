// The JSON Schema of the configuration file, from the catalogue.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_from.hpp>
#include <map>

#include "control/config/catalogue.hpp"
#include "control/config/documents.hpp"

namespace astil::config {
namespace {

namespace json = boost::json;

json::object object_schema(const std::vector<CatalogueKey>& keys);

json::object string_schema(const Shape& shape) {
  json::object out{{"type", "string"}};
  if (!shape.choices.empty()) out["enum"] = json::value_from(shape.choices);
  if (!shape.pattern.empty()) out["pattern"] = shape.pattern;
  if (shape.longest) out["maxLength"] = *shape.longest;
  return out;
}

json::object integer_schema(const Shape& shape) {
  json::object out{{"type", "integer"}};
  if (!shape.numbers.empty()) {
    out["enum"] = json::value_from(shape.numbers);
    return out;
  }
  if (shape.minimum) out["minimum"] = *shape.minimum;
  if (shape.maximum) out["maximum"] = *shape.maximum;
  return out;
}

json::object scalar_schema(const Shape& shape) {
  switch (shape.type) {
    case Shape::Type::text:
      return string_schema(shape);
    case Shape::Type::integer:
      return integer_schema(shape);
    case Shape::Type::boolean:
      return {{"type", "boolean"}};
    case Shape::Type::integer_or_text:
      break;
  }
  return {{"anyOf", json::array{integer_schema(shape), string_schema(shape)}}};
}

json::object schema_of(const CatalogueKey& key) {
  switch (key.form) {
    case CatalogueKey::Form::value:
      return scalar_schema(key.shape);
    case CatalogueKey::Form::section:
      return object_schema(key.keys);
    case CatalogueKey::Form::list:
      return {{"type", "array"},
              {"items", scalar_schema(key.shape)},
              {"minItems", 1},
              {"maxItems", key.most},
              {"uniqueItems", !key.may_repeat}};
    case CatalogueKey::Form::mapping:
      break;
  }
  json::object out{{"type", "object"}};
  out["propertyNames"] = scalar_schema(key.shape);
  out["additionalProperties"] = object_schema(key.keys);
  if (key.needs_entries) out["minProperties"] = 1;
  return out;
}

json::object with_words(const CatalogueKey& key) {
  json::object out{{"description", key.doc}};
  for (const auto& member : schema_of(key)) out.insert(member);
  if (!key.is_default_value) return out;
  const bool is_text = key.shape.type == Shape::Type::text || key.shape.type == Shape::Type::integer_or_text;
  out["default"] = is_text ? json::value(key.shown_default) : json::parse(key.shown_default);
  return out;
}

/// Whether a choice that is absent is made this way.
bool is_default(const CatalogueKey::Condition& choice, const std::vector<CatalogueKey>& keys) {
  return std::any_of(keys.begin(), keys.end(), [&](const CatalogueKey& key) {
    const bool is_shown = std::ranges::find(choice.words, key.shown_default) != choice.words.end();
    return key.name == choice.key && (key.is_required || is_shown);
  });
}

/// Keys that need a choice are forbidden where it was not made: by the `else` of an `if` that an absent choice meets
/// only where its default is that choice. (A required one that is absent is a mistake of its own.) Those of them that
/// are required are so by its `then`.
json::array conditions_of(const std::vector<CatalogueKey>& keys) {
  std::map<CatalogueKey::Condition, json::object> forbidden;
  std::map<CatalogueKey::Condition, json::array> required;
  for (const CatalogueKey& key : keys) {
    if (key.only_with.key.empty()) continue;
    forbidden[key.only_with][key.name] = false;
    if (key.is_required) required[key.only_with].push_back(json::value(key.name));
  }
  json::array out;
  for (auto& [choice, properties] : forbidden) {
    json::object value;
    if (choice.words.size() == 1) {
      value["const"] = choice.words.front();
    } else {
      value["enum"] = json::value_from(choice.words);
    }
    json::object chosen;
    chosen["properties"] = json::object{{choice.key, value}};
    if (!is_default(choice, keys)) chosen["required"] = json::array{json::value(choice.key)};
    json::object condition{{"if", chosen}};
    if (const auto needed = required.find(choice); needed != required.end()) {
      condition["then"] = {{"required", needed->second}};
    }
    condition["else"] = {{"properties", properties}};
    out.push_back(std::move(condition));
  }
  return out;
}

json::object object_schema(const std::vector<CatalogueKey>& keys) {
  json::object properties;
  json::array required;
  for (const CatalogueKey& key : keys) {
    properties[key.name] = with_words(key);
    if (key.is_required && key.only_with.key.empty()) required.push_back(json::value(key.name));
  }
  json::object out{{"type", "object"}, {"additionalProperties", false}};
  if (!required.empty()) out["required"] = required;
  out["properties"] = properties;
  if (json::array conditions = conditions_of(keys); !conditions.empty()) out["allOf"] = conditions;
  return out;
}

/// Indented, so that a change of the schema is a readable difference.
void write(const json::value& value, const std::string& indent, std::string& out) {
  const std::string inner = indent + "  ";
  std::string separator = "\n" + inner;
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    out += '{';
    for (const auto& member : *object) {
      out += separator + json::serialize(member.key()) + ": ";
      write(member.value(), inner, out);
      separator = ",\n" + inner;
    }
    out += '\n' + indent + '}';
    return;
  }
  const auto* array = value.if_array();
  const bool has_parts = array != nullptr && std::any_of(array->begin(), array->end(),
                                                         [](const json::value& item) { return item.is_object(); });
  if (!has_parts) {
    out += json::serialize(value);
    return;
  }
  out += '[';
  for (const json::value& item : *array) {
    out += separator;
    write(item, inner, out);
    separator = ",\n" + inner;
  }
  out += '\n' + indent + ']';
}

}  // namespace

std::string json_schema() {
  json::object schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                      {"title", "Configuration of astild"},
                      {"description",
                       "Generated from the declarations of the configuration keys; docs/configuration.md "
                       "says the same in words."}};
  for (const auto& member : object_schema(catalogue())) schema.insert(member);
  std::string out;
  write(schema, {}, out);
  return out + '\n';
}

}  // namespace astil::config
