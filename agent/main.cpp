// The program `astil-agent`, for backends behind `tunnel`: while it runs, the host takes packets for the service
// addresses out of their IP-in-IP tunnel and holds the addresses as Linux needs it. When it ends, all of that is gone
// again.
#include <getopt.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdlib>
#include <iostream>

#include "agent/arp_settings.hpp"
#include "agent/decapsulator.hpp"
#include "agent/embedded_program.hpp"
#include "control/base/log.hpp"
#include "control/base/notify.hpp"
#include "control/net/network.hpp"

namespace {

using namespace astil;
using boost::asio::ip::address_v4;

constexpr const char* kUsage =
    "usage: astil-agent --interface NAME --address IP [--address IP ...]\n"
    "       astil-agent --version | --help\n"
    "\n"
    "Takes IP-in-IP packets for the service addresses out of their tunnel at the interface, and holds the addresses on "
    "lo\n"
    "without answering ARP for them, until SIGTERM.\n";

struct Arguments {
  std::string interface;
  std::vector<address_v4> addresses;
};

[[noreturn]] void misused(const std::string& what) {
  std::cerr << "astil-agent: " << what << "\n" << kUsage;
  std::exit(2);
}

/// Exits where the arguments say so.
Arguments parse(int count, char** values) {
  constexpr option kOptions[] = {{"interface", required_argument, nullptr, 'i'},
                                 {"address", required_argument, nullptr, 'a'},
                                 {"version", no_argument, nullptr, 'V'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {nullptr, 0, nullptr, 0}};
  Arguments arguments;
  for (int letter = 0; (letter = ::getopt_long(count, values, "i:a:Vh", kOptions, nullptr)) != -1;) {
    if (letter == 'i') {
      arguments.interface = optarg;
    } else if (letter == 'a') {
      boost::system::error_code bad;
      arguments.addresses.push_back(boost::asio::ip::make_address_v4(optarg, bad));
      if (bad) misused(std::string(optarg) + " is not an IPv4 address");
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

/// Holds the addresses on lo; those that were not there before are taken away with it.
class HeldAddresses {
 public:
  explicit HeldAddresses(net::Network& network) : network_(network) {}
  HeldAddresses(const HeldAddresses&) = delete;
  HeldAddresses& operator=(const HeldAddresses&) = delete;
  ~HeldAddresses() {
    for (const address_v4& address : held_) {
      if (auto removed = network_.remove_address("lo", address, 32); removed.has_error()) {
        log::warning("service address not removed",
                     {{"address", address.to_string()}, {"error", removed.error().text()}});
      }
    }
  }

  Result<void> hold(const address_v4& address) {
    auto added = network_.add_address("lo", address, 32);
    if (added.has_error()) return added.error().within("address " + address.to_string());
    if (*added != net::AddressOutcome::foreign) held_.push_back(address);
    return {};
  }

 private:
  net::Network& network_;
  std::vector<address_v4> held_;
};

/// ARP first, so that the address is never announced; then the address; then the packets for it.
Result<void> serve(const Arguments& arguments) {
  boost::asio::io_context loop(1);
  boost::asio::signal_set signals(loop, SIGTERM, SIGINT);
  auto network = net::Network::open(loop, {});
  if (network.has_error()) return network.error();
  const auto link = (*network)->link(arguments.interface);
  if (!link) return Error{"interface " + arguments.interface + " does not exist", "'ip link' lists those that do"};
  agent::ArpSettings arp;
  if (auto applied = arp.apply(arguments.interface); applied.has_error()) return applied.error();
  HeldAddresses addresses(**network);
  for (const address_v4& address : arguments.addresses) {
    if (auto held = addresses.hold(address); held.has_error()) return held.error();
  }
  auto decapsulator = agent::Decapsulator::attach(agent::embedded_program(), link->ifindex, arguments.addresses);
  if (decapsulator.has_error()) return decapsulator.error().within("interface " + arguments.interface);
  log::info("agent ready", {{"interface", arguments.interface},
                            {"hook", (*decapsulator)->hook()},
                            {"addresses", arguments.addresses.size()}});
  base::notify("READY=1");
  signals.async_wait([&](boost::system::error_code /*error*/, int number) {
    log::info("agent ends", {{"signal", number}});
    loop.stop();
  });
  loop.run();
  return {};
}

}  // namespace

int main(int count, char** values) {
  if (auto served = serve(parse(count, values)); served.has_error()) {
    log::error("agent not started", {{"error", served.error().text()}});
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
