#include "control/config/digest.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/config/keys_ha.hpp"
#include "control/config/load.hpp"
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

  void add(std::string_view text) {
    for (const char each : text) add_byte(static_cast<unsigned char>(each));
    add_byte(kEnd);
  }

  [[nodiscard]] std::uint64_t value() const { return state_ == 0 ? 1 : state_; }

 private:
  static constexpr unsigned char kEnd = 0xff;  // in no text of UTF-8

  void add_byte(unsigned char byte) { state_ = (state_ ^ byte) * 0x100000001b3ULL; }

  std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

/// What stands under a key; nothing where that is not there.
const Node& part(const Node& mapping, std::string_view key) {
  static const Node kNothing;
  const Entry* entry = mapping.find(key);
  return entry == nullptr ? kNothing : entry->value;
}

std::string text_of(std::chrono::milliseconds time) { return std::to_string(time.count()); }

/// What both nodes have to have alike of the pair: what makes its groups the same virtual routers, and not who is
/// first, or what each node calls its interface.
void add_pair(const Ha& ha, Digest& digest) {
  if (ha.heartbeat) {
    for (const std::string& text : {text_of(ha.heartbeat->interval), std::to_string(ha.heartbeat->lost_after),
                                    std::to_string(ha.heartbeat->port)})
      digest.add(text);
  }
  digest.add(ha.sync ? std::to_string(ha.sync->port) : "");
  std::map<std::string, const VrrpGroup*> groups;
  for (const VrrpGroup& group : ha.groups) groups.emplace(group.name, &group);
  for (const auto& [name, group] : groups) {
    digest.add(name);
    for (const address& host : std::set(group->addresses.begin(), group->addresses.end())) digest.add(host.to_string());
    digest.add(group->link_local ? group->link_local->to_string() : "");
    digest.add(group->sync_group.value_or(""));
    digest.add(text_of(group->advert_interval));
    digest.add(std::to_string(group->virtual_router_id));
    digest.add(kVrrpChecksums.show(group->checksum));
    for (const bool setting : {group->virtual_mac, group->accept_mode, group->authenticate})
      digest.add(setting ? "1" : "0");
  }
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
    if (const LoadResult model = load(text, {}); model.has_value() && model->ha) add_pair(*model->ha, digest);
  }
  return digest.value();
}

}  // namespace astil::config
