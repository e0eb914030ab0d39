// From the configuration of another balancer to ours: a YAML text that `astil check` takes, and every word of the
// original that it does not carry over, with its place and the reason. Nothing is left out without being told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.hpp"

namespace astil::import {

/// Something that is not carried over, or not as it was.
struct Finding {
  std::string file;
  std::uint32_t line = 0;  ///< counted from 1
  std::string what;        ///< as it stands there, fit for a terminal
  std::string why;

  bool operator==(const Finding&) const = default;
};

/// `file:line: what: why`
[[nodiscard]] std::string render(const Finding& finding);

struct Imported {
  std::string yaml;  ///< config::load takes it; the findings stand at its top as comments
  std::vector<Finding> findings;
  std::size_t services = 0;
  std::size_t backends = 0;
};

/// Where the files are that a configuration includes.
struct Files {
  std::function<Result<std::string>(const std::string& path)> read;
  /// The paths that a pattern of the shell's kind stands for, in order.
  std::function<std::vector<std::string>(const std::string& pattern)> match;
};

/// Texts above this size, with all that they include, are read so far and no further, in bytes.
inline constexpr std::size_t kMostText = 8U << 20U;
/// Services above this number are findings.
inline constexpr std::size_t kMostServices = 10'000;
/// And those beyond this number of backends, each counted for each service that has it.
inline constexpr std::size_t kMostBackends = 50'000;

/// keepalived.conf(5), of keepalived 2.2.
[[nodiscard]] Imported import_keepalived(std::string_view text, const std::string& file, const Files& files);

/// What `ipvsadm -S -n` prints.
[[nodiscard]] Imported import_ipvsadm(std::string_view text, const std::string& file);

}  // namespace astil::import
