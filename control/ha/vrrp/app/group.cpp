#include "control/ha/vrrp/app/group.hpp"

#include <algorithm>
#include <ctime>

#include "control/base/log.hpp"
#include "control/ha/vrrp/advert_frame.hpp"

namespace astil::ha {
namespace {

Time clock_now(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

std::set<address> hosts_of(std::span<const AddressRecord> records) {
  std::set<address> hosts;
  for (const AddressRecord& record : records) hosts.insert(to_address(record));
  return hosts;
}

}  // namespace

Time monotonic_now() { return clock_now(CLOCK_MONOTONIC); }
std::uint64_t real_now() { return static_cast<std::uint64_t>(clock_now(CLOCK_REALTIME).count()); }

Group::~Group() {
  if (has_virtual_mac() && home_ != 0) devices_.remove(home_);
}

GroupKey Group::key() const {
  return {.interface = std::string(record_.interface.view()),
          .version = record_.addresses.front().version,
          .virtual_router_id = record_.virtual_router_id,
          .virtual_mac = record_.virtual_mac != 0};
}

void Group::configure(const GroupRecord& record, const KeyRing& keys) {
  const std::set<address> before =
      std::exchange(addresses_, hosts_of(std::span(record.addresses).first(record.address_count)));
  record_ = record;
  mark_ = mark_of(std::span(record.addresses).first(record.address_count));
  keys_ = keys;
  peers_ = hosts_of(std::span(record.peers).first(record.peer_count));
  tracks_.configure(std::span(record.tracks).first(record.track_count));
  if (!active_) return;
  for (const address& host : before) {
    if (!addresses_.contains(host)) take_away(host);
  }
  bool more = false;
  for (const address& host : addresses_) {
    if (before.contains(host)) continue;
    put(host);
    more = true;
  }
  if (more) plan_.start(monotonic_now(), addresses_.size(), milliseconds(record_.announce_refresh));
}

void Group::set_link(const net::Link& link, std::uint32_t home, const address& local, AdvertSocket* adverts,
                     FrameSocket* frames) {
  ifindex_ = link.ifindex;
  if (has_virtual_mac() && home_ != home) devices_.forget(home_);
  home_ = home;
  mac_ = has_virtual_mac() ? virtual_router_mac(is_v4() ? 4 : 6, record_.virtual_router_id) : *link.mac;
  local_ = local;
  adverts_ = adverts;
  frames_ = frames;
}

void Group::lose_link() {
  adverts_ = nullptr;
  frames_ = nullptr;
}

void Group::put(const address& host) {
  if (auto added = keeper_.add(home_, host); added.has_error()) {
    ++counters_.address_errors;
    log::error("address not added",
               {{"group", record_.name.view()}, {"address", host.to_string()}, {"error", added.error().text()}});
  }
}

void Group::take_away(const address& host) {
  if (auto removed = keeper_.remove(home_, host); removed.has_error()) {
    ++counters_.address_errors;
    log::error("address not removed",
               {{"group", record_.name.view()}, {"address", host.to_string()}, {"error", removed.error().text()}});
  }
}

void Group::take_addresses() {
  active_ = true;
  if (has_virtual_mac()) devices_.bring_up(home_);
  for (const address& host : addresses_) put(host);
}

void Group::leave_addresses() {
  active_ = false;
  plan_.stop();
  for (const address& host : addresses_) take_away(host);
  if (has_virtual_mac() && home_ != 0) devices_.bring_down(home_);
}

void Group::clean() {
  if (active_ || home_ == 0) return;
  for (const address& host : addresses_) (void)keeper_.remove_ours(home_, host);
  if (has_virtual_mac()) devices_.bring_down(home_);
}

void Group::repair(const std::set<net::InterfaceAddress>& there) {
  if (!active_ || home_ == 0) return;
  for (const address& host : addresses_) {
    if (there.contains(host_address(home_, host))) continue;
    log::warning("address is gone, put back", {{"group", record_.name.view()}, {"address", host.to_string()}});
    if (has_virtual_mac()) devices_.bring_up(home_);
    put(host);
    plan_.again(monotonic_now());
  }
}

/// As the configuration has them: the order is part of the advert.
std::vector<address> Group::in_order() const {
  std::vector<address> hosts;
  for (const AddressRecord& record : std::span(record_.addresses).first(record_.address_count))
    hosts.push_back(to_address(record));
  return hosts;
}

void Group::send_advert(std::uint8_t priority) {
  if (adverts_ == nullptr) return;
  const Advert advert{.virtual_router_id = record_.virtual_router_id,
                      .priority = priority,
                      .max_interval = record_.advert_interval,
                      .addresses = in_order()};
  const ChecksumKind kind = record_.plain_checksum != 0 ? ChecksumKind::plain : ChecksumKind::with_pseudo_header;
  const auto send = [&](const address& destination) {
    std::vector<std::byte> message = build_advert(advert, local_, destination, kind);
    if (record_.authenticate != 0 && keys_.current() != nullptr)
      message = keys_.seal(message, bytes_of(local_), counter_.next(real_now()));
    const bool sent = send_to(destination, message);
    ++(sent ? counters_.adverts_sent : counters_.send_errors);
  };
  if (record_.unicast == 0) {
    send(advert_multicast(is_v4()));
  } else {
    for (const address& peer : peers_) send(peer);
  }
}

/// With the virtual router's MAC address as the source (RFC 9568 section 7.2), where it is used and the way is known. A
/// unicast peer whose own address is not known, or which is behind a router, has the kernel find it.
bool Group::send_to(const address& destination, Bytes message) {
  std::optional<net::MacAddress> station;
  if (has_virtual_mac() && frames_ != nullptr)
    station = destination.is_multicast() ? multicast_mac(destination) : devices_.station(ifindex_, destination);
  if (station) return frames_->send(advert_frame(message, local_, destination, mac_, *station)) == 0;
  return adverts_->send(message, local_, destination) == 0;
}

/// On a takeover by the plan; else the neighbours are told once more.
void Group::announce() {
  const Time now = monotonic_now();
  if (plan_.is_started()) {
    plan_.again(now);
  } else {
    plan_.start(now, addresses_.size(), milliseconds(record_.announce_refresh));
  }
  on_time(now);
}

void Group::on_time(Time now) {
  const std::vector<std::size_t> due = plan_.due(now);
  if (due.empty() || frames_ == nullptr) return;
  const std::vector<address> hosts = in_order();
  for (const std::size_t index : due) {
    if (index >= hosts.size()) continue;
    const bool sent = frames_->send(announcement_of(hosts[index], mac_)) == 0;
    ++(sent ? counters_.announcements : counters_.send_errors);
  }
}

std::optional<AdvertDrop> Group::check_code(const Received& packet) {
  const auto opened = keys_.open(packet.payload, bytes_of(packet.source));
  const auto length = advert_length(packet.payload, is_v4());
  if (opened.has_error())
    return opened.error() == KeyRing::Fault::wrong_code ? AdvertDrop::wrong_code : AdvertDrop::unauthenticated;
  if (!length || opened->bytes.size() != *length) return AdvertDrop::unauthenticated;
  if (!replays_.is_new(packet.source, opened->counter)) return AdvertDrop::replayed;
  return std::nullopt;
}

std::optional<Advert> Group::check(const Received& packet, bool is_owner) {
  const ChecksumKind kind = record_.plain_checksum != 0 ? ChecksumKind::plain : ChecksumKind::with_pseudo_header;
  auto parsed = parse_advert(packet, kind);
  std::optional<AdvertDrop> reason;
  if (const AdvertDrop* drop = std::get_if<AdvertDrop>(&parsed)) reason = *drop;
  if (!reason && record_.unicast != 0 && !peers_.contains(packet.source)) reason = AdvertDrop::foreign_sender;
  if (!reason && is_owner) reason = AdvertDrop::own_priority_255;
  if (!reason && record_.authenticate != 0) reason = check_code(packet);
  if (reason) {
    drop(*reason);
    return std::nullopt;
  }
  Advert advert = std::get<Advert>(std::move(parsed));
  // MAY be logged, and is no reason to discard (section 7.1).
  if (std::set<address>(advert.addresses.begin(), advert.addresses.end()) != addresses_) drop(AdvertDrop::addresses);
  ++counters_.adverts_received;
  counters_.peer = to_record(packet.source);
  return advert;
}

void Group::fill(GroupReport& report) const {
  report.peer = counters_.peer;
  report.adverts_sent = counters_.adverts_sent;
  report.adverts_received = counters_.adverts_received;
  report.send_errors = counters_.send_errors;
  report.announcements = counters_.announcements;
  report.address_errors = counters_.address_errors;
  report.drops = counters_.drops;
  report.failing_tracks = tracks_.failing();
}

}  // namespace astil::ha
