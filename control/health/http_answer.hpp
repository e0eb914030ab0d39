// What an HTTP check makes of an answer as it comes in: its status, and the text that must be in its body. It holds no
// more than the wanted text is long, and gives up after a bounded number of bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "control/config/model.hpp"
#include "control/health/http_status.hpp"
#include "control/health/prober.hpp"

namespace astil::health {

class HttpAnswer {
 public:
  /// What is read of an answer in search of the text, its fields included.
  static constexpr std::size_t kLimit = 65536;

  /// The check must outlive this.
  explicit HttpAnswer(const config::HttpCheck& check) : check_(check) {}

  /// The next bytes of the answer. None: more are needed. Not to be called again once there is an outcome.
  [[nodiscard]] std::optional<Outcome> feed(std::span<const std::byte> bytes);

  /// The answer ended before there was an outcome.
  [[nodiscard]] Outcome end() const;

  /// As RunningProbe has it.
  [[nodiscard]] std::string remark() const;

 private:
  [[nodiscard]] Outcome missing_text() const;
  [[nodiscard]] std::string_view skip_fields(std::string_view text);

  const config::HttpCheck& check_;
  HttpStatus status_;
  bool has_status_ = false;
  bool in_fields_ = true;       // between the status and the body
  bool line_has_text_ = false;  // of these, or the rest of the status line
  std::size_t taken_ = 0;       // bytes of the answer
  std::string tail_;            // of the body, where the text may have begun
};

}  // namespace astil::health
