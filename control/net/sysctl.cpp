#include "control/net/sysctl.hpp"

#include <cerrno>
#include <fstream>

namespace astil::net {
namespace {

Result<int> read_setting(const std::string& family, const std::string& interface, const std::string& key) {
  // A path and not a dotted name: an interface may be called "eth0.5".
  const std::string path = "/proc/sys/net/" + family + "/conf/" + interface + "/" + key;
  if (interface.find('/') != std::string::npos) return Error{"no interface is called " + interface, {}};
  errno = 0;
  std::ifstream file(path);
  if (!file) return system_error("read " + path, errno);
  int value = 0;
  if (!(file >> value)) return Error{"read " + path + ": not a number", {}};
  return value;
}

}  // namespace

Result<int> sysctl_ipv4(const std::string& interface, const std::string& key) {
  return read_setting("ipv4", interface, key);
}

Result<int> sysctl_ipv6(const std::string& interface, const std::string& key) {
  return read_setting("ipv6", interface, key);
}

}  // namespace astil::net
