#include "dataplane/xdp/kernel_object.hpp"

#include <bpf/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdarg>
#include <cstdio>

#include "dataplane/core/hops.hpp"

namespace astil::xdp {

using dataplane::kTableCount;
using dataplane::kTableSpecs;

namespace {

/// libbpf's last words, for the error that follows.
thread_local std::string libbpf_says;

int collect(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  std::array<char, 512> line{};
  const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
  if (length > 0) libbpf_says.assign(line.data());
  while (!libbpf_says.empty() && libbpf_says.back() == '\n') libbpf_says.pop_back();
  return 0;
}

std::size_t mapped_bytes(std::size_t index, const core::Sizes& sizes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t bytes = kTableSpecs[index].record_bytes * kTableSpecs[index].records(sizes);
  return (bytes + page - 1) / page * page;
}

Error no_privilege(const std::string& action) {
  return {action + ": Operation not permitted", "run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"};
}

/// The settings are a variable of the program, and their map has the name of its section.
std::string map_name(std::size_t table) {
  if (table == static_cast<std::size_t>(dataplane::TableId::settings)) return ".data.settings";
  return std::string(kTableSpecs[table].name);
}

std::string pin_path(const std::filesystem::path& folder, std::size_t table) {
  return (folder / std::string(kTableSpecs[table].name)).string();
}

}  // namespace

MappedTables& MappedTables::operator=(MappedTables&& other) noexcept {
  if (this != &other) {
    unmap();
    tables_ = std::exchange(other.tables_, {});
  }
  return *this;
}

MappedTables::~MappedTables() { unmap(); }

void MappedTables::unmap() {
  for (std::size_t i = 0; i < kTableCount; ++i) {
    if (tables_.memory[i] != nullptr) ::munmap(tables_.memory[i], mapped_bytes(i, tables_.sizes));
  }
  tables_ = {};
}

Result<MappedTables> MappedTables::map(std::span<const int, kTableCount> descriptors, const core::Sizes& sizes) {
  MappedTables mapped;
  mapped.tables_.sizes = sizes;
  for (std::size_t i = 0; i < kTableCount; ++i) {
    const int kind = descriptors[i] < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED;
    void* memory = ::mmap(nullptr, mapped_bytes(i, sizes), PROT_READ | PROT_WRITE, kind, descriptors[i], 0);
    if (memory == MAP_FAILED) return system_error("map table " + std::string(kTableSpecs[i].name), errno);
    mapped.tables_.memory[i] = static_cast<std::byte*>(memory);
  }
  return mapped;
}

namespace {

Result<core::LayoutHeader> read_header(const base::Descriptor& settings, const std::filesystem::path& folder) {
  bpf_map_info info{};
  std::uint32_t length = sizeof(info);
  if (::bpf_obj_get_info_by_fd(settings.get(), &info, &length) != 0)
    return system_error("read " + folder.string(), errno);
  std::vector<std::byte> bytes(info.value_size);
  const std::uint32_t key = 0;
  core::LayoutHeader header{};
  if (bytes.size() < sizeof(header) || ::bpf_map_lookup_elem(settings.get(), &key, bytes.data()) != 0)
    return Error{folder.string() + " holds no settings", {}};
  std::memcpy(&header, bytes.data(), sizeof(header));
  return header;
}

Result<std::uint32_t> map_id(const base::Descriptor& map, const std::string& path) {
  bpf_map_info info{};
  std::uint32_t length = sizeof(info);
  if (::bpf_obj_get_info_by_fd(map.get(), &info, &length) != 0) return system_error("read " + path, errno);
  return info.id;
}

/// Sizes the next hops that the program keeps, by the table of flows, and tells the program; in a map that is taken
/// over they are sized already.
void size_hops(bpf_object* object) {
  bpf_map* hops = bpf_object__find_map_by_name(object, "hops");
  const bpf_map* flows = bpf_object__find_map_by_name(object, "flows");
  bpf_map* told = bpf_object__find_map_by_name(object, ".rodata.hops");
  if (hops == nullptr || flows == nullptr || told == nullptr) return;
  const auto cpus = static_cast<std::uint32_t>(std::max(1, libbpf_num_possible_cpus()));
  if (bpf_map__fd(hops) < 0) {
    const std::uint32_t slots = bpf_map__max_entries(flows) * core::kEntriesPerLine;
    (void)bpf_map__set_max_entries(hops, cpus * core::hops_for(slots, cpus));
  }
  const std::uint32_t shift = std::countr_zero(core::kMostHops / (bpf_map__max_entries(hops) / cpus));
  (void)bpf_map__set_initial_value(told, &shift, sizeof(shift));
}

}  // namespace

Result<PinnedTables> PinnedTables::open(const std::filesystem::path& folder) {
  PinnedTables pinned{.folder = folder, .map_ids = {}, .maps = {}, .missing = {}};
  for (std::size_t i = 0; i < kTableCount; ++i) {
    const std::string path = pin_path(folder, i);
    base::Descriptor map(::bpf_obj_get(path.c_str()));
    if (!map.valid() && errno == ENOENT) {
      pinned.missing += (pinned.missing.empty() ? "" : ", ") + std::string(kTableSpecs[i].name);
      continue;
    }
    if (!map.valid()) {
      return errno == EPERM || errno == EACCES ? no_privilege("open " + path) : system_error("open " + path, errno);
    }
    auto id = map_id(map, path);
    if (id.has_error()) return id.error();
    pinned.map_ids.push_back(*id);
    pinned.maps[i] = std::move(map);
  }
  const base::Descriptor& settings = pinned.maps[static_cast<std::size_t>(dataplane::TableId::settings)];
  if (!settings.valid()) return pinned;
  auto header = read_header(settings, folder);
  if (header.has_error()) return header.error();
  pinned.header = *header;
  return pinned;
}

Result<MappedTables> PinnedTables::map() const {
  std::array<int, kTableCount> descriptors{};
  std::transform(maps.begin(), maps.end(), descriptors.begin(), [](const base::Descriptor& map) { return map.get(); });
  return MappedTables::map(descriptors, header.sizes);
}

Result<KernelObject> KernelObject::open(std::span<const std::byte> bytes) {
  libbpf_set_print(collect);
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "astil");
  Object object(bpf_object__open_mem(bytes.data(), bytes.size(), &options));
  if (!object) return system_error("open the built-in program", errno);
  return KernelObject(std::move(object));
}

