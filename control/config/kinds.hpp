// The kinds of values that keys take: number, truth value, duration, choice, text; addresses are in address_kinds.hpp.
// A kind reads a scalar strictly, shows a value as one would write it, and says in words and as JSON Schema terms what
// it accepts; keys.hpp gives each key its kind.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "control/base/result.hpp"
#include "control/config/model.hpp"
#include "control/config/suggest.hpp"

namespace astil::config {

/// A scalar as it is written. In quotes it is text, whatever it looks like.
struct Scalar {
  std::string_view text;
  bool quoted = false;
};

/// What a kind accepts. `pattern` is a regular expression both of ECMA-262 and of RE2, anchored.
struct Shape {
  enum class Type { integer, text, integer_or_text, boolean };

  Type type = Type::text;
  std::string words;                             ///< "a number from 1 to 65535"
  std::optional<std::int64_t> minimum, maximum;  ///< of integers
  std::string pattern;
  std::optional<std::size_t> longest;  ///< in characters
  std::vector<std::string> choices;    ///< if any, nothing else is accepted
  std::vector<std::int64_t> numbers;   ///< likewise
};

/// A kind K of values V. read() fails with an empty `what` where "must be <words>, not <what stands there>" says it
/// all, and with a `remedy` where it can guess what was meant.
template <class K, class V>
concept KindOf = requires(const K& kind, const Scalar& scalar, const V& value) {
  { kind.read(scalar) } -> std::same_as<Result<V>>;
  { kind.show(value) } -> std::same_as<std::string>;
  { kind.shape() } -> std::same_as<Shape>;
};

enum class Steps { any, powers_of_two };

/// Digits without sign, leading zero or quotes; other readers of YAML see 010 as 8 and 0x10 or 1_000 as numbers.
[[nodiscard]] Result<std::uint64_t> read_integer(const Scalar& scalar);

/// An unsigned integer, or a strong type (an enum without enumerators) over one.
template <class T>
struct Integer {
  std::uint32_t least, most;
  Steps steps = Steps::any;

  [[nodiscard]] Result<T> read(const Scalar& scalar) const {
    const auto number = read_integer(scalar);
    if (!number) return number.error();
    const bool is_step = steps == Steps::any || std::has_single_bit(*number);
    if (*number < least || *number > most || !is_step) return Error{};
    return static_cast<T>(*number);
  }
  [[nodiscard]] std::string show(const T& value) const { return std::to_string(static_cast<std::uint64_t>(value)); }
  [[nodiscard]] Shape shape() const {
    const char* noun = steps == Steps::any ? "a number" : "a power of two";
    Shape shape;
    shape.type = Shape::Type::integer;
    shape.words = noun + (" from " + std::to_string(least) + " to " + std::to_string(most));
    shape.minimum = least;
    shape.maximum = most;
    if (steps == Steps::powers_of_two) {
      for (std::uint64_t n = std::bit_ceil(least); n <= most; n *= 2)
        shape.numbers.push_back(static_cast<std::int64_t>(n));
    }
    return shape;
  }
};

/// `true` or `false`, and no other way to say so: other readers of YAML differ about `yes`, `on` and `True`.
struct Boolean {
  [[nodiscard]] Result<bool> read(const Scalar& scalar) const;
  [[nodiscard]] std::string show(const bool& value) const { return value ? "true" : "false"; }
  [[nodiscard]] Shape shape() const;
};

inline constexpr Integer<Port> kPort{1, 65535};

/// A service's port: a number, or `any` (Port{0}).
struct ServicePort {
  [[nodiscard]] Result<Port> read(const Scalar& scalar) const;
  [[nodiscard]] std::string show(const Port& value) const;
  [[nodiscard]] Shape shape() const;
};

/// `500ms`, `1s`, `2m`, `1h`.
struct Duration {
  Milliseconds least, most;

  [[nodiscard]] Result<Milliseconds> read(const Scalar& scalar) const;
  [[nodiscard]] std::string show(const Milliseconds& value) const;
  [[nodiscard]] Shape shape() const;
};

/// A duration of whole seconds, 0 too: how long a record may be kept (TTL).
struct TimeToLive {
  Milliseconds most;

  [[nodiscard]] Result<Milliseconds> read(const Scalar& scalar) const;
  [[nodiscard]] std::string show(const Milliseconds& value) const { return Duration{}.show(value); }
  [[nodiscard]] Shape shape() const;
};

/// `a`, `a or b`, `a, b or c`
[[nodiscard]] std::string listed(const std::vector<std::string>& words);

/// One word of a few.
template <class E, std::size_t N>
struct Choice {
  struct Word {
    std::string_view word;
    E value;
  };
  std::string_view noun;  ///< what is chosen: "protocol"
  std::array<Word, N> words;

  [[nodiscard]] Result<E> read(const Scalar& scalar) const {
    const auto chosen = std::find_if(words.begin(), words.end(), [&](const Word& w) { return w.word == scalar.text; });
    if (chosen != words.end()) return chosen->value;
    std::vector<std::string_view> known;
    for (const Word& w : words) known.push_back(w.word);
    return Error{{}, did_you_mean(scalar.text, known)};
  }
  [[nodiscard]] std::string show(const E& value) const {
    const auto at = std::find_if(words.begin(), words.end(), [&](const Word& w) { return w.value == value; });
    return at == words.end() ? std::string{} : std::string(at->word);
  }
  [[nodiscard]] Shape shape() const {
    Shape shape;
    for (const Word& w : words) shape.choices.emplace_back(w.word);
    shape.words = listed(shape.choices);
    return shape;
  }
};

/// The text, whatever it is, unless it needs quotes: 42, on, 1.0.
[[nodiscard]] Result<std::string> read_text(const Scalar& scalar);

/// Text of given characters. The sets are the insides of a bracket expression, "a-z0-9-", of ASCII; a minus that is
/// meant itself stands last.
struct Text {
  std::string_view words;
  std::string_view first;  ///< characters that may stand first
  std::string_view rest;   ///< characters that may follow
  std::size_t longest;     ///< in characters; the shortest is one

  [[nodiscard]] bool accepts(std::string_view text) const;
  [[nodiscard]] Result<std::string> read(const Scalar& scalar) const;
  [[nodiscard]] std::string show(const std::string& value) const { return value; }
  [[nodiscard]] Shape shape() const;
};

/// HTTP status codes, `200` or `200-399`.
struct StatusRange {
  std::uint16_t low, high;
};
struct StatusCodes {
  [[nodiscard]] Result<StatusRange> read(const Scalar& scalar) const;
  [[nodiscard]] std::string show(const StatusRange& value) const;
  [[nodiscard]] Shape shape() const;
};

}  // namespace astil::config
