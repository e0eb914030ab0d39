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

/// What stands under a key; nothing where that is not there.
const Node& part(const Node& mapping, std::string_view key) {
  static const Node kNothing;
  const Entry* entry = mapping.find(key);
  return entry == nullptr ? kNothing : entry->value;
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
  }
  return digest.value();
}

}  // namespace astil::config
