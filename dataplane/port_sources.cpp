#include "dataplane/port_sources.hpp"

#include <algorithm>
#include <cstring>

#include "dataplane/core/hash.hpp"

namespace astil::dataplane {
namespace {

std::uint64_t draw(const core::Address& address, std::uint64_t place) {
  std::uint64_t hash = core::mixed(place + 1);
  for (const core::Be32 word : address.words) hash = core::mixed(hash ^ raw(word));
  return hash;
}

std::uint8_t highest_draw(const PortSources::Addresses& addresses, bool ipv4, std::uint64_t place) {
  std::uint8_t best = core::kNoSource;
  std::uint64_t highest = 0;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (is_free(addresses[i]) || core::is_ipv4(addresses[i]) != ipv4) continue;
    const std::uint64_t drawn = draw(addresses[i], place);
    if (best != core::kNoSource && drawn <= highest) continue;
    best = static_cast<std::uint8_t>(i);
    highest = drawn;
  }
  return best;
}

}  // namespace

bool is_free(const core::Address& source) { return source == core::Address{}; }

Result<PortSources> place_port_sources(const Tables& tables, const std::vector<core::Address>& wanted) {
  PortSources sources;
  const auto& there = tables.settings().port_sources;
  std::copy(std::begin(there), std::end(there), sources.all.begin());
  const auto end = sources.all.begin() + std::min<std::size_t>(tables.sizes.port_sources, sources.all.size());
  for (const core::Address& address : wanted) {
    auto place = std::find(sources.all.begin(), end, address);
    if (place == end) place = std::find_if(sources.all.begin(), end, is_free);
    if (place == end) {
      return Error{"no place for " + std::to_string(wanted.size()) + " source addresses of full NAT: of " +
                       std::to_string(tables.sizes.port_sources) + " places, some have connections of earlier ones",
                   "wait until these have ended, or name fewer in full_nat.sources"};
    }
    *place = address;
    sources.wanted[static_cast<std::size_t>(place - sources.all.begin())] = address;
  }
  return sources;
}

PortPools pools_over(const PortSources::Addresses& addresses) {
  PortPools pools;
  for (std::size_t version = 0; version < pools.size(); ++version) {
    for (std::size_t place = 0; place < core::kPoolPlaces; ++place)
      pools[version][place] = highest_draw(addresses, version == 0, place);
  }
  return pools;
}

bool has_pools(const Tables& tables) {
  const auto& pools = tables.settings().pools;
  return pools[0][0] != core::kNoSource || pools[1][0] != core::kNoSource;  // each is whole or empty
}

void write_pools(Dataplane& engine, PortSources& sources) {
  if (sources.pooled == sources.wanted) return;
  sources.pooled = sources.wanted;
  core::Settings& settings = engine.tables().settings();
  const PortPools wanted = pools_over(sources.wanted);
  if (std::memcmp(settings.pools, wanted.data(), sizeof(settings.pools)) == 0) return;
  std::uint64_t strays = 0;
  for (std::uint32_t place = 0; place < core::kPortSources; ++place)
    strays |= std::uint64_t{is_free(sources.all[place]) ? 0U : 1U} << place;
  __atomic_store_n(&settings.strays, strays, __ATOMIC_RELEASE);
  engine.wait_for_readers();
  for (std::size_t version = 0; version < wanted.size(); ++version) {
    for (std::size_t i = 0; i < core::kPoolPlaces; ++i)
      __atomic_store_n(&settings.pools[version][i], wanted[version][i], __ATOMIC_RELAXED);
  }
  engine.wait_for_readers();  // nobody takes a port by the pools of before any more: a census can tell who strays
}

std::size_t settle_port_sources(const Tables& tables, PortSources& sources, const PortCount& ports) {
  core::Settings& settings = tables.settings();
  __atomic_store_n(&settings.strays, ports.strays, __ATOMIC_RELAXED);
  std::size_t given_back = 0;
  for (std::size_t place = 0; place < core::kPortSources; ++place) {
    if (is_free(sources.all[place]) || !is_free(sources.wanted[place]) || ports.used[place] != 0) continue;
    sources.all[place] = {};
    settings.port_sources[place] = {};  // its key stays in the index until the next publication, and is no one's now
    ++given_back;
  }
  return given_back;
}

}  // namespace astil::dataplane
