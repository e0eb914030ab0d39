// How an instance is to move packets, as its configuration says.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace astil::dpdk {

/// How packets are moved.
struct Drive {
  std::uint32_t burst = 32;
  std::uint32_t idle_sleep = 250;  ///< as in Plan
  std::uint32_t memory = 256;      ///< likewise
  bool huge_pages = true;
  std::vector<std::uint32_t> cores;            ///< one worker each; empty: one, on any core
  std::map<std::string, std::string> devices;  ///< by the interface of the kernel's that stands for it
  bool operator==(const Drive&) const = default;
};

}  // namespace astil::dpdk