Result<KernelObject> KernelObject::with_new_tables(std::span<const std::byte> bytes, const core::Sizes& sizes) {
  auto opened = open(bytes);
  if (opened.has_error()) return opened.error();
  for (std::size_t i = 0; i < kTableCount; ++i) {
    const dataplane::TableSpec& spec = kTableSpecs[i];
    bpf_map* map = bpf_object__find_map_by_name(opened->object_.get(), map_name(i).c_str());
    if (map == nullptr || bpf_map__set_max_entries(map, static_cast<std::uint32_t>(spec.records(sizes))) != 0) {
      return Error{"size table " + std::string(spec.name) + ": the built-in program has no such map", {}};
    }
  }
  if (auto loaded = opened->load(); loaded.has_error()) return loaded.error();
  return opened;
}

Result<KernelObject> KernelObject::with_tables(std::span<const std::byte> bytes, const PinnedTables& pinned) {
  auto opened = open(bytes);
  if (opened.has_error()) return opened.error();
  for (std::size_t i = 0; i < kTableCount; ++i) {
    bpf_map* map = bpf_object__find_map_by_name(opened->object_.get(), map_name(i).c_str());
    if (map == nullptr || bpf_map__reuse_fd(map, pinned.maps[i].get()) != 0) {
      return Error{"take over table " + std::string(kTableSpecs[i].name) + ": " + libbpf_says, {}};
    }
  }
  if (auto loaded = opened->load(); loaded.has_error()) return loaded.error();
  return opened;
}

Result<KernelObject> KernelObject::beside(std::span<const std::byte> bytes, const KernelObject& other) {
  auto opened = open(bytes);
  if (opened.has_error()) return opened.error();
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, opened->object_.get()) {
    const int descriptor = other.map_descriptor(bpf_map__name(map));
    if (descriptor >= 0 && bpf_map__reuse_fd(map, descriptor) != 0)
      return Error{std::string("share table ") + bpf_map__name(map) + ": " + libbpf_says, {}};
  }
  if (auto loaded = opened->load(); loaded.has_error()) return loaded.error();
  return opened;
}

Result<void> KernelObject::load() {
  size_hops(object_.get());
  const int failed = bpf_object__load(object_.get());
  if (failed == 0) return {};
  if (-failed == EPERM || -failed == EACCES) return no_privilege("load the packet path");
  if (-failed == ENOMEM || -failed == E2BIG) {
    return Error{"load the packet path: " + std::string(std::strerror(-failed)) + " (" + libbpf_says + ")",
                 "lower dataplane.tables, or raise the memory limit of the daemon"};
  }
  return Error{"load the packet path: " + std::string(std::strerror(-failed)) + " (" + libbpf_says + ")",
               "Astil needs Linux 6.1 or later, with CONFIG_BPF_SYSCALL and CONFIG_BPF_JIT"};
}

Result<void> KernelObject::pin_tables(const std::filesystem::path& folder) const {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Error{"make " + folder.string() + ": " + error.message(), {}};
  for (std::size_t i = 0; i < kTableCount; ++i) {
    const int descriptor = map_descriptor(map_name(i).c_str());
    if (::bpf_obj_pin(descriptor, pin_path(folder, i).c_str()) != 0)
      return system_error("pin " + pin_path(folder, i), errno);
  }
  return {};
}

Result<std::vector<std::string>> KernelObject::mend_pins(const std::filesystem::path& folder) const {
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < kTableCount; ++i) {
    const std::string path = pin_path(folder, i);
    if (::access(path.c_str(), F_OK) == 0) continue;
    if (missing.empty()) {
      std::error_code error;
      std::filesystem::create_directories(folder, error);
      if (error) return Error{"make " + folder.string() + ": " + error.message(), {}};
    }
    if (::bpf_obj_pin(map_descriptor(map_name(i).c_str()), path.c_str()) != 0)
      return system_error("pin " + path, errno);
    missing.emplace_back(kTableSpecs[i].name);
  }
  return missing;
}

Result<MappedTables> KernelObject::map(const core::Sizes& sizes) const {
  std::array<int, kTableCount> descriptors{};
  for (std::size_t i = 0; i < kTableCount; ++i) descriptors[i] = map_descriptor(map_name(i).c_str());
  return MappedTables::map(descriptors, sizes);
}

int KernelObject::program(const char* name) const {
  const bpf_program* program = bpf_object__find_program_by_name(object_.get(), name);
  return program == nullptr ? -1 : bpf_program__fd(program);
}

int KernelObject::map_descriptor(const char* name) const {
  return bpf_object__find_map_fd_by_name(object_.get(), name);
}

}  // namespace astil::xdp
