// Reads the status of an HTTP/1 answer as it comes in, and nothing more of it. It holds a dozen bytes whatever the peer
// sends, and gives up after a bounded number: a backend under a health check may be broken in any way.
#pragma once

#include <cstddef>
#include <span>

namespace astil::health {

class HttpStatus {
 public:
  enum class Progress {
    incomplete,
    complete,  ///< `status` is there
    not_http,
  };

  /// Informational answers (1xx) before the final one are passed over, RFC 9110 section 15.2, within this many bytes.
  static constexpr std::size_t kLimit = 16384;

  /// The next bytes of the answer. Not to be called again once it is other than incomplete.
  [[nodiscard]] Progress feed(std::span<const std::byte> bytes);

  /// Bytes that were read, once complete: those up to the one behind the status.
  [[nodiscard]] std::size_t taken() const { return total_; }

  /// 200 to 999, once complete.
  [[nodiscard]] unsigned status() const { return status_; }

 private:
  [[nodiscard]] Progress take(char c);
  [[nodiscard]] Progress take_status_line(char c);

  // "HTTP/1.1 200": as RFC 9112 section 4 has it, and no more.
  static constexpr std::size_t kStatusEnd = 12;

  std::size_t total_ = 0;
  std::size_t position_ = 0;  // in the status line
  unsigned status_ = 0;
  bool informational_ = false;  // in the fields of a 1xx answer, up to their empty line
  bool line_has_text_ = false;
};

}  // namespace astil::health
