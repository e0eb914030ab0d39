// The declarations of keys.hpp as plain data, gathered by a visitor that walks a model of defaults.
#include "control/config/catalogue.hpp"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <utility>

#include "control/config/keys.hpp"

namespace astil::config {
namespace {

class Cataloguer {
 public:
  explicit Cataloguer(std::vector<CatalogueKey>& keys) : keys_(&keys) {}

  template <class T, KindOf<T> K>
  void required(std::string_view name, const T& /*member*/, const K& kind, std::string_view doc) {
    CatalogueKey& key = add(CatalogueKey::Form::value, name, doc);
    key.shape = kind.shape();
    key.is_required = true;
  }

  template <class T, KindOf<T> K>
  void optional(std::string_view name, const T& member, const K& kind, std::string_view doc) {
    CatalogueKey& key = add(CatalogueKey::Form::value, name, doc);
    key.shape = kind.shape();
    key.shown_default = kind.show(member);
    key.is_default_value = true;
  }

  template <class T, class K>
  void optional(std::string_view name, const T& /*member*/, const K& kind, std::string_view doc, Otherwise otherwise) {
    CatalogueKey& key = add(CatalogueKey::Form::value, name, doc);
    key.shape = kind.shape();
    key.shown_default = otherwise.words;
  }

  void list(std::string_view name, const std::vector<std::string>& /*member*/, const Text& kind, std::size_t most,
            std::string_view doc) {
    CatalogueKey& key = add(CatalogueKey::Form::list, name, doc);
    key.shape = kind.shape();
    key.most = most;
    key.is_required = true;
  }

  template <class T, KindOf<T> K>
  void list(std::string_view name, const std::vector<T>& /*member*/, const K& kind, std::size_t most, AtLeast least,
            std::string_view doc) {
    CatalogueKey& key = add(CatalogueKey::Form::list, name, doc);
    key.shape = kind.shape();
    key.most = most;
    key.is_required = least != AtLeast::absent;
  }

  void list(std::string_view name, const std::vector<address>& /*member*/, std::size_t most, std::string_view doc) {
    CatalogueKey& key = add(CatalogueKey::Form::list, name, doc);
    key.shape = HostAddress{}.shape();
    key.most = most;
    key.is_required = true;
  }

  void list(std::string_view name, const std::vector<Prefix>& /*member*/, std::string_view doc) {
    CatalogueKey& key = add(CatalogueKey::Form::list, name, doc);
    key.shape = ClientNetwork{}.shape();
    key.most = kMostPrefixes;
  }

  template <KindOf<std::string> K>
  void words(std::string_view name, const std::vector<std::string>& /*member*/, const K& kind, std::size_t most,
             std::string_view doc) {
    CatalogueKey& key = add(CatalogueKey::Form::list, name, doc);
    key.shape = kind.shape();
    key.most = most;
    key.is_required = true;
    key.may_repeat = true;
  }

  template <class Inner>
  void section(std::string_view name, std::string_view doc, const Inner& describe_inner) {
    Cataloguer inner(add(CatalogueKey::Form::section, name, doc).keys);
    describe_inner(inner);
  }

  template <class T>
  void section(std::string_view name, const std::optional<T>& /*part*/, std::string_view doc) {
    section(name, doc, [](Cataloguer& inner) {
      T part;
      describe(inner, part);
    });
  }

  template <class T>
  void mapping(std::string_view name, const std::vector<T>& /*parts*/, const Text& names, AtLeast least,
               std::string_view doc) {
    CatalogueKey& key = add(CatalogueKey::Form::mapping, name, doc);
    key.shape = names.shape();
    key.is_required = least != AtLeast::absent;
    key.needs_entries = least == AtLeast::one;
    Cataloguer inner(key.keys);
    T part;
    describe(inner, part);
  }

  template <class T, KindOf<T> K, class More>
  void only_with(std::string_view name, const T& /*value*/, std::initializer_list<T> wanted, const K& kind,
                 const More& describe_more) {
    only_with_.key = name;
    for (const T& each : wanted) only_with_.words.push_back(kind.show(each));
    describe_more();
    only_with_ = {};
  }

 private:
  CatalogueKey& add(CatalogueKey::Form form, std::string_view name, std::string_view doc) {
    CatalogueKey key;
    key.form = form;
    key.name = name;
    key.doc = doc;
    key.only_with = only_with_;
    return keys_->emplace_back(std::move(key));
  }

  std::vector<CatalogueKey>* keys_;
  CatalogueKey::Condition only_with_;
};

/// The path of the section that declares the key, "" for the root; none where no section does. Of several the one that
/// stands highest, and then first.
std::optional<std::string> section_of(std::string_view name, const std::vector<CatalogueKey>& keys,
                                      const std::string& path) {
  for (const CatalogueKey& key : keys) {
    if (key.name == name) return path;
  }
  std::optional<std::string> highest;
  const auto depth = [](const std::string& section) { return std::count(section.begin(), section.end(), '.'); };
  for (const CatalogueKey& key : keys) {
    const std::string below = (path.empty() ? "" : path + '.') + key.name;
    auto found = section_of(name, key.keys, key.form == CatalogueKey::Form::mapping ? below + ".NAME" : below);
    if (found && (!highest || depth(*found) < depth(*highest))) highest = std::move(found);
  }
  return highest;
}

}  // namespace

const std::vector<CatalogueKey>& catalogue() {
  static const std::vector<CatalogueKey> keys = [] {
    std::vector<CatalogueKey> gathered;
    Cataloguer cataloguer(gathered);
    Model defaults;
    describe(cataloguer, defaults);
    return gathered;
  }();
  return keys;
}

std::string place_of_key(std::string_view name) {
  const auto section = section_of(name, catalogue(), {});
  if (!section) return {};
  return section->empty() ? "it belongs at the top level" : "it belongs in " + *section;
}

}  // namespace astil::config
