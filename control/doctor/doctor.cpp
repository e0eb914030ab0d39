#include "control/doctor/doctor.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "control/doctor/dpdk.hpp"

namespace astil::doctor {
namespace {

using config::Forwarding;

constexpr unsigned kMajor = 6;
constexpr unsigned kMinor = 1;

Finding right(std::string about, std::string found) { return {std::move(about), true, std::move(found), {}}; }
Finding wrong(std::string about, std::string found, std::string next) {
  return {std::move(about), false, std::move(found), std::move(next)};
}

/// The first two numbers of a kernel's release.
std::pair<unsigned, unsigned> version_of(std::string_view release) {
  std::pair<unsigned, unsigned> version{0, 0};
  const auto* const end = release.data() + release.size();
  const auto [point, failed] = std::from_chars(release.data(), end, version.first);
  if (failed == std::errc{} && point != end) std::from_chars(point + 1, end, version.second);
  return version;
}

/// Whether replies that the packet path routes are of this version of IP.
bool routes_replies(const config::Model& model, bool ipv4) {
  return std::ranges::any_of(model.services, [&](const config::Service& each) {
    const bool rewrites = each.forwarding == Forwarding::nat || each.forwarding == Forwarding::full_nat;
    return rewrites && each.host.is_v4() == ipv4;
  });
}

config::Hook hook_of(const config::Model& model, const std::string& interface) {
  const auto own = std::ranges::find(model.interface_settings, interface, &config::InterfaceSettings::name);
  return own == model.interface_settings.end() ? model.hook : own->hook;
}

/// What the longest header in front of a packet takes, in bytes.
unsigned tunnel_bytes(const config::Model& model) {
  unsigned most = 0;
  for (const auto& service : model.services) {
    if (service.forwarding != Forwarding::tunnel) continue;
    const unsigned udp = service.tunnel.encapsulation == config::Encapsulation::gue ? 8 : 0;
    for (const auto& backend : service.backends) most = std::max(most, (backend.host.is_v4() ? 20 : 40) + udp);
  }
  return most;
}

/// Probes that can be under way at once: a check that several services share may be run once, but need not.
std::size_t probes_of(const config::Model& model) {
  std::size_t probes = 0;
  for (const auto& service : model.services) probes += service.health ? service.backends.size() : 0;
  return probes;
}

/// What is true of the host as a whole.
class Host {
 public:
  Host(const Facts& facts, std::vector<Finding>& findings) : facts_(facts), findings_(findings) {}

  void kernel() {
    const std::string wanted = std::to_string(kMajor) + "." + std::to_string(kMinor);
    const bool new_enough = version_of(facts_.kernel) >= std::pair{kMajor, kMinor};
    findings_.push_back(new_enough ? right("kernel", facts_.kernel)
                                   : wrong("kernel", facts_.kernel, "boot Linux " + wanted + " or later"));
  }

  void bpf() {
    const auto& missing = facts_.missing_capabilities;
    findings_.push_back(missing.empty() ? right("privileges", "all that the daemon needs")
                                        : wrong("privileges", "missing: " + missing,
                                                "run as root, or give the service these capabilities"));
    if (facts_.bpf_refusal.empty()) {
      findings_.push_back(right("BPF", "the kernel makes maps"));
    } else {
      findings_.push_back(wrong("BPF", "the kernel makes no map: " + facts_.bpf_refusal,
                                missing.empty() ? "take a kernel with CONFIG_BPF_SYSCALL, not locked down"
                                                : "ask again with the privileges above"));
    }
    findings_.push_back(right("BPF file system", facts_.bpf_filesystem ? "at /sys/fs/bpf" : "astild mounts it"));
    if (!facts_.jit) return;
    findings_.push_back(*facts_.jit != 0 ? right("BPF compiler", "on")
                                         : wrong("BPF compiler", "off: packets cost several times as much",
                                                 "sysctl -w net.core.bpf_jit_enable=1"));
  }

  void open_files(std::size_t probes) {
    constexpr std::size_t kOthers = 256;  // links, maps, clients of the API
    const std::size_t needed = probes + kOthers;
    const std::string found = std::to_string(facts_.open_files) + " for a process, up to " + std::to_string(needed) +
                              " needed with " + std::to_string(probes) + " probes at once";
    findings_.push_back(facts_.open_files >= needed
                            ? right("open files", found)
                            : wrong("open files", found, "set LimitNOFILE=" + std::to_string(needed) + " in the unit"));
  }

 private:
  const Facts& facts_;
  std::vector<Finding>& findings_;
};

/// What is true of one of a balancer's interfaces.
class Interface {
 public:
  Interface(const InterfaceFacts& facts, const config::Model& model, std::vector<Finding>& findings)
      : facts_(facts), model_(model), findings_(findings), name_("interface " + facts.name) {}

  void link() {
    if (!facts_.exists) {
      findings_.push_back(wrong(name_, "does not exist", "'ip link' lists those that do"));
    } else if (!facts_.up) {
      findings_.push_back(wrong(name_, "is down", "ip link set " + facts_.name + " up, and look at its cable"));
    } else {
      findings_.push_back(right(name_, "up, driver " + (facts_.driver.empty() ? "not told" : facts_.driver) + ", MTU " +
                                           std::to_string(facts_.mtu)));
    }
  }

  void offloads() {
    if (hook_of(model_, facts_.name) == config::Hook::tc) return;
    findings_.push_back(facts_.lro
                            ? wrong(name_ + ": offloads", "large receive offload is on: drivers take no XDP program",
                                    "ethtool -K " + facts_.name + " lro off")
                            : right(name_ + ": offloads", "none that hinders XDP"));
  }

