#include "dataplane/service_index.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <tuple>

namespace astil::dataplane {
namespace {

auto place_of(const IndexKey& key) {
  return std::tuple(std::to_array(key.address.words), key.port, key.protocol, key.kind);
}
bool same_place(const IndexKey& a, const IndexKey& b) { return place_of(a) == place_of(b); }
bool stands_before(const IndexKey& a, const IndexKey& b) { return place_of(a) < place_of(b); }

std::uint64_t number_of(const IndexKey& key) { return core::index_key(key.address, key.port, key.protocol, key.kind); }

std::string text_of(const core::Address& address, core::Be16 port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool ipv4 = core::is_ipv4(address);
  const void* bytes = ipv4 ? static_cast<const void*>(&address.words[3]) : &address;
  ::inet_ntop(ipv4 ? AF_INET : AF_INET6, bytes, text.data(), text.size());
  const std::string host_text = ipv4 ? std::string(text.data()) : "[" + std::string(text.data()) + "]";
  return host_text + ":" + (port == core::kAnyPort ? "any" : std::to_string(host(port)));
}

Error taken_twice(const IndexKey& key) {
  const std::string place = text_of(key.address, key.port);
  if (key.kind == core::IndexKind::service) return {"two services have the address " + place, {}};
  return {"the backend " + place + " is wanted by one nat service while another one has it, or still has flows there",
          "wait until those flows have ended, or give the backend another port for the new service"};
}

std::uint32_t holds_of(const IndexKey& key) {
  if (key.kind == core::IndexKind::closed_address) return core::kHoldsClosed;
  if (key.port != core::kAnyPort) return 0;
  if (key.kind == core::IndexKind::reply) return core::kHoldsAnyPortReplies;
  const bool of_service = key.kind == core::IndexKind::service || key.kind == core::IndexKind::full_nat;
  return of_service ? core::kHoldsAnyPort : 0U;
}

core::Listed listed_as(core::IndexKind kind) {
  switch (kind) {
    case core::IndexKind::service:
    case core::IndexKind::service_address:
      return core::kListedService;
    case core::IndexKind::reply:
    case core::IndexKind::reply_address:
      return core::kListedReplier;
    case core::IndexKind::port_source:
      return core::kListedPortSource;
    case core::IndexKind::full_nat:
      return core::kListedFullNat;
    case core::IndexKind::closed_address:
      return core::kListedClosed;
  }
  return core::kListedService;
}

}  // namespace

bool ServiceIndex::fill(const std::vector<IndexKey>& keys, std::uint32_t lines, std::uint32_t seed) {
  lines_.assign(lines, {});
  for (const IndexKey& key : keys) {
    const core::IndexHash hash = core::index_hash(number_of(key), seed);
    core::IndexLine& line = lines_[hash.line & (lines - 1)];
    std::uint32_t place = 0;
    while (place < core::kEntriesPerLine && line.entries[place].tag != 0) {
      if (line.entries[place].tag == hash.tag) return false;
      ++place;
    }
    if (place == core::kEntriesPerLine) return false;
    line.entries[place] = {.tag = hash.tag, .reference = key.reference};
  }
  generation_.index_mask = lines - 1;
  generation_.seed = seed;
  return true;
}

std::uint32_t ServiceIndex::lines_for(std::size_t keys) {
  return static_cast<std::uint32_t>(std::bit_ceil(std::max<std::size_t>(keys, 8)));
}

Result<ServiceIndex> ServiceIndex::build(std::vector<IndexKey> keys, std::uint32_t max_lines) {
  constexpr std::uint32_t kSeeds = 64;
  std::sort(keys.begin(), keys.end(), stands_before);
  const auto twice = std::adjacent_find(keys.begin(), keys.end(), same_place);
  if (twice != keys.end()) return taken_twice(*twice);
  ServiceIndex index;
  for (const IndexKey& key : keys) {
    index.filter_[core::filter_place(key.address)] |= listed_as(key.kind);
    if (key.kind == core::IndexKind::full_nat)
      index.filter_[core::filter_place(number_of(key))] |= core::kListedFullNatPort;
    index.holds_ |= holds_of(key);
  }
  for (std::uint32_t lines = std::min(lines_for(keys.size()), max_lines); lines <= max_lines; lines *= 2) {
    for (std::uint32_t seed = 0; seed < kSeeds; ++seed) {
      if (index.fill(keys, lines, seed)) return index;
    }
  }
  return Error{
      "the service index is full: " + std::to_string(keys.size()) + " keys in " + std::to_string(max_lines) + " lines",
      "raise dataplane.tables.services or dataplane.tables.backends"};
}

bool ServiceIndex::matches(const Tables& tables, std::uint32_t generation) const {
  return std::memcmp(&tables.settings().generations[generation], &generation_, sizeof(generation_)) == 0 &&
         std::memcmp(tables.index_of(generation).data(), lines_.data(), lines_.size() * sizeof(core::IndexLine)) == 0;
}

void ServiceIndex::write(const Tables& tables, std::uint32_t generation) const {
  std::memcpy(tables.index_of(generation).data(), lines_.data(), lines_.size() * sizeof(core::IndexLine));
  tables.settings().generations[generation] = generation_;
}

}  // namespace astil::dataplane
