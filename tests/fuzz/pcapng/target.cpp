// The fuzzer of captures as the command line reads them: what is given out are the bytes that came, whole blocks of
// them, and does not depend on how they are cut into pieces.
#include <algorithm>
#include <optional>

#include "control/pcapng/reader.hpp"
#include "tests/fuzz/targets.hpp"

namespace astil::fuzz {
namespace {

struct Read {
  std::string given;
  bool refused = false;
  std::uint64_t frames = 0;
  std::optional<std::uint64_t> delivered;
};

Read read(std::string_view capture, std::size_t piece) {
  pcapng::Reader reader;
  Read read;
  while (!capture.empty() && !read.refused) {
    const auto blocks = reader.take(capture.substr(0, piece));
    capture.remove_prefix(std::min(piece, capture.size()));
    read.refused = !blocks;
    if (blocks) read.given += *blocks;
  }
  read.frames = reader.frames();
  if (reader.statistics()) read.delivered = reader.statistics()->delivered;
  return read;
}

}  // namespace

void pcapng(Input input) {
  if (input.empty()) return;
  const std::size_t piece = 1 + (std::to_integer<std::size_t>(input[0]) % 64);
  const std::string capture = text_of(input.subspan(1));
  const Read whole = read(capture, std::max<std::size_t>(capture.size(), 1));
  require(capture.starts_with(whole.given), "what is given out is what came");
  require(whole.given.size() % 4 == 0, "blocks are multiples of four bytes");
  require(whole.frames <= capture.size() / 12, "each frame has a block");
  for (const std::size_t size : {piece, std::size_t{1}}) {
    const Read pieces = read(capture, size);
    require(pieces.refused == whole.refused, "pieces do not change whether it is a capture");
    require(pieces.given.starts_with(whole.given), "pieces do not take anything away");
    if (whole.refused) continue;
    require(pieces.given == whole.given && pieces.frames == whole.frames && pieces.delivered == whole.delivered,
            "pieces do not change what is read");
  }
}

}  // namespace astil::fuzz
