// Takes the bytes of a capture apart into blocks as they come, so that what is written of them is whole, and counts.
// Only what control/pcapng/writer.hpp writes on a machine of the same byte order is read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/pcapng/writer.hpp"

namespace astil::pcapng {

class Reader {
 public:
  /// Takes the next bytes, and gives those of whole blocks, earlier ones included; none: this is no pcapng.
  [[nodiscard]] std::optional<std::string> take(std::string_view bytes);

  /// Frames so far.
  [[nodiscard]] std::uint64_t frames() const { return frames_; }
  /// What the capture said at its end; none: it has not yet. `time` is not read.
  [[nodiscard]] const std::optional<Statistics>& statistics() const { return statistics_; }

 private:
  void read(std::string_view block);

  std::string rest_;
  bool begun_ = false;
  std::uint64_t frames_ = 0;
  std::optional<Statistics> statistics_;
};

}  // namespace astil::pcapng
