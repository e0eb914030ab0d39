#include "dataplane/dpdk/noted.hpp"

#include <net/if.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "dataplane/dpdk/device.hpp"
#include "dataplane/dpdk/fence.hpp"

namespace astil::dpdk {

std::string name_of(std::uint32_t ifindex) {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(ifindex, name.data()) == nullptr ? std::string() : std::string(name.data());
}

std::string name_now(const Noted& noted) {
  const std::string name = name_of(noted.ifindex);
  return name.empty() ? noted.name.str() : name;
}

void take_fence_away(Noted& place) {
  const std::uint32_t ifindex = ::if_nametoindex(name_now(place).c_str());
  if (ifindex != 0) give_back(ifindex);
  place = {};
}

void take_fence_away(Share& share, const PortPlan& port) {
  const std::string taken = taken_interface(port.device.str());
  for (Noted& place : share.fences) {
    if (!taken.empty() && place.name.str() == taken) take_fence_away(place);
  }
}

Result<void> note(Noted (&list)[kMostPorts], const std::string& name, std::uint32_t ifindex, const std::string& what) {
  const auto end = std::end(list);
  auto place = std::find_if(list, end, [&](const Noted& each) { return each.name.str() == name; });
  if (place == end) place = std::find_if(list, end, [](const Noted& each) { return each.name.str().empty(); });
  if (place == end) return Error{"there are " + std::to_string(kMostPorts) + " " + what + " already", {}};
  place->name.set(name);
  place->ifindex = ifindex;
  return {};
}

Result<void> fence(Share& share, const std::string& device, const std::string& instance) {
  const std::string taken = taken_interface(device);
  if (taken.empty()) return {};
  if (const std::string other = who_takes(taken, instance); !other.empty())
    return Error{"interface " + taken + " is taken by the instance " + other + " already",
                 "give it up there: astil detach --instance " + other};
  const std::uint32_t ifindex = ::if_nametoindex(taken.c_str());
  if (ifindex == 0) return Error{"interface " + taken + " does not exist", "'ip link' lists those that do"};
  if (auto noted = note(share.fences, taken, ifindex, "fences"); noted.has_error()) return noted.error();
  return has_fence(ifindex) ? Result<void>() : raise_fence(ifindex);
}

}  // namespace astil::dpdk
