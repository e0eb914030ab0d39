// Reading one mapping of a configuration file: keys taken, keys missing, keys that nobody knows.
#include "control/config/loader.hpp"

#include <algorithm>

#include "control/config/catalogue.hpp"
#include "control/config/suggest.hpp"
#include "control/config/utf8.hpp"

namespace astil::config {

std::string Loader::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + '.' + std::string(name);
}

bool Loader::is_mistaken(std::string_view name) const {
  const Entry* entry = mapping_->find(name);
  return entry != nullptr && mistakes_->at(entry->value.place);
}

const Entry* Loader::take(std::string_view name) {
  declared_.push_back(name);
  const Entry* entry = mapping_->find(name);
  if (entry == nullptr || unwanted_.empty()) return entry;
  mistakes_->add(entry->place, in_quotes(name) + " applies only with " + unwanted_);
  return nullptr;
}

const Entry* Loader::take_required(std::string_view name) {
  const Entry* entry = take(name);
  if (entry == nullptr && requires_) missing_.insert(name);
  return entry;
}

const Entry* Loader::take_mapping(const Entry* entry) {
  if (entry == nullptr || entry->value.kind == Node::Kind::mapping) return entry;
  if (!mistakes_->at(entry->value.place)) refuse(entry->key, entry->value, "a mapping of keys", {});
  return nullptr;
}

void Loader::check_name(const Entry& entry, const Text& names) {
  if (names.accepts(entry.key) || mistakes_->at(entry.place)) return;
  mistakes_->add(entry.place, in_quotes(entry.key) + " is not " + std::string(names.words));
}

void Loader::require_entries(const Entry& mapping, AtLeast least) {
  if (least != AtLeast::one || !mapping.value.entries.empty() || mistakes_->at(mapping.value.place)) return;
  mistakes_->add(mapping.value.place, path_of(mapping.key) + " is empty", "at least one is needed");
}

void Loader::refuse(std::string_view name, const Node& value, const std::string& words, const Error& error) {
  const std::string standard = std::string(name) + " must be " + words + ", not " + in_words(value);
  mistakes_->add(value.place, error.what.empty() ? standard : error.what, error.remedy);
}

void Loader::list(std::string_view name, std::vector<Prefix>& member, std::string_view /*doc*/) {
  const Entry* entry = take(name);
  const auto* items = entry == nullptr ? nullptr : items_of(name, entry->value, kMostPrefixes);
  if (items == nullptr) return;
  for (const Node& item : *items) {
    Prefix value;
    if (read_value("each of " + std::string(name), item, value, ClientNetwork{})) member.push_back(value);
  }
}

const std::vector<Node>* Loader::items_of(std::string_view name, const Node& list, std::size_t most) {
  if (mistakes_->at(list.place)) return nullptr;
  if (list.kind != Node::Kind::list) {
    const std::string example = std::string(name) + ": [" + list.text + ']';
    refuse(name, list, "a list", {{}, list.kind == Node::Kind::scalar ? "write " + in_quotes(example) : ""});
    return nullptr;
  }
  if (list.items.empty()) mistakes_->add(list.place, std::string(name) + " is empty", "at least one is needed");
  if (list.items.size() <= most) return &list.items;
  mistakes_->add(list.place, std::string(name) + " has " + std::to_string(list.items.size()) + " items",
                 "at most " + std::to_string(most) + " are supported");
  return nullptr;
}

void Loader::finish() {
  for (const Entry& entry : mapping_->entries) {
    const bool is_declared = std::find(declared_.begin(), declared_.end(), entry.key) != declared_.end();
    if (is_declared || entry.repeated) continue;
    std::string hint = did_you_mean(entry.key, declared_);
    if (hint.empty()) hint = place_of_key(entry.key);
    const std::string where = path_.empty() ? std::string{} : " in " + path_;
    mistakes_->add(entry.place, "unknown key " + in_quotes(entry.key) + where, hint);
    // A misspelt key is not missing as well.
    missing_.erase(nearest_word(entry.key, declared_));
  }
  const std::string owner = path_.empty() ? "the configuration" : path_;
  for (const std::string_view name : missing_) {
    mistakes_->add(owner_, owner + " lacks the required key " + in_quotes(name));
  }
}

}  // namespace astil::config