  void forwarding(bool ipv4) {
    if (!routes_replies(model_, ipv4)) return;
    const auto& value = ipv4 ? facts_.forwarding_ipv4 : facts_.forwarding_ipv6;
    const std::string setting = (ipv4 ? "net.ipv4.conf." : "net.ipv6.conf.") + facts_.name + ".forwarding";
    findings_.push_back(value.value_or(0) != 0 ? right(setting, "1")
                                               : wrong(setting, "off: replies under nat find no way to the clients",
                                                       "sysctl -w " + setting + "=1"));
  }

  void redirects(const InterfaceFacts& all) {
    if (model_.interfaces.size() > 1 || !routes_replies(model_, true)) return;
    const std::string setting = "net.ipv4.conf." + facts_.name + ".send_redirects";
    const bool on = all.send_redirects.value_or(0) != 0 || facts_.send_redirects.value_or(0) != 0;
    findings_.push_back(on ? wrong(setting, "on, here or for all: backends are told to go around the balancer",
                                   "sysctl -w net.ipv4.conf.all.send_redirects=0 " + setting + "=0")
                           : right(setting, "0"));
  }

 private:
  const InterfaceFacts& facts_;
  const config::Model& model_;
  std::vector<Finding>& findings_;
  std::string name_;
};

/// The way to the backends carries what clients send, with the header in front.
void examine_mtu(const Facts& facts, const config::Model& model, std::vector<Finding>& findings) {
  const unsigned header = tunnel_bytes(model);
  if (header == 0 || facts.interfaces.empty()) return;
  const auto& front = facts.interfaces.front();
  const auto& back = facts.interfaces.back();
  if (!front.exists || !back.exists) return;
  const unsigned full = std::min(front.mtu, 1500U);  // of clients that are not on this link
  const std::string about = "MTU of " + back.name;
  const std::string found = std::to_string(back.mtu) + ", a full packet of " + std::to_string(full) + " bytes takes " +
                            std::to_string(full + header) + " in the tunnel";
  findings.push_back(back.mtu >= full + header
                         ? right(about, found)
                         : wrong(about, found + ": clients are told to send shorter ones",
                                 "ip link set " + back.name + " mtu " + std::to_string(full + header) +
                                     " and the same at the backends, or leave it at that"));
}

/// A setting of a backend that the kernel takes the larger value of, its own or that of all.
void examine_setting(const Facts& facts, const InterfaceFacts& interface, std::string_view key,
                     std::optional<int> InterfaceFacts::*value, int low, int high, const std::string& why,
                     std::vector<Finding>& findings) {
  const int used = std::max((facts.all.*value).value_or(0), (interface.*value).value_or(0));
  const std::string setting = "net.ipv4.conf." + interface.name + "." + std::string(key);
  if (used >= low && used <= high) return findings.push_back(right(setting, std::to_string(used)));
  const std::string wanted = std::string(key) + "=" + std::to_string(low);
  findings.push_back(
      wrong(setting, std::to_string(used) + ": " + why,
            "sysctl -w net.ipv4.conf.all." + wanted + " net.ipv4.conf." + interface.name + "." + wanted));
}

}  // namespace

std::vector<Finding> examine_balancer(const Facts& facts, const config::Model& model) {
  std::vector<Finding> findings;
  Host host(facts, findings);
  host.kernel();
  host.bpf();
  host.open_files(probes_of(model));
  const bool by_dpdk = model.engine == config::EngineKind::dpdk;
  if (by_dpdk) examine_dpdk(facts, model, findings);
  for (const auto& each : facts.interfaces) {
    Interface interface(each, model, findings);
    if (!each.exists && by_dpdk && is_made(model, each.name)) continue;  // the daemon makes it
    interface.link();
    if (!each.exists) continue;
    interface.offloads();
    if (by_dpdk) continue;  // the kernel routes none of its replies
    interface.forwarding(true);
    interface.forwarding(false);
    interface.redirects(facts.all);
  }
  examine_mtu(facts, model, findings);
  return findings;
}

Facts gather_for(const config::Model& model) {
  Facts facts = gather(model.interfaces);
  if (model.engine == config::EngineKind::dpdk) facts.dpdk = dpdk::gather(wanted_of(model));
  return facts;
}

std::vector<Finding> examine_backend(const Facts& facts, const config::address& service) {
  std::vector<Finding> findings;
  const bool held = std::ranges::find(facts.addresses, service) != facts.addresses.end();
  const std::string text = service.to_string();
  findings.push_back(held ? right("address " + text, "is on this host")
                          : wrong("address " + text, "is not on this host: its packets are not taken",
                                  "ip address add " + text + (service.is_v4() ? "/32 dev lo" : "/128 dev lo nodad")));
  if (!service.is_v4()) return findings;
  for (const auto& each : facts.interfaces) {
    if (!each.up) continue;
    examine_setting(facts, each, "arp_ignore", &InterfaceFacts::arp_ignore, 1, 2,
                    "this host may answer ARP for " + text + ", and take it from the balancer", findings);
    examine_setting(facts, each, "arp_announce", &InterfaceFacts::arp_announce, 2, 2,
                    "this host may tell others that it has " + text, findings);
    const int filter = std::max(facts.all.rp_filter.value_or(0), each.rp_filter.value_or(0));
    const std::string setting = "net.ipv4.conf." + each.name + ".rp_filter";
    findings.push_back(filter != 1
                           ? right(setting, std::to_string(filter))
                           : wrong(setting, "1: packets of clients that are reached by another interface are dropped",
                                   "sysctl -w " + setting + "=2"));
  }
  return findings;
}

}  // namespace astil::doctor
