#include "tests/lab/client/flood_options.hpp"

#include <charconv>
#include <string_view>

#include "tests/lab/client/arguments.hpp"

namespace astil::lab {
namespace {

constexpr std::size_t kMacBytes = 6;

/// "02:00:00:00:00:01".
Result<std::uint64_t> parse_mac(std::string_view text) {
  std::uint64_t mac = 0;
  bool wrong = text.size() != 3 * kMacBytes - 1;
  for (std::size_t i = 0; !wrong && i < kMacBytes; ++i) {
    const std::string_view part = text.substr(3 * i, 2);
    std::uint64_t byte = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), byte, 16);
    wrong = error != std::errc{} || end != part.data() + 2 || (i + 1 < kMacBytes && text[3 * i + 2] != ':');
    mac |= byte << (8 * i);
  }
  if (wrong) return Error{"'" + std::string(text) + "' is not a MAC address", {}};
  return mac;
}

Result<> read_kind(FloodOptions& options, std::string_view text) {
  if (text == "syns") return options.kind = FloodKind::syns, Result<>{};
  if (text == "pairs") return options.kind = FloodKind::pairs, Result<>{};
  if (text == "acks") return options.kind = FloodKind::acks, Result<>{};
  return Error{"'" + std::string(text) + "' is not syns, pairs or acks", {}};
}

/// Puts a value where it belongs, if there is one.
template <class Into, class Value>
Result<> keep(Into& into, const Result<Value>& value) {
  if (!value) return value.error();
  into = *value;
  return {};
}

Result<> read_option(FloodOptions& options, std::string_view name, std::string_view value) {
  constexpr std::uint64_t kMostFlows = 1ULL << 32U;
  if (name == "--interface") return options.interface = std::string(value), Result<>{};
  if (name == "--next-hop") return keep(options.next_hop, parse_mac(value));
  if (name == "--to") return keep(options.to, parse_endpoint(value));
  if (name == "--kind") return read_kind(options, value);
  if (name == "--flows") return keep(options.flows, parse_number<std::uint64_t>(value, 1, kMostFlows));
  if (name == "--first") return keep(options.first, parse_number<std::uint64_t>(value, 0, kMostFlows));
  if (name == "--per-second") return keep(options.per_second, parse_number<unsigned>(value, 1, 100'000'000));
  return Error{"unknown option '" + std::string(name) + "'", {}};
}

}  // namespace

const char* const kFloodUsage =
    "usage: lab_flood --interface NAME --next-hop MAC --to ADDRESS:PORT|[ADDRESS]:PORT --kind syns|pairs|acks\n"
    "                 --flows N [--first N] [--per-second N]\n";

Result<FloodOptions> parse_flood_options(std::span<const char* const> arguments) {
  FloodOptions options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view name = arguments[i];
    if (++i == arguments.size()) return Error{std::string(name) + " needs a value", {}};
    if (const auto done = read_option(options, name, arguments[i]); !done)
      return done.error().within(std::string(name));
  }
  if (options.interface.empty()) return Error{"--interface is missing", {}};
  if (options.next_hop == 0) return Error{"--next-hop is missing", {}};
  if (options.to.port() == 0) return Error{"--to is missing", {}};
  if (options.flows == 0) return Error{"--flows is missing", {}};
  return options;
}

}  // namespace astil::lab
