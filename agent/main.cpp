// The program `astil-agent`, for backends behind `tunnel`: while it runs, the host takes packets for the service
// addresses out of their tunnel and holds the addresses as Linux needs it. When it ends, all of that is gone again, but
// what another agent on the same host still needs.
#include <getopt.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string_view>

#include "agent/arp_settings.hpp"
#include "agent/decapsulator.hpp"
#include "agent/embedded_program.hpp"
#include "agent/held_addresses.hpp"
#include "agent/ipv6_setting.hpp"
#include "agent/local_addresses.hpp"
#include "agent/report.hpp"
#include "agent/shared_state.hpp"
#include "control/base/log.hpp"
#include "control/base/notify.hpp"
#include "control/net/network.hpp"

namespace {

using namespace astil;
using boost::asio::ip::address;

constexpr const char* kUsage =
    "usage: astil-agent --interface NAME --address IP [--address IP ...] [--local IP ...] [--gue-port PORT]\n"
    "       astil-agent --version | --help\n"
    "\n"
    "Takes packets for the service addresses out of their tunnel at the interface, and holds the addresses on lo\n"
    "without answering for them on the network, until SIGTERM. Tunnels are IP-in-IP and GUE, which comes in by UDP\n"
    "port 6080 or the one given; inside and outside are IPv4 or IPv6. They may end at any address of the host, or,\n"
    "where --local is given, at those addresses only.\n";

using Addresses = agent::Decapsulator::Addresses;

struct Arguments {
  std::string interface;
  Addresses addresses;
  Addresses local;  ///< empty: every address of the host
  std::optional<std::uint16_t> gue_port;
};

[[noreturn]] void misused(const std::string& what) {
  std::cerr << "astil-agent: " << what << "\n" << kUsage;
  std::exit(2);
}

address address_of(const char* text) {
  boost::system::error_code bad;
  address host = boost::asio::ip::make_address(text, bad);
  if (bad) misused(std::string(text) + " is not an IP address");
  if (host.is_v6() && host.to_v6().scope_id() != 0) misused(std::string(text) + ": packets carry no interface's name");
  if (host.is_v6() && host.to_v6().is_v4_mapped())
    misused(std::string(text) + " stands for an IPv4 address: write " +
            make_address_v4(boost::asio::ip::v4_mapped, host.to_v6()).to_string());
  return host;
}

std::uint16_t port_of(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0)
    misused(std::string(text) + " is not a port from 1 to 65535");
  return port;
}

