#include "dataplane/dpdk/instance.hpp"

#include <net/if.h>

#include <filesystem>

#include "dataplane/dpdk/await.hpp"
#include "dataplane/dpdk/device.hpp"
#include "dataplane/dpdk/fence.hpp"
#include "dataplane/dpdk/noted.hpp"
#include "dataplane/dpdk/tap.hpp"
#include "dataplane/publisher.hpp"
#include "dataplane/shared_tables.hpp"

namespace astil::dpdk {
namespace {

/// Those that are in force; of an instance whose share can not be read, whatever tables are there.
std::optional<dataplane::SharedTables> tables_of(const std::string& instance) {
  const auto share = MappedShare::find(instance);
  std::vector<std::filesystem::path> files;
  if (share.has_value() && !share->has_value()) return std::nullopt;
  if (share.has_value()) {
    files.push_back((*share)->tables((**share)->tables_number));
  } else {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder_of(instance), error)) {
      if (entry.path().filename().string().starts_with("tables-")) files.push_back(entry.path());
    }
  }
  for (const std::filesystem::path& file : files) {
    if (auto tables = dataplane::SharedTables::open(file); tables.has_value()) return std::move(*tables);
  }
  return std::nullopt;
}

/// Another instance whose share can not be read; empty: there is none.
std::string other_unreadable(const std::string& instance) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_of(instance).parent_path(), error)) {
    const std::string other = entry.path().filename().string();
    if (other != instance && MappedShare::find(other).has_error()) return other;
  }
  return {};
}

/// Nobody knows any more which ones the instance has taken: those that nobody else has.
void give_back_interfaces(const std::string& instance) {
  struct if_nameindex* all = ::if_nameindex();
  for (const struct if_nameindex* each = all; each != nullptr && each->if_index != 0; ++each) {
    if (has_fence(each->if_index) && who_takes(each->if_name, instance).empty()) give_back(each->if_index);
  }
  ::if_freenameindex(all);
}

}  // namespace

bool is_running(const std::string& instance) {
  auto share = MappedShare::find(instance);
  return share.has_value() && share->has_value() && (**share)->plan.ports != 0;
}

std::optional<core::Sizes> sizes_of(const std::string& instance) {
  const auto tables = tables_of(instance);
  return tables ? std::optional(tables->tables().sizes) : std::nullopt;
}

std::vector<core::Address> shared_services(const std::string& instance) {
  const auto tables = tables_of(instance);
  if (!tables) return {};
  return dataplane::own_addresses(dataplane::read_state(tables->tables()));
}

Result<std::size_t> remove_instance(const std::string& instance) {
  const std::filesystem::path folder = folder_of(instance);
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) return std::size_t{0};
  auto share = MappedShare::find(instance);
  std::size_t ports = 0;
  if (share.has_error()) {
    if (is_engine_running(folder))
      return Error{"astil-dpdk runs, and cannot be told to give up its ports: " + share.error().what,
                   "stop it first: systemctl stop astil-dpdk@" + instance};
    if (const std::string other = other_unreadable(instance); !other.empty()) {
      std::filesystem::remove_all(folder, error);
      return Error{
          "the filters of astil-dpdk stay on its interfaces: nobody can tell them from those of the instance " + other +
              ", which is of another version or damaged too",
          "stop that one, too; then: astil detach --instance " + other};
    }
    give_back_interfaces(instance);
  } else if (share->has_value()) {
    Share& mapped = ***share;
    if (mapped.network != 0 && mapped.network != own_network())
      return Error{
          "the instance " + instance + " is of another network namespace",
          "give it up there, by 'ip netns exec' or nsenter; where that namespace is gone: rm -r " + folder.string()};
    ports = mapped.plan.ports;
    write_plan(mapped, Plan{});
    const std::uint32_t number = mapped.plan_number;
    if (await(folder, kLongestRelease, [&] { return load(mapped.plan_in_force) == number; }) == Awaited::late)
      return Error{"astil-dpdk does not give up its ports", "stop it: systemctl stop astil-dpdk@" + instance};
    for (Noted& place : mapped.fences) take_fence_away(place);
    for (Noted& place : mapped.taps) {
      if (place.name.str().empty()) continue;
      if (auto removed = remove_tap(name_now(place)); removed.has_error()) return removed.error();
      place = {};
    }
  }
  std::filesystem::remove_all(folder, error);
  if (error) return Error{"remove " + folder.string() + ": " + error.message(), {}};
  return ports;
}

Result<void> make_taps(const std::string& instance, const Drive& drive) {
  for (const auto& [interface, device] : drive.devices) {
    if (keeps_interface(device, interface) || ::if_nametoindex(interface.c_str()) != 0) continue;
    auto share = MappedShare::make(instance);
    if (share.has_error()) return share.error();
    Noted(&taps)[kMostPorts] = (*share)->taps;
    if (auto noted = note(taps, interface, 0, "taps"); noted.has_error()) return noted.error();
    if (auto made = open_tap(interface, Stays::yes); made.has_error()) return made.error();
    (void)note(taps, interface, ::if_nametoindex(interface.c_str()), "taps");
  }
  return {};
}

}  // namespace astil::dpdk
