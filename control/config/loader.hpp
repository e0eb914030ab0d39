// The visitor that fills the model from a YAML tree, by the declarations of keys.hpp. It goes on after a mistake, so
// that all of them are found in one pass.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/config/keys.hpp"
#include "control/config/source.hpp"
#include "control/config/tree.hpp"
#include "control/config/utf8.hpp"

namespace astil::config {

/// Reads one mapping of the file. finish() must be called once all keys have been declared.
class Loader {
 public:
  /// `owner` is where a missing key is reported, `path` what messages call the mapping ("services.web"), empty for the
  /// root.
  Loader(const Node& mapping, Place owner, std::string path, Mistakes& mistakes)
      : mapping_(&mapping), owner_(owner), path_(std::move(path)), mistakes_(&mistakes) {}

  template <class T, KindOf<T> K>
  void required(std::string_view name, T& member, const K& kind, std::string_view /*doc*/) {
    if (const Entry* entry = take_required(name)) read_value(entry->key, entry->value, member, kind);
  }

  template <class T, KindOf<T> K>
  void optional(std::string_view name, T& member, const K& kind, std::string_view /*doc*/, Otherwise /*default*/ = {}) {
    if (const Entry* entry = take(name)) read_value(entry->key, entry->value, member, kind);
  }

  template <class T, KindOf<T> K>
  void optional(std::string_view name, std::optional<T>& member, const K& kind, std::string_view /*doc*/, Otherwise) {
    T value{};
    const Entry* entry = take(name);
    if (entry != nullptr && read_value(entry->key, entry->value, value, kind)) member = value;
  }

  void list(std::string_view name, std::vector<std::string>& member, const Text& kind, std::size_t most,
            std::string_view doc) {
    list_of(name, member, kind, most, AtLeast::one, doc);
  }

  template <class T, KindOf<T> K>
  void list(std::string_view name, std::vector<T>& member, const K& kind, std::size_t most, AtLeast least,
            std::string_view doc) {
    list_of(name, member, kind, most, least, doc);
  }

  void list(std::string_view name, std::vector<address>& member, std::size_t most, std::string_view doc) {
    list_of(name, member, HostAddress{}, most, AtLeast::one, doc);
  }

  /// Repetitions are left to check_sources, which can tell more of them.
  void list(std::string_view name, std::vector<Prefix>& member, std::string_view doc);

  template <KindOf<std::string> K>
  void words(std::string_view name, std::vector<std::string>& member, const K& kind, std::size_t most,
             std::string_view /*doc*/) {
    const Entry* entry = take_required(name);
    const auto* items = entry == nullptr ? nullptr : items_of(name, entry->value, most);
    if (items == nullptr) return;
    for (const Node& item : *items) read_value("each of " + std::string(name), item, member.emplace_back(), kind);
  }

  template <class Inner>
  void section(std::string_view name, std::string_view /*doc*/, const Inner& describe_inner) {
    if (const Entry* entry = take_mapping(take(name))) load_inner(*entry, describe_inner);
  }

  template <class T>
  void section(std::string_view name, std::optional<T>& part, std::string_view /*doc*/) {
    if (const Entry* entry = take_mapping(take(name))) {
      load_inner(*entry, [&](Loader& inner) { describe(inner, part.emplace()); });
    }
  }

  template <class T>
  void mapping(std::string_view name, std::vector<T>& parts, const Text& names, AtLeast least,
               std::string_view /*doc*/) {
    const Entry* all = take_mapping(least == AtLeast::absent ? take(name) : take_required(name));
    if (all == nullptr) return;
    require_entries(*all, least);
    Loader outer(all->value, all->place, path_of(name), *mistakes_);
    for (const Entry& entry : all->value.entries) {
      outer.check_name(entry, names);
      T part;
      part.name = entry.key;
      // The mistakes inside of a repeated one are found too.
      if (outer.take_mapping(&entry)) outer.load_inner(entry, [&](Loader& inner) { describe(inner, part); });
      if (!entry.repeated) parts.push_back(std::move(part));
    }
  }

  template <class T, KindOf<T> K, class More>
  void only_with(std::string_view name, const T& value, std::initializer_list<T> wanted, const K& kind,
                 const More& describe_more) {
    const bool is_wanted = std::find(wanted.begin(), wanted.end(), value) != wanted.end();
    std::vector<std::string> words;
    for (const T& each : wanted) words.push_back(kind.show(each));
    const bool is_known = !missing_.contains(name) && !is_mistaken(name);
    if (is_known && !is_wanted) unwanted_ = std::string(name) + ": " + listed(words);
    requires_ = is_known && is_wanted;
    describe_more();
    unwanted_.clear();
    requires_ = true;
  }

  /// Reports the keys that nobody declared, and the required ones that are missing.
  void finish();

 private:
  [[nodiscard]] std::string path_of(std::string_view name) const;
  [[nodiscard]] bool is_mistaken(std::string_view name) const;

  /// The key's entry, or null where it is absent or does not belong here.
  const Entry* take(std::string_view name);
  const Entry* take_required(std::string_view name);

  /// The entry if its value is a mapping, else null and a mistake. Null stays null.
  const Entry* take_mapping(const Entry* entry);

  void check_name(const Entry& entry, const Text& names);
  void require_entries(const Entry& mapping, AtLeast least);
  /// The items of a list with from one to `most` of them; else none and a mistake.
  const std::vector<Node>* items_of(std::string_view name, const Node& list, std::size_t most);
  void refuse(std::string_view name, const Node& value, const std::string& words, const Error& error);

  template <class T, KindOf<T> K>
  void list_of(std::string_view name, std::vector<T>& member, const K& kind, std::size_t most, AtLeast least,
               std::string_view /*doc*/) {
    const Entry* entry = least == AtLeast::absent ? take(name) : take_required(name);
    const auto* items = entry == nullptr ? nullptr : items_of(name, entry->value, most);
    if (items == nullptr) return;
    for (const Node& item : *items) {
      T value{};
      if (!read_value("each of " + std::string(name), item, value, kind)) continue;
      if (std::find(member.begin(), member.end(), value) != member.end()) {
        mistakes_->add(item.place, in_quotes(kind.show(value)) + " stands twice in " + std::string(name));
      } else {
        member.push_back(std::move(value));
      }
    }
  }

  template <class T, KindOf<T> K>
  bool read_value(const std::string& name, const Node& value, T& member, const K& kind) {
    if (mistakes_->at(value.place)) return false;
    Result<T> read = Error{};
    if (value.kind == Node::Kind::scalar) read = kind.read({value.text, value.quoted});
    if (!read) {
      refuse(name, value, kind.shape().words, read.error());
      return false;
    }
    member = std::move(*read);
    return true;
  }

  template <class Inner>
  void load_inner(const Entry& entry, const Inner& describe_inner) {
    Loader inner(entry.value, entry.place, path_of(entry.key), *mistakes_);
    describe_inner(inner);
    inner.finish();
  }

  const Node* mapping_;
  Place owner_;
  std::string path_;
  Mistakes* mistakes_;
  std::vector<std::string_view> declared_;
  std::set<std::string_view> missing_;
  std::string unwanted_;  ///< while keys are declared that need another choice: that choice, "type: http"
  bool requires_ = true;  ///< false while keys are declared that need a choice which was not made, or is not known
};

}  // namespace astil::config
