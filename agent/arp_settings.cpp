#include "agent/arp_settings.hpp"

#include <cerrno>
#include <fstream>

#include "control/base/log.hpp"

namespace astil::agent {
namespace {

constexpr int kStrict = 1;
constexpr int kLoose = 2;

Result<int> read(const std::filesystem::path& path) {
  std::ifstream file(path);
  int value = 0;
  if (!(file >> value)) return system_error("read " + path.string(), errno);
  return value;
}

bool write(const std::filesystem::path& path, const std::string& value) {
  std::ofstream file(path);
  file << value << std::flush;
  return file.good();
}

}  // namespace

ArpSettings::~ArpSettings() {
  for (auto setting = raised_.rbegin(); setting != raised_.rend(); ++setting) put_back(*setting);
}

Result<void> ArpSettings::apply(const std::string& interface) {
  if (auto done = raise({"all", "arp_ignore", 1}); done.has_error()) return done.error();
  if (auto done = raise({"all", "arp_announce", 2}); done.has_error()) return done.error();
  // The kernel takes the greater of `all` and the interface's, and the loose value is the greater.
  const Setting filter{interface, "rp_filter", kLoose};
  const auto all = read(folder_ / "all" / "rp_filter");
  const auto own = read(path_of(filter));
  const bool strict = (all.has_value() && *all == kStrict) || (own.has_value() && *own == kStrict);
  // Loose already, by an agent that was killed: this one takes over what that one found.
  const bool loosened = own.has_value() && *own == kLoose;
  if (strict || loosened) return raise(filter);
  return {};
}

std::filesystem::path ArpSettings::path_of(const Setting& setting) const {
  return folder_ / setting.interface / setting.name;
}

Result<void> ArpSettings::raise(const Setting& setting) {
  auto turn = shared_.turn();
  if (turn.has_error()) return turn.error();
  const std::filesystem::path path = path_of(setting);
  const auto value = read(path);
  if (value.has_error()) return value.error();
  const std::string name = setting.name + "@" + setting.interface;
  const bool high_enough = *value >= setting.wanted;
  if (high_enough && !turn->found(name)) return {};  // the host's own choice
  if (auto held = turn->hold(name, std::to_string(*value)); held.has_error()) return held.error();
  raised_.push_back(setting);
  if (high_enough || write(path, std::to_string(setting.wanted))) return {};
  return Error{"write " + path.string() + " failed", "run as root, or with CAP_NET_ADMIN"};
}

void ArpSettings::put_back(const Setting& setting) {
  const std::filesystem::path path = path_of(setting);
  auto turn = shared_.turn();
  if (turn.has_error()) {
    log::warning("setting not put back", {{"path", path.string()}, {"error", turn.error().text()}});
    return;
  }
  turn->let_go(setting.name + "@" + setting.interface, [&](const std::string& found) {
    const auto value = read(path);
    if (value.has_error() || *value != setting.wanted) return;
    if (!write(path, found)) log::warning("setting not put back", {{"path", path.string()}, {"found", found}});
  });
}

}  // namespace astil::agent
