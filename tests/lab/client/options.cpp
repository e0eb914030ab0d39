// Reading of lab_client's command line.
#include "tests/lab/client/options.hpp"

#include <boost/asio/ip/address_v4_iterator.hpp>
#include <boost/asio/ip/address_v6_iterator.hpp>
#include <limits>
#include <map>
#include <string_view>

#include "tests/lab/client/arguments.hpp"

namespace astil::lab {
namespace {

using boost::asio::ip::address;

/// "A-B" in two; "A" is "A-A".
std::pair<std::string_view, std::string_view> split_range(std::string_view text) {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return {text, text};
  return {text.substr(0, dash), text.substr(dash + 1)};
}

Result<> read_target(Options& options, std::string_view text) {
  const auto target = parse_endpoint(text);
  if (!target) return target.error();
  options.to = *target;
  return {};
}

constexpr std::size_t kMostSources = 65536;

template <class Iterator, class Host>
void add_range(std::vector<address>& sources, const Host& low, const Host& high) {
  for (Iterator host(low); sources.size() <= kMostSources; ++host) {
    sources.push_back(*host);
    if (*host == high) return;
  }
}

Result<> read_sources(Options& options, std::string_view text) {
  using namespace boost::asio::ip;
  const auto [first, last] = split_range(text);
  const auto low = parse_address(first);
  if (!low) return low.error();
  const auto high = parse_address(last);
  if (!high) return high.error();
  if (low->is_v6() != high->is_v6() || *high < *low) return Error{"the range '" + std::string(text) + "' is empty", {}};
  if (low->is_v4()) add_range<address_v4_iterator>(options.sources, low->to_v4(), high->to_v4());
  if (low->is_v6()) add_range<address_v6_iterator>(options.sources, low->to_v6(), high->to_v6());
  if (options.sources.size() > kMostSources)
    return Error{"the range '" + std::string(text) + "' has more than 65536 addresses", {}};
  return {};
}

Result<> read_ports(Options& options, std::string_view text) {
  const auto [first, last] = split_range(text);
  const auto low = parse_number<std::uint16_t>(first, 1, 65535);
  if (!low) return low.error();
  const auto high = parse_number<std::uint16_t>(last, *low, 65535);
  if (!high) return high.error();
  options.first_port = *low;
  options.last_port = *high;
  return {};
}

template <class Value, class Number>
Result<> read_number(Value& into, std::string_view text, Number low, Number high) {
  const auto value = parse_number<Number>(text, low, high);
  if (!value) return value.error();
  into = Value{*value};
  return {};
}

Result<> read_option(Options& options, std::string_view name, std::string_view value) {
  constexpr std::int64_t kHour = 3'600'000;
  using std::chrono::milliseconds;
  if (name == "--to") return read_target(options, value);
  if (name == "--source") return read_sources(options, value);
  if (name == "--ports") return read_ports(options, value);
  if (name == "--path") return options.path = std::string(value), Result<>{};
  if (name == "--connections") {
    return read_number<std::uint64_t, std::uint64_t>(options.connections, value, 0,
                                                     std::numeric_limits<std::uint32_t>::max());
  }
  if (name == "--parallel") return read_number<unsigned, unsigned>(options.parallel, value, 1, 100'000);
  if (name == "--per-second") {
    return read_number<std::optional<unsigned>, unsigned>(options.per_second, value, 1, 1'000'000);
  }
  if (name == "--interval-ms") return read_number<milliseconds, std::int64_t>(options.interval, value, 1, kHour);
  if (name == "--timeout-ms") return read_number<milliseconds, std::int64_t>(options.timeout, value, 1, kHour);
  if (name == "--duration-ms") {
    return read_number<std::optional<milliseconds>, std::int64_t>(options.duration, value, 1, kHour);
  }
  return Error{"unknown option '" + std::string(name) + "'", {}};
}

}  // namespace

const char* const kUsage =
    "usage: lab_client short|long --to ADDRESS:PORT|[ADDRESS]:PORT [--path /PATH] [--connections N] [--parallel N]\n"
    "                  [--per-second N] [--source ADDRESS[-ADDRESS]] [--ports PORT-PORT] [--interval-ms N] "
    "[--timeout-ms N]\n"
    "                  [--duration-ms N] [--flows]\n";

Result<Options> parse_options(std::span<const char* const> arguments) {
  Options options;
  if (arguments.empty()) return Error{"no mode", {}};
  const std::string_view mode = arguments.front();
  if (mode != "short" && mode != "long") return Error{"unknown mode '" + std::string(mode) + "'", {}};
  options.mode = mode == "short" ? Mode::short_lived : Mode::long_lived;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view name = arguments[i];
    if (name == "--flows") {
      options.flows = FlowList::yes;
      continue;
    }
    if (++i == arguments.size()) return Error{std::string(name) + " needs a value", {}};
    if (const auto done = read_option(options, name, arguments[i]); !done)
      return done.error().within(std::string(name));
  }
  if (options.to.port() == 0) return Error{"--to is missing", {}};
  if (!options.sources.empty() && options.sources.front().is_v6() != options.to.address().is_v6())
    return Error{"--source and --to are of different versions of IP", {}};
  if (options.mode == Mode::long_lived && options.connections == 0) return Error{"long needs --connections", {}};
  return options;
}

}  // namespace astil::lab
