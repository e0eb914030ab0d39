// The engines behind one door: which one moves an instance's packets, how it is opened, and how one takes over from the
// other with its flows.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/config/model.hpp"
#include "dataplane/dpdk/dpdk_dataplane.hpp"
#include "dataplane/dpdk/instance.hpp"
#include "dataplane/xdp/xdp_dataplane.hpp"

namespace astil::app {

/// What moves the packets, and how.
struct EngineOptions {
  config::EngineKind kind = config::EngineKind::kernel;
  std::string instance;
  core::Sizes sizes;
  xdp::Program program;                                             ///< of the kernel's hooks
  std::vector<std::pair<std::string, dataplane::Hook>> interfaces;  ///< likewise
  dpdk::Drive drive;                                                ///< of the DPDK engine
};
EngineOptions engine_options(const config::Model& model, const xdp::Program& program);

/// Do both come to the same tables, ports and workers?
bool is_same_engine(const EngineOptions& a, const EngineOptions& b);

struct OpenedEngine {
  std::unique_ptr<dataplane::Dataplane> engine;
  dataplane::Origin origin;
};

/// Whether this host has what `wanted` asks for where it is another engine than `now`, or driven otherwise.
Result<void> check_host(const EngineOptions& wanted, const EngineOptions& now);

/// Takes over what an instance has running, of this engine or of the other; after an error it runs as it did. Makes the
/// tap devices that ports need.
Result<OpenedEngine> open_engine(const EngineOptions& options);

void log_origin(const dataplane::Origin& origin, const std::string& instance);

/// Makes the tap devices that stand for ports, where they are missing.
Result<void> make_interfaces(const config::Model& model);
/// Is the interface one that `make_interfaces` makes?
bool is_made(const config::Model& model, const std::string& interface);

/// As the functions of these names of the engines, for both.
bool is_running(const std::string& instance);
/// A file that is there as long as the model's engine forwards, also without astild; empty: there is none that tells.
[[nodiscard]] std::string engine_proof(const config::Model& model);
std::vector<core::Address> served_addresses(const std::string& instance);
Result<std::size_t> remove_instance(const std::string& instance);

}  // namespace astil::app
