// keepalived's health checkers in our words.
#pragma once

#include <optional>
#include <string>

#include "control/import/statements.hpp"

namespace astil::import {

/// What is said of checks at a virtual server, and may be said again at a real server and at a checker.
struct CheckSettings {
  config::Milliseconds delay_loop{60'000};
  config::Milliseconds connect_timeout{5'000};
  std::optional<std::uint32_t> retry;
  std::string virtualhost;

  /// False: the statement is about something else.
  bool take(const Statement& statement, Draft& draft);
};

/// The one check that is carried over of a real server's; none: it has none, or none that can be.
[[nodiscard]] std::optional<config::HealthCheck> check_of(const Statement& real_server, const CheckSettings& settings,
                                                          Draft& draft);

/// Whether it is the name of a checker.
[[nodiscard]] bool is_checker(std::string_view word);

}  // namespace astil::import
