#include "agent/arp_settings.hpp"

#include <cerrno>
#include <fstream>

namespace astil::agent {
namespace {

constexpr const char* kFolder = "/proc/sys/net/ipv4/conf/";

Result<int> read(const std::string& path) {
  std::ifstream file(path);
  int value = 0;
  if (!(file >> value)) return system_error("read " + path, errno);
  return value;
}

bool write(const std::string& path, int value) {
  std::ofstream file(path);
  file << value << std::flush;
  return file.good();
}

}  // namespace

ArpSettings::~ArpSettings() {
  for (auto setting = found_.rbegin(); setting != found_.rend(); ++setting) write(setting->first, setting->second);
}

Result<void> ArpSettings::apply(const std::string& interface) {
  if (auto done = raise(std::string(kFolder) + "all/arp_ignore", 1); done.has_error()) return done.error();
  if (auto done = raise(std::string(kFolder) + "all/arp_announce", 2); done.has_error()) return done.error();
  // The kernel takes the greater of `all` and the interface's: 2 (loose) wins over 1 (strict).
  const auto all = read(std::string(kFolder) + "all/rp_filter");
  const auto own = read(std::string(kFolder) + interface + "/rp_filter");
  const bool strict = (all.has_value() && *all == 1) || (own.has_value() && *own == 1);
  if (strict) return raise(std::string(kFolder) + interface + "/rp_filter", 2);
  return {};
}

Result<void> ArpSettings::raise(const std::string& path, int wanted) {
  auto value = read(path);
  if (value.has_error()) return value.error();
  return *value >= wanted ? Result<void>() : set(path, wanted);
}

Result<void> ArpSettings::set(const std::string& path, int value) {
  auto before = read(path);
  if (before.has_error()) return before.error();
  if (!write(path, value)) return Error{"write " + path + " failed", "run as root, or with CAP_NET_ADMIN"};
  found_.emplace_back(path, *before);
  return {};
}

}  // namespace astil::agent
