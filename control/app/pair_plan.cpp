#include "control/app/pair_plan.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "dataplane/base/descriptor.hpp"

namespace astil::app {
namespace {

constexpr std::size_t kKeyDigits = 64;

std::uint32_t count(config::Milliseconds time) { return static_cast<std::uint32_t>(time.count()); }

ha::AddressRecord to_record(const config::address& host) {
  ha::AddressRecord record;
  record.version = host.is_v4() ? 4 : 6;
  if (host.is_v4()) {
    std::ranges::copy(host.to_v4().to_bytes(), record.bytes.begin());
  } else {
    std::ranges::copy(host.to_v6().to_bytes(), record.bytes.begin());
  }
  return record;
}

int digit_of(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return -1;
}

ha::GroupRecord plan_group(const config::VrrpGroup& group, const std::set<config::address>& without) {
  ha::GroupRecord record{.name = ha::Name(group.name),
                         .sync_group = ha::Name(group.sync_group.value_or("")),
                         .interface = ha::InterfaceName(group.interface.value_or("")),
                         .virtual_router_id = group.virtual_router_id,
                         .priority = group.priority};
  record.preempt = group.preempt ? 1 : 0;
  record.unicast = group.adverts == config::AdvertPath::unicast ? 1 : 0;
  record.plain_checksum = group.checksum == config::VrrpChecksum::plain ? 1 : 0;
  record.virtual_mac = group.virtual_mac ? 1 : 0;
  record.authenticate = group.authenticate ? 1 : 0;
  record.advert_interval = static_cast<std::uint16_t>(group.advert_interval.count() / 10);
  record.preempt_delay = count(group.preempt_delay);
  record.announce_refresh = count(group.announce_refresh);
  // RFC 9568, section 5.2.9: the link-local one is first.
  std::vector<config::address> hosts;
  if (group.link_local) hosts.push_back(*group.link_local);
  std::ranges::copy_if(group.addresses, std::back_inserter(hosts),
                       [&](const config::address& host) { return !without.contains(host); });
  if (group.link_local && hosts.size() == 1) hosts.clear();  // not alone
  for (const config::address& host : hosts) record.addresses[record.address_count++] = to_record(host);
  for (const config::address& host : group.peers) record.peers[record.peer_count++] = to_record(host);
  for (const config::Track& track : group.track) {
    record.tracks[record.track_count++] = {
        .name = ha::Name(track.name), .interface = ha::InterfaceName(track.interface), .subtract = track.subtract};
  }
  return record;
}

}  // namespace

Result<ha::KeyRecord> read_key(const std::string& path) {
  const base::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return system_error("key file " + path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return system_error("key file " + path, errno);
  if ((status.st_mode & 077U) != 0)
    return Error{"others than its owner can read the key file " + path, "chmod 600 " + path};
  std::array<char, kKeyDigits + 2> text{};
  const ssize_t length = ::read(file.get(), text.data(), text.size());
  const bool is_sized = length == kKeyDigits || (length == kKeyDigits + 1 && text[kKeyDigits] == '\n');
  ha::KeyRecord record{.present = 1};
  for (std::size_t i = 0; i < record.secret.size(); ++i) {
    const int high = digit_of(text[2 * i]);
    const int low = digit_of(text[2 * i + 1]);
    if (!is_sized || high < 0 || low < 0)
      return Error{"the key file " + path + " has not 64 hexadecimal digits", "make it with 'openssl rand -hex 32'"};
    record.secret[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return record;
}

Result<PairKeys> read_keys(const config::Ha& ha) {
  PairKeys keys;
  for (const auto& [path, record] :
       {std::pair(&ha.key_file, &keys.current), std::pair(&ha.previous_key_file, &keys.previous)}) {
    if (!*path) continue;
    auto key = read_key(**path);
    if (key.has_error()) return key.error();
    *record = *key;
  }
  return keys;
}

ha::Configuration plan_pair(const config::Ha& ha, const PairKeys& keys, const std::set<config::address>& without) {
  ha::Configuration plan;
  ha::SettingsRecord& settings = plan.settings;
  settings.node = ha::Name(ha.node);
  settings.hold = count(ha.hold);
  settings.startup_hold = count(ha.startup_hold);
  settings.takeover_limit = count(ha.takeover_limit);
  if (ha.heartbeat) {
    settings.heartbeat_interval = count(ha.heartbeat->interval);
    settings.heartbeat_port = ha.heartbeat->port;
    settings.heartbeat_lost_after = ha.heartbeat->lost_after;
  }
  settings.key = keys.current;
  settings.previous_key = keys.previous;
  for (const config::VrrpGroup& group : ha.groups) {
    ha::GroupRecord record = plan_group(group, without);
    if (record.address_count != 0) plan.groups.push_back(record);
  }
  for (const config::PairPath& path : ha.paths)
    plan.paths.push_back({.name = ha::Name(path.name), .local = to_record(path.local), .peer = to_record(path.peer)});
  settings.groups = static_cast<std::uint32_t>(plan.groups.size());
  settings.paths = static_cast<std::uint32_t>(plan.paths.size());
  return plan;
}

std::set<config::address> moving_addresses(const config::Model& model) {
  std::set<config::address> moving;
  if (!model.ha) return moving;
  for (const config::VrrpGroup& group : model.ha->groups) {
    moving.insert(group.addresses.begin(), group.addresses.end());
    if (group.link_local) moving.insert(*group.link_local);
  }
  return moving;
}

config::address from_record(const ha::AddressRecord& record) {
  if (record.version == 4) {
    boost::asio::ip::address_v4::bytes_type bytes{};
    std::copy_n(record.bytes.begin(), bytes.size(), bytes.begin());
    return boost::asio::ip::address_v4(bytes);
  }
  return boost::asio::ip::address_v6(record.bytes);
}

}  // namespace astil::app
