// One HTTP/1.1 response, taken in as its bytes arrive: status, Content-Length, X-Backend, and how much of the body
// came.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace astil::lab {

class Response {
 public:
  enum class Progress { incomplete, complete, malformed };

  /// Takes the next bytes. Once complete or malformed, more bytes are malformed: nothing is pipelined.
  Progress take(std::string_view bytes);

  [[nodiscard]] Progress progress() const { return progress_; }
  [[nodiscard]] unsigned status() const { return status_; }
  [[nodiscard]] const std::string& backend() const { return backend_; }

 private:
  Progress count_body(std::uint64_t bytes);
  bool read_head(std::string_view head);

  std::string head_;  // what came before the blank line; empty once that is read
  std::optional<std::uint64_t> body_left_;
  Progress progress_ = Progress::incomplete;
  unsigned status_ = 0;
  std::string backend_;
};

}  // namespace astil::lab
