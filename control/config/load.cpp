// From a YAML text to the typed model: tree, keys, defaults, checks.
#include "control/config/load.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "control/config/checks.hpp"
#include "control/config/defaults.hpp"
#include "control/config/keys.hpp"
#include "control/config/loader.hpp"
#include "control/config/source.hpp"
#include "control/config/tree.hpp"

namespace astil::config {
namespace {

LoadResult unreadable(const std::string& path, std::string message, std::string hint = {}) {
  return Diagnostics{{path, 0, 0, std::move(message), std::move(hint), {}}};
}

LoadResult too_large(const std::string& path) {
  return unreadable(path, "the file is larger than " + std::to_string(kMaxFileSize >> 20U) + " MiB",
                    "is it a configuration of astild?");
}

Model read_model(const Node& root, Mistakes& mistakes) {
  Model model;
  Loader loader(root, {}, {}, mistakes);
  describe(loader, model);
  loader.finish();
  fill_in_defaults(model);
  check_model(model, root, mistakes);
  return model;
}

}  // namespace

LoadResult load(std::string_view text, std::string file_name) {
  if (text.size() > kMaxFileSize) return too_large(file_name);
  const Source source(text, std::move(file_name));
  Mistakes mistakes(source);
  const std::optional<Node> root = parse_tree(source, mistakes);
  if (!root) return mistakes.in_order();
  if (root->kind == Node::Kind::nothing && mistakes.none()) {
    mistakes.add({}, "there is no configuration in this file", "interfaces and services are required");
  } else if (root->kind != Node::Kind::mapping && mistakes.none()) {
    mistakes.add(root->place, "a configuration is a mapping of keys, not " + in_words(*root));
  }
  if (root->kind != Node::Kind::mapping) return mistakes.in_order();
  Model model = read_model(*root, mistakes);
  if (!mistakes.none()) return mistakes.in_order();
  return model;
}

LoadResult load_file(const std::string& path, std::string* read) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  // One byte more than allowed is enough to know; a path such as /dev/zero has no end.
  constexpr std::size_t kChunk = 64U << 10U;
  while (file && text.size() <= kMaxFileSize) {
    const std::size_t before = text.size();
    text.resize(before + kChunk);
    file.read(text.data() + before, static_cast<std::streamsize>(kChunk));
    text.resize(before + static_cast<std::size_t>(file.gcount()));
  }
  if (!file.eof() && text.size() <= kMaxFileSize) return unreadable(path, std::strerror(errno));
  LoadResult loaded = load(text, path);
  if (read != nullptr) *read = std::move(text);
  return loaded;
}

}  // namespace astil::config