/// Exits where the arguments say so.
Arguments parse(int count, char** values) {
  constexpr option kOptions[] = {{"interface", required_argument, nullptr, 'i'},
                                 {"address", required_argument, nullptr, 'a'},
                                 {"local", required_argument, nullptr, 'l'},
                                 {"gue-port", required_argument, nullptr, 'g'},
                                 {"version", no_argument, nullptr, 'V'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {nullptr, 0, nullptr, 0}};
  Arguments arguments;
  for (int letter = 0; (letter = ::getopt_long(count, values, "i:a:l:g:Vh", kOptions, nullptr)) != -1;) {
    if (letter == 'i') {
      arguments.interface = optarg;
    } else if (letter == 'a') {
      arguments.addresses.insert(address_of(optarg));
    } else if (letter == 'l') {
      arguments.local.insert(address_of(optarg));
    } else if (letter == 'g') {
      arguments.gue_port = port_of(optarg);
    } else if (letter == 'V') {
      std::cout << "astil-agent " << ASTIL_VERSION << "\n";
      std::exit(EXIT_SUCCESS);
    } else if (letter == 'h') {
      std::cout << kUsage;
      std::exit(EXIT_SUCCESS);
    } else {
      misused("see its usage");
    }
  }
  if (optind < count) misused(std::string("unexpected argument: ") + values[optind]);
  if (arguments.interface.empty()) misused("--interface is missing");
  if (arguments.addresses.empty()) misused("--address is missing");
  return arguments;
}

/// Where agents meet: the folder that systemd made for them, or the same without systemd.
Result<agent::SharedState> open_shared_state() {
  const auto scope = agent::network_namespace();
  if (scope.has_error()) return scope.error();
  const char* folder = std::getenv("RUNTIME_DIRECTORY");
  return agent::SharedState::open(folder == nullptr ? "/run/astil-agent" : folder, *scope);
}

/// Tunnels end at the addresses that were given, or at the host's as they come and go.
Result<std::unique_ptr<agent::LocalAddresses>> set_tunnel_ends(boost::asio::io_context& loop, const Addresses& given,
                                                               agent::Decapsulator& decapsulator) {
  if (given.empty()) {
    return agent::LocalAddresses::follow(loop, [&decapsulator](const Addresses& local) {
      if (auto set = decapsulator.set_tunnel_ends(local); set.has_error())
        log::warning("addresses of this host not followed", {{"error", set.error().text()}});
    });
  }
  if (auto set = decapsulator.set_tunnel_ends(given); set.has_error()) return set.error();
  return std::unique_ptr<agent::LocalAddresses>();
}

/// Unwraps packets until a signal ends the loop.
Result<void> unwrap(boost::asio::io_context& loop, const Arguments& arguments, std::uint32_t ifindex) {
  auto decapsulator = agent::Decapsulator::load(agent::embedded_program(), arguments.gue_port);
  if (decapsulator.has_error()) return decapsulator.error();
  if (auto set = (*decapsulator)->set_service_addresses(arguments.addresses); set.has_error()) return set.error();
  const auto ends = set_tunnel_ends(loop, arguments.local, **decapsulator);
  if (ends.has_error()) return ends.error();
  if (auto attached = (*decapsulator)->attach(ifindex); attached.has_error()) return attached.error();
  log::info("agent ready", {{"interface", arguments.interface},
                            {"hook", (*decapsulator)->hook()},
                            {"addresses", arguments.addresses.size()}});
  agent::Report report(loop, **decapsulator);
  report.start();
  base::notify("READY=1");
  loop.run();
  if (auto counts = (*decapsulator)->counts(); counts.has_value())
    log::info("agent ends", {{"packets", agent::text_of(*counts)}});
  return {};
}

/// What the kernel needs besides the addresses, for those versions of IP that they are of.
Result<void> prepare(const Arguments& arguments, agent::ArpSettings& arp) {
  const auto& addresses = arguments.addresses;
  if (std::any_of(addresses.begin(), addresses.end(), [](const address& host) { return host.is_v4(); })) {
    if (auto applied = arp.apply(arguments.interface); applied.has_error()) return applied;
  }
  if (std::any_of(addresses.begin(), addresses.end(), [](const address& host) { return host.is_v6(); }))
    return agent::check_ipv6(arguments.interface);
  return {};
}

/// ARP first, so that the address is never announced; then the address; then the packets for it.
Result<void> serve(const Arguments& arguments) {
  boost::asio::io_context loop(1);
  boost::asio::signal_set signals(loop, SIGTERM, SIGINT);
  signals.async_wait([&](boost::system::error_code /*error*/, int /*number*/) { loop.stop(); });
  auto network = net::Network::open(loop, {});
  if (network.has_error()) return network.error();
  const auto link = (*network)->link(arguments.interface);
  if (!link) return Error{"interface " + arguments.interface + " does not exist", "'ip link' lists those that do"};
  auto shared = open_shared_state();
  if (shared.has_error()) return shared.error();
  agent::ArpSettings arp(*shared);
  if (auto prepared = prepare(arguments, arp); prepared.has_error()) return prepared;
  agent::HeldAddresses addresses(*shared, **network);
  for (const address& host : arguments.addresses) {
    if (auto held = addresses.hold(host); held.has_error()) return held.error();
  }
  auto unwrapped = unwrap(loop, arguments, link->ifindex);
  return unwrapped.has_error() ? unwrapped.error().within("interface " + arguments.interface) : unwrapped;
}

}  // namespace

int main(int count, char** values) {
  if (auto served = serve(parse(count, values)); served.has_error()) {
    log::error("agent not started", {{"error", served.error().text()}});
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
