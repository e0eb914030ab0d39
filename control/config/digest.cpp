#include "control/config/digest.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "control/config/source.hpp"
#include "control/config/tree.hpp"

namespace astil::config {
namespace {

class Digest {
 public:
  void add(const Node& node) {
    add_byte(static_cast<unsigned char>(node.kind));
    add(node.text);
    for (const Node& item : node.items) add(item);
    std::vector<const Entry*> entries;
    for (const Entry& entry : node.entries) entries.push_back(&entry);
    std::ranges::sort(entries, {}, &Entry::key);
    for (const Entry* entry : entries) {
      add(entry->key);
      add(entry->value);
    }
    add_byte(kEnd);
  }

  [[nodiscard]] std::uint64_t value() const { return state_ == 0 ? 1 : state_; }

 private:
  static constexpr unsigned char kEnd = 0xff;  // in no text of UTF-8

  void add(std::string_view text) {
    for (const char each : text) add_byte(static_cast<unsigned char>(each));
    add_byte(kEnd);
  }
  void add_byte(unsigned char byte) { state_ = (state_ ^ byte) * 0x100000001b3ULL; }

  std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

/// What both nodes of a pair have to have alike of a group: not who is first, and not what each calls its interface.
constexpr std::string_view kOfGroup[] = {"virtual_router_id", "addresses",    "link_local",
                                         "advert_interval",   "checksum",     "virtual_mac",
                                         "accept_mode",       "authenticate", "sync_group"};

/// What stands under a key; nothing where that is not there.
const Node& part(const Node& mapping, std::string_view key) {
  static const Node kNothing;
  const Entry* entry = mapping.find(key);
  return entry == nullptr ? kNothing : entry->value;
}

Node of_groups(const Node& groups) {
  Node shared;
  shared.kind = groups.kind;
  for (const Entry& group : groups.entries) {
    Entry kept = group;
    std::erase_if(kept.value.entries,
                  [](const Entry& entry) { return std::ranges::find(kOfGroup, entry.key) == std::end(kOfGroup); });
    shared.entries.push_back(std::move(kept));
  }
  return shared;
}

}  // namespace

std::uint64_t digest_of_shared(std::string_view text) {
  const Source source(text, {});
  Mistakes mistakes(source);
  const std::optional<Node> root = parse_tree(source, mistakes);
  Digest digest;
  if (root) {
    digest.add(part(*root, "services"));
    digest.add(part(*root, "dns"));
    digest.add(part(part(*root, "dataplane"), "timeouts"));
    const Node& pair = part(*root, "ha");
    digest.add(part(pair, "heartbeat"));
    digest.add(part(part(pair, "sync"), "port"));
    digest.add(of_groups(part(pair, "groups")));
  }
  return digest.value();
}

}  // namespace astil::config
