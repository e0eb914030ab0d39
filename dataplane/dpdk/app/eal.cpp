#include "dataplane/dpdk/app/eal.hpp"

#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/dpdk/device.hpp"
#include "dataplane/dpdk/needs.hpp"

namespace astil::dpdk {
namespace {

constexpr unsigned kCache = 256;
/// That a virtual device may hold back: AF_XDP's fill queue has 4096 places.
constexpr unsigned kHeldByPort = 4096;

bool started = false;

/// The driver for AF_XDP and the libraries below it tell of each way that they try, errors of those that they do
/// without among them. What fails in the end is returned.
void hush_libraries() {
  (void)::libbpf_set_print(nullptr);
  void* const libxdp = ::dlopen("libxdp.so.1", RTLD_NOW);  // the driver's, which is loaded with it; absent: without one
  if (libxdp == nullptr) return;
  using SetPrint = void* (*)(void* print);
  if (const auto set_print = reinterpret_cast<SetPrint>(::dlsym(libxdp, "libxdp_set_print"))) (void)set_print(nullptr);
}

Wanted wanted_of(const std::string& instance, const Plan& plan) {
  Wanted wanted{.memory = plan.memory,
                .huge_pages = plan.huge_pages != 0,
                .cores = {},
                .devices = {},
                .instance = instance,
                .begins = true};
  if (plan.cores[0] != kAnyCore) wanted.cores.assign(plan.cores, plan.cores + plan.workers);
  for (std::uint32_t i = 0; i < plan.ports; ++i)
    wanted.devices.emplace_back(plan.port[i].interface.str(), plan.port[i].device.str());
  return wanted;
}

/// The main thread is lcore 0, anywhere; the workers are those behind it.
std::string lcores_of(const Plan& plan, const std::vector<std::uint32_t>& cores) {
  std::string all = "@(";
  for (const std::uint32_t core : cores) all += (all.ends_with('(') ? "" : ",") + std::to_string(core);
  all += ")";
  std::string lcores = "0" + all;
  for (std::uint32_t i = 0; i < plan.workers; ++i) {
    lcores += "," + std::to_string(i + 1);
    lcores += plan.cores[i] == kAnyCore ? all : "@" + std::to_string(plan.cores[i]);
  }
  return lcores;
}

bool has_pci(const Plan& plan) {
  return std::any_of(plan.port, plan.port + plan.ports, [](const PortPlan& port) { return is_pci(port.device.str()); });
}

/// DPDK keeps a buffer from crossing a page, so that a NIC can address it: of small pages each has one buffer then, and
/// between them is nothing. Its driver for AF_XDP takes the whole for as long as the buffers alone; those that lie
/// behind that are lost to the kernel one by one, until a port receives nothing any more. Where no NIC needs it, they
/// are packed.
rte_mempool* make_pool(unsigned buffers, bool for_nics) {
  constexpr unsigned kElement = sizeof(rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE;
  rte_mempool* pool = rte_mempool_create_empty("frames", buffers, kElement, kCache, sizeof(rte_pktmbuf_pool_private),
                                               SOCKET_ID_ANY, for_nics ? 0U : unsigned{RTE_MEMPOOL_F_NO_IOVA_CONTIG});
  if (pool == nullptr) return nullptr;
  int failed = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), nullptr);
  if (failed == 0) {
    rte_pktmbuf_pool_init(pool, nullptr);
    failed = rte_mempool_populate_default(pool);
  }
  if (failed < 0) {
    rte_mempool_free(pool);
    rte_errno = -failed;
    return nullptr;
  }
  rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
  return pool;
}

/// Is there nothing between the buffers?
bool is_dense(const rte_mempool& pool) {
  const rte_mempool_memhdr* first = STAILQ_FIRST(&pool.mem_list);
  const std::size_t each = pool.header_size + pool.elt_size + pool.trailer_size;
  return pool.nb_mem_chunks == 1 && first->len < (pool.populated_size + 1) * each;
}

}  // namespace

Result<void> start_eal(const std::string& instance, const Plan& plan) {
  const Wanted wanted = wanted_of(instance, plan);
  const HostFacts facts = gather(wanted);
  for (const Need& need : needs(facts, wanted)) {
    if (!need.met) return Error{need.what, need.remedy};
  }
  bool any_pci = false;
  std::vector<std::string> words{"astil-dpdk",
                                 "--no-telemetry",
                                 "--no-shconf",
                                 "--log-level=error",
                                 "--file-prefix=",
                                 "--lcores",
                                 lcores_of(plan, facts.cores)};
  words[4] += "astil-" + instance;
  for (std::uint32_t i = 0; i < plan.ports; ++i) {
    const std::string device = plan.port[i].device.str();
    any_pci = any_pci || is_pci(device);
    words.emplace_back(is_pci(device) ? "-a" : "--vdev");
    words.push_back(device);
  }
  if (!any_pci) words.emplace_back("--no-pci");
  words.emplace_back("-m");
  words.push_back(std::to_string(plan.memory));
  words.emplace_back(plan.huge_pages == 0 ? "--no-huge" : "--huge-unlink");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  hush_libraries();
  started = rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) >= 0;
  if (started) return {};
  Error error{std::string("start DPDK: ") + rte_strerror(rte_errno), "see the log of astil-dpdk above this line"};
  if (rte_errno == EACCES || rte_errno == EPERM) error.remedy = "run astil-dpdk as root";
  return error;
}

void end_eal() {
  if (std::exchange(started, false)) (void)rte_eal_cleanup();
}

Result<rte_mempool*> make_buffers(const Plan& plan) {
  const unsigned queues = plan.ports * plan.workers;
  const unsigned buffers =
      queues * (2U * kQueueLength + kHeldByPort) + plan.workers * (2 * kRingLength + kCache) + plan.ports * kRingLength;
  if (rte_mempool* pool = make_pool(buffers, has_pci(plan)); pool != nullptr) {
    if (has_pci(plan) || is_dense(*pool)) return pool;
    return Error{std::to_string(buffers) + " packet buffers do not lie in one piece, as AF_XDP wants them",
                 "raise dataplane.dpdk.memory, or name fewer ports or cores"};
  }
  const unsigned wanted = (buffers / 1024 + 1) * (RTE_MBUF_DEFAULT_BUF_SIZE + 512) / 1024 + 32;
  return Error{std::to_string(buffers) + " packet buffers: " + rte_strerror(rte_errno),
               "set dataplane.dpdk.memory to " + std::to_string(wanted) + " or more"};
}

}  // namespace astil::dpdk
