#include "control/config/checks_dpdk.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "control/config/utf8.hpp"
#include "control/config/views.hpp"

namespace astil::config {
namespace {

#ifdef ASTIL_WITHOUT_DPDK
constexpr bool kHasEngine = false;
#else
constexpr bool kHasEngine = true;
#endif

/// The interface of the kernel's whose frames a device takes; empty: none.
std::string_view taken_interface(std::string_view device) {
  constexpr std::string_view kKey = ",iface=";
  const std::size_t at = device.find(kKey);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = device.substr(at + kKey.size());
  return rest.substr(0, rest.find(','));
}

void check_device(const DpdkPort& port, const Node& written, Mistakes& mistakes) {
  const std::string_view device = port.device;
  const bool is_packet = device.starts_with("net_af_packet");
  const Place place = written.find("device")->value.place;
  const std::string_view taken = taken_interface(device);
  if ((is_packet || device.starts_with("net_af_xdp")) && taken.empty()) {
    mistakes.add(place, in_quotes(device) + " names no interface whose frames it takes",
                 "add ,iface=NAME to the device");
  } else if (is_packet && taken == port.name) {
    mistakes.add(place, "net_af_packet takes a copy of the frames of " + in_quotes(taken) + ": the kernel has them too",
                 "name the port otherwise: a tap of that name stands for it; or use net_af_xdp");
  }
}

}  // namespace

void check_dpdk(const Model& model, const Node& root, Mistakes& mistakes) {
  if (model.engine != EngineKind::dpdk) return;
  const Entry* dataplane = root.find("dataplane");
  const Entry* engine = dataplane->value.find("engine");
  if (!kHasEngine) {
    mistakes.add(engine->value.place, "this astild is built without the DPDK engine",
                 "use engine: kernel, or a build with -DASTIL_DPDK=ON");
    return;
  }
  const Entry* section = dataplane->value.find("dpdk");
  if (section == nullptr) {
    mistakes.add(engine->value.place, "engine: dpdk needs dataplane.dpdk.ports", "name a device for each interface");
    return;
  }
  const Entry* ports = section->value.find("ports");
  if (ports == nullptr || !is_sound_or_absent(section, mistakes) || !is_sound_or_absent(ports, mistakes)) return;
  std::map<std::string, const DpdkPort*> devices;
  std::map<std::string, const DpdkPort*> takers;
  for (const DpdkPort& port : model.dpdk.ports) {
    const Entry* written = ports->value.find(port.name);
    if (std::find(model.interfaces.begin(), model.interfaces.end(), port.name) == model.interfaces.end()) {
      mistakes.add(written->place, in_quotes(port.name) + " is none of the interfaces",
                   "name it under interfaces too, or leave it out here");
    }
    if (port.device.empty()) continue;
    check_device(port, written->value, mistakes);
    if (const std::string taken(taken_interface(port.device)); !taken.empty()) {
      const auto [taker, is_first] = takers.try_emplace(taken, &port);
      if (!is_first) {
        mistakes.add(written->value.find("device")->value.place,
                     "the frames of interface " + in_quotes(taken) + " are taken by " + in_quotes(taker->second->name) +
                         " already",
                     "each port needs an interface of its own");
      }
    }
    const auto [first, is_new] = devices.try_emplace(port.device.substr(0, port.device.find(',')), &port);
    if (is_new) continue;
    mistakes.add(written->value.find("device")->value.place,
                 in_quotes(first->first) + " is the device of " + in_quotes(first->second->name) + " already",
                 "each port needs one of its own; virtual ones are told apart by their number");
  }
  for (const std::string& interface : model.interfaces) {
    const auto& all = model.dpdk.ports;
    if (std::any_of(all.begin(), all.end(), [&](const DpdkPort& port) { return port.name == interface; })) continue;
    mistakes.add(ports->place, "interface " + in_quotes(interface) + " has no device",
                 "add it to dataplane.dpdk.ports");
  }
}

}  // namespace astil::config
