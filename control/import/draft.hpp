// What an import has found so far: services in our words, and what could not be put so.
#pragma once

#include <string>
#include <vector>

#include "control/config/model.hpp"
#include "control/import/import.hpp"

namespace astil::import {

struct Origin {
  std::string file;
  std::uint32_t line = 0;
};

struct DraftService {
  config::Service service;  ///< its name is made by finish()
  Origin origin;
  std::string what;  ///< how the original calls it
};

struct Draft {
  std::string made_by;                  ///< "astil import keepalived"
  std::string file;                     ///< the original
  std::vector<std::string> interfaces;  ///< that the original names
  std::vector<DraftService> services;   ///< at most kMostServices
  std::vector<Finding> findings;

  void add_finding(const Origin& origin, std::string_view what, std::string why);
};

/// Fit for a terminal and for a comment: printable ASCII, not too long.
[[nodiscard]] std::string shown(std::string_view text);

/// The text of one service, with its name.
[[nodiscard]] std::string to_yaml(const config::Service& service);

/// Our file. What the configuration's own checks refuse becomes a finding.
[[nodiscard]] Imported finish(Draft draft);

}  // namespace astil::import
