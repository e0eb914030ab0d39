#include "control/app/engines.hpp"

#include <net/if.h>

#include <algorithm>

#include "control/app/inputs.hpp"
#include "control/base/log.hpp"
#include "dataplane/dpdk/device.hpp"
#include "dataplane/dpdk/needs.hpp"
#include "dataplane/succession.hpp"

namespace astil::app {
namespace {

using dataplane::Succession;

dpdk::Drive drive_of(const config::Dpdk& wanted) {
  dpdk::Drive drive{.burst = wanted.burst,
                    .idle_sleep = wanted.idle_sleep_us,
                    .memory = wanted.memory_mib,
                    .huge_pages = wanted.hugepages,
                    .cores = wanted.cores,
                    .devices = {}};
  for (const config::DpdkPort& port : wanted.ports) drive.devices.emplace(port.name, port.device);
  return drive;
}

xdp::Options kernel_options(const EngineOptions& options) {
  return {.instance = options.instance, .sizes = options.sizes, .program = options.program};
}

/// An engine that took over from none but itself.
OpenedEngine unchanged(std::unique_ptr<dataplane::Dataplane> engine) {
  dataplane::Origin origin = engine->origin();
  return {.engine = std::move(engine), .origin = std::move(origin)};
}

/// Of the other engine there may be what a change that was killed has left.
Result<OpenedEngine> open_kernel(const EngineOptions& options) {
  auto engine = xdp::XdpDataplane::open(kernel_options(options));
  if (engine.has_error()) return engine.error();
  if (auto removed = dpdk::remove_instance(options.instance); removed.has_error()) return removed.error();
  return unchanged(std::move(*engine));
}

/// Fences first, or the kernel would reset the connections while neither engine is there; packets of that time are
/// lost.
Result<dataplane::Carried> leave_kernel(xdp::XdpDataplane& from, dpdk::DpdkDataplane& to) {
  auto succession = Succession::begin(from, to);
  if (succession.has_error()) return succession.error();
  if (auto fenced = to.raise_fences(); fenced.has_error()) return fenced.error();
  const auto attached = from.attachments();
  for (const dataplane::Attachment& each : attached) {
    if (auto detached = from.detach(each.ifindex); detached.has_error()) return detached.error();
  }
  for (const dataplane::Attachment& each : attached) {
    if (to.has_device(each.ifindex)) (void)to.attach(each.ifindex, dataplane::Hook::automatic);
  }
  from.wait_for_readers();
  return (*succession)->finish();
}

/// The other way: fences go last.
Result<dataplane::Carried> leave_dpdk(dpdk::DpdkDataplane& from, xdp::XdpDataplane& to, const EngineOptions& options) {
  auto succession = Succession::begin(from, to);
  if (succession.has_error()) return succession.error();
  const auto attached = from.attachments();
  if (auto released = from.release(); released.has_error()) return released.error();
  for (const auto& [name, hook] : options.interfaces) {
    const std::uint32_t ifindex = ::if_nametoindex(name.c_str());
    if (ifindex == 0) continue;
    if (auto done = to.attach(ifindex, hook); done.has_error()) {
      for (const dataplane::Attachment& each : attached) (void)from.attach(each.ifindex, dataplane::Hook::automatic);
      return done.error().within("interface " + name);
    }
  }
  return (*succession)->finish();
}

dataplane::Origin origin_of(const dataplane::Carried& carried) {
  return {.kind = dataplane::Origin::Kind::carried, .carried = {carried}, .why = "another engine wanted"};
}

Result<OpenedEngine> open_kernel_after_dpdk(const EngineOptions& options) {
  dpdk::Options old{.instance = options.instance, .sizes = options.sizes, .drive = options.drive};
  if (const auto sizes = dpdk::sizes_of(options.instance)) old.sizes = *sizes;
  auto from = dpdk::DpdkDataplane::open(old);
  if (from.has_error()) return from.error();
  (*from)->keep_drive();
  auto opened = xdp::XdpDataplane::open(kernel_options(options));
  if (opened.has_error()) return opened.error();
  auto carried = leave_dpdk(**from, **opened, options);
  if (carried.has_error()) {
    (void)xdp::remove_instance(options.instance);
    return carried.error().within("change to engine kernel");
  }
  from->reset();
  (void)dpdk::remove_instance(options.instance);
  return OpenedEngine{.engine = std::move(*opened), .origin = origin_of(*carried)};
}

Result<OpenedEngine> open_dpdk(const EngineOptions& options) {
  if (auto made = dpdk::make_taps(options.instance, options.drive); made.has_error()) return made.error();
  auto engine =
      dpdk::DpdkDataplane::open({.instance = options.instance, .sizes = options.sizes, .drive = options.drive});
  if (engine.has_error()) return engine.error();
  if (!xdp::is_running(options.instance)) return unchanged(std::move(*engine));
  const auto give_up = [&](const Error& error) {
    engine->reset();
    (void)dpdk::remove_instance(options.instance);
    return error.within("change to engine dpdk");
  };
  auto from = xdp::XdpDataplane::open(kernel_options(options));
  if (from.has_error()) return give_up(from.error());
  auto carried = leave_kernel(**from, **engine);
  if (carried.has_error()) return give_up(carried.error());
  from->reset();
  (void)xdp::remove_instance(options.instance);
  return OpenedEngine{.engine = std::move(*engine), .origin = origin_of(*carried)};
}

}  // namespace

EngineOptions engine_options(const config::Model& model, const xdp::Program& program) {
  EngineOptions options{.kind = model.engine,
                        .instance = model.instance,
                        .sizes = table_sizes(model),
                        .program = program,
                        .interfaces = {},
                        .drive = drive_of(model.dpdk)};
  for (const std::string& name : model.interfaces) options.interfaces.emplace_back(name, hook_of(model, name));
  return options;
}

bool is_same_engine(const EngineOptions& a, const EngineOptions& b) {
  return a.kind == b.kind && a.sizes == b.sizes && a.drive == b.drive;
}

Result<void> check_host(const EngineOptions& wanted, const EngineOptions& now) {
  if (wanted.kind != config::EngineKind::dpdk || (now.kind == wanted.kind && now.drive == wanted.drive)) return {};
  dpdk::Wanted host{.memory = wanted.drive.memory,
                    .huge_pages = wanted.drive.huge_pages,
                    .cores = wanted.drive.cores,
                    .devices = {wanted.drive.devices.begin(), wanted.drive.devices.end()},
                    .instance = wanted.instance};
  dpdk::HostFacts facts = dpdk::gather(host);
  facts.lockable.reset();  // astil-dpdk's matters, not this process's
  std::vector<dpdk::Need> needs{dpdk::need_of_process(facts, host)};
  for (dpdk::Need& need : dpdk::needs(facts, host)) needs.push_back(std::move(need));
  for (const dpdk::Need& need : needs) {
    if (!need.met) return Error{need.what, need.remedy};
  }
  return {};
}

Result<OpenedEngine> open_engine(const EngineOptions& options) {
  if (options.kind == config::EngineKind::dpdk) return open_dpdk(options);
  return dpdk::is_running(options.instance) ? open_kernel_after_dpdk(options) : open_kernel(options);
}

void log_origin(const dataplane::Origin& origin, const std::string& instance) {
  using Kind = dataplane::Origin::Kind;
  if (origin.kind == Kind::fresh) log::info("packet path made", {{"instance", instance}});
  if (origin.kind == Kind::adopted) log::info("running packet path adopted", {{"instance", instance}});
  for (const dataplane::Carried& carried : origin.carried) {
    log::info("flows carried to new tables", {{"why", origin.why},
                                              {"flows", carried.flows},
                                              {"without_backend", carried.without},
                                              {"crowded_out", carried.crowded}});
  }
}

Result<void> make_interfaces(const config::Model& model) {
  return model.engine == config::EngineKind::dpdk ? dpdk::make_taps(model.instance, drive_of(model.dpdk))
                                                  : Result<void>();
}

bool is_made(const config::Model& model, const std::string& interface) {
  return model.engine == config::EngineKind::dpdk &&
         std::any_of(model.dpdk.ports.begin(), model.dpdk.ports.end(), [&](const config::DpdkPort& port) {
           return port.name == interface && !dpdk::keeps_interface(port.device, interface);
         });
}

std::string engine_proof(const config::Model& model) {
  return model.engine == config::EngineKind::kernel ? "/sys/fs/bpf/astil/" + model.instance : std::string();
}

bool is_running(const std::string& instance) { return xdp::is_running(instance) || dpdk::is_running(instance); }

std::vector<core::Address> served_addresses(const std::string& instance) {
  auto addresses = xdp::pinned_services(instance);
  const auto more = dpdk::shared_services(instance);
  addresses.insert(addresses.end(), more.begin(), more.end());
  return addresses;
}

Result<std::size_t> remove_instance(const std::string& instance) {
  auto links = xdp::remove_instance(instance);
  if (links.has_error()) return links.error();
  auto ports = dpdk::remove_instance(instance);
  if (ports.has_error()) return ports.error();
  return *links + *ports;
}

}  // namespace astil::app
