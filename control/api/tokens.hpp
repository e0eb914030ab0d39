// Who may ask over the network: names, roles and bearer tokens (RFC 6750), from a file that nobody else can read.
//
//   # name  role       token
//   grafana read-only  k3Jx...
//   deploy  operator   9fQz...
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/api/routes.hpp"
#include "control/base/result.hpp"

namespace astil::api {

class Tokens {
 public:
  static constexpr std::size_t kLeastLength = 32;  ///< characters of a token
  static constexpr std::size_t kMostLength = 512;
  static constexpr std::size_t kMost = 256;
  static constexpr std::size_t kMostBytes = 256U << 10U;  ///< of the file

  struct Owner {
    std::string name;  ///< [A-Za-z0-9._-]{1,64}, of one token only
    Access access = Access::read;
  };

  /// An error where others than its owner can read it, or where it belongs to somebody else than root or this user.
  [[nodiscard]] static Result<Tokens> load(const std::string& file);
  /// `file` is for messages, which never tell a token.
  [[nodiscard]] static Result<Tokens> parse(std::string_view text, const std::string& file);

  /// Whose it is; null: nobody's. Takes the same time for every token of a length, whatever tokens there are.
  [[nodiscard]] const Owner* find(std::string_view token) const;
  [[nodiscard]] std::size_t size() const { return known_.size(); }

 private:
  using Digest = std::array<unsigned char, 32>;  ///< SHA-256: the tokens themselves are not kept
  struct Known {
    Owner owner;
    Digest digest;
  };
  [[nodiscard]] static Digest digest_of(std::string_view token);

  std::vector<Known> known_;
};

/// The token of an Authorization field; empty: it holds none.
[[nodiscard]] std::string_view bearer_of(std::string_view authorization);

}  // namespace astil::api
