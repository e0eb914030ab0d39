#include "tests/packets/kernel_programs.hpp"

#include <bpf/bpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <numeric>

namespace astil::test {
namespace {

struct Idle {
  std::span<const std::byte> bytes;
  std::unique_ptr<KernelProgram> program;
};

/// Those that nobody has borrowed.
std::vector<Idle>& idle_programs() {
  static std::vector<Idle> programs;
  return programs;
}

/// How long one value is to a system call: of a map of each CPU, it is that of all of them.
std::size_t value_bytes(const bpf_map_info& info) {
  constexpr std::size_t kStep = 8;
  if (info.type != BPF_MAP_TYPE_PERCPU_ARRAY) return info.value_size;
  return (info.value_size + kStep - 1) / kStep * kStep * static_cast<std::size_t>(::libbpf_num_possible_cpus());
}

std::unique_ptr<KernelProgram> take_idle(std::span<const std::byte> bytes, const core::Sizes& sizes) {
  auto& programs = idle_programs();
  const auto found = std::find_if(programs.begin(), programs.end(), [&](const Idle& each) {
    return each.bytes.data() == bytes.data() && std::memcmp(&each.program->tables().sizes, &sizes, sizeof(sizes)) == 0;
  });
  if (found == programs.end()) return nullptr;
  auto program = std::move(found->program);
  programs.erase(found);
  return program;
}

}  // namespace

Result<KeptMap> KeptMap::of(std::uint32_t id) {
  KeptMap kept;
  kept.map_ = base::Descriptor(::bpf_map_get_fd_by_id(id));
  if (!kept.map_.valid()) return system_error("open a map of the program", errno);
  bpf_map_info info{};
  std::uint32_t length = sizeof(info);
  if (::bpf_obj_get_info_by_fd(kept.map_.get(), &info, &length) != 0) return system_error("read a map", errno);
  if ((info.map_flags & BPF_F_RDONLY_PROG) != 0) return kept;
  if (info.type == BPF_MAP_TYPE_RINGBUF) {
    kept.kind_ = Kind::ring;
    return kept;
  }
  if (info.type != BPF_MAP_TYPE_ARRAY && info.type != BPF_MAP_TYPE_PERCPU_ARRAY)
    return Error{std::string("map ") + info.name + " is of a kind that is not kept", "see KeptMap"};
  kept.kind_ = Kind::array;
  kept.keys_.resize(info.max_entries);
  std::iota(kept.keys_.begin(), kept.keys_.end(), 0U);
  kept.values_.resize(info.max_entries * value_bytes(info));
  for (const std::uint32_t key : kept.keys_) {
    if (::bpf_map_lookup_elem(kept.map_.get(), &key, kept.values_.data() + key * value_bytes(info)) != 0)
      return system_error("read a map", errno);
  }
  return kept;
}

Result<void> KeptMap::restore() const {
  if (kind_ == Kind::fixed) return {};
  if (kind_ == Kind::ring) return empty();
  auto count = static_cast<std::uint32_t>(keys_.size());
  LIBBPF_OPTS(bpf_map_batch_opts, options);
  if (::bpf_map_update_batch(map_.get(), keys_.data(), values_.data(), &count, &options) != 0)
    return system_error("put back what was in a map", errno);
  return {};
}

Result<void> KeptMap::empty() const {
  const auto leave = [](void* /*context*/, void* /*record*/, std::size_t /*size*/) { return 0; };
  ring_buffer* ring = ring_buffer__new(map_.get(), leave, nullptr, nullptr);
  if (ring == nullptr) return system_error("empty a ring buffer", errno);
  ring_buffer__consume(ring);
  ring_buffer__free(ring);
  return {};
}

Result<std::unique_ptr<KernelProgram>> KernelProgram::load(std::span<const std::byte> bytes, const char* name,
                                                           const core::Sizes& sizes) {
  auto object = xdp::KernelObject::with_new_tables(bytes, sizes);
  if (object.has_error()) return object.error();
  auto mapped = object->map(sizes);
  if (mapped.has_error()) return mapped.error();
  const int descriptor = object->program(name);
  std::unique_ptr<KernelProgram> program(new KernelProgram(std::move(*object), std::move(*mapped), descriptor));
  if (auto kept = program->keep_maps(); kept.has_error()) return kept.error();
  return program;
}

Result<void> KernelProgram::keep_maps() {
  constexpr std::size_t kMaps = 64;
  std::array<std::uint32_t, kMaps> ids{};
  bpf_prog_info info{};
  std::uint32_t length = sizeof(info);
  info.nr_map_ids = ids.size();
  info.map_ids = reinterpret_cast<std::uintptr_t>(ids.data());
  if (::bpf_obj_get_info_by_fd(descriptor_, &info, &length) != 0) return system_error("list a program's maps", errno);
  if (info.nr_map_ids > ids.size()) return Error{"the program has more maps than this knows to list", "raise kMaps"};
  for (std::size_t i = 0; i < info.nr_map_ids; ++i) {
    auto kept = KeptMap::of(ids[i]);
    if (kept.has_error()) return kept.error();
    maps_.push_back(std::move(*kept));
  }
  return {};
}

Result<void> KernelProgram::restore_maps() const {
  for (const KeptMap& map : maps_) {
    if (auto restored = map.restore(); restored.has_error()) return restored.error();
  }
  return {};
}

void GiveBack::operator()(KernelProgram* program) const {
  idle_programs().push_back({bytes, std::unique_ptr<KernelProgram>(program)});
}

Result<BorrowedProgram> borrow_program(std::span<const std::byte> bytes, const char* name, const core::Sizes& sizes) {
  auto program = take_idle(bytes, sizes);
  if (program) {
    if (auto restored = program->restore_maps(); restored.has_error()) return restored.error();
  } else {
    auto loaded = KernelProgram::load(bytes, name, sizes);
    if (loaded.has_error()) return loaded.error();
    program = std::move(*loaded);
  }
  return BorrowedProgram(program.release(), GiveBack{bytes});
}

}  // namespace astil::test
