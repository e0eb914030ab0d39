#include "control/ha/sync/names.hpp"

#include <cstring>
#include <map>

#include "dataplane/port_sources.hpp"

namespace astil::ha::sync {
namespace {

/// None: nobody has the number, or its service is gone.
std::optional<Name> name_of(const dataplane::Tables& tables, std::uint32_t number) {
  const core::Backend& backend = tables.backends()[number];
  const std::uint32_t id = core::shared_load(backend.service);
  const std::uint32_t active = tables.active();
  if (id >= tables.sizes.services || active == core::kNoGeneration) return std::nullopt;
  const core::Service& service = tables.services_of(active)[id];
  if (service.in_use == 0) return std::nullopt;
  return Name{.id = {},
              .kind = NameKind::use,
              .protocol = service.protocol,
              .forwarding = static_cast<std::uint8_t>(backend.forwarding),
              .reserved = 0,
              .service = service.address,
              .backend = backend.address,
              .service_port = service.port,
              .backend_port = backend.port};
}

}  // namespace

std::size_t NameKeyHash::operator()(const NameKey& key) const {
  static_assert(sizeof(NameKey) % sizeof(std::uint64_t) == 0);
  std::uint64_t hash = 0;
  for (std::size_t at = 0; at < key.size(); at += sizeof(std::uint64_t))
    hash = core::mixed(hash ^ core::load_as<std::uint64_t>(key.data() + at));
  return hash;
}

NameKey key_of(const Name& name) {
  NameKey key;
  std::memcpy(key.data(), reinterpret_cast<const std::uint8_t*>(&name) + sizeof(Be32), key.size());
  return key;
}

void LocalNames::read(const dataplane::Tables& tables) {
  numbers_.clear();
  uses_.assign(tables.sizes.backends, std::nullopt);
  for (std::uint32_t number = 0; number < tables.sizes.backends; ++number) {
    uses_[number] = name_of(tables, number);
    if (uses_[number]) numbers_.emplace(key_of(*uses_[number]), number);
  }
  for (std::uint32_t place = 0; place < core::kPortSources; ++place) {
    const core::Address& source = tables.settings().port_sources[place];
    sources_[place] = std::nullopt;
    if (dataplane::is_free(source) || place >= tables.sizes.port_sources) continue;
    sources_[place] = Name{.kind = NameKind::port_source, .service = {}, .backend = source};
    numbers_.emplace(key_of(*sources_[place]), place);
  }
}

std::uint32_t LocalNames::number_of(const NameKey& key) const {
  const auto found = numbers_.find(key);
  return found == numbers_.end() ? kNone : found->second;
}

std::uint64_t ring_digest(const dataplane::Tables& tables) {
  if (tables.active() == core::kNoGeneration) return 0;
  std::map<NameKey, const core::Service*> ordered;
  for (const core::Service& service : tables.services_of(tables.active())) {
    if (service.in_use == 0) continue;
    const Name name{.kind = NameKind::use,
                    .protocol = service.protocol,
                    .service = service.address,
                    .backend = {},
                    .service_port = service.port};
    ordered.emplace(key_of(name), &service);
  }
  std::uint64_t digest = 1;
  const auto add = [&](std::uint64_t value) { digest = core::mixed(digest ^ value) + value; };
  for (const auto& [key, service] : ordered) {
    add(NameKeyHash()(key));
    std::vector<std::uint64_t> members(service->members);
    for (std::uint32_t i = 0; i < service->members; ++i) {
      const std::uint32_t number = tables.member(*service, i);
      if (number >= tables.sizes.backends) continue;
      if (const auto name = name_of(tables, number)) members[i] = NameKeyHash()(key_of(*name));
    }
    for (std::uint32_t slot = 0; slot < service->ring.length; ++slot) {
      const std::uint16_t member = tables.ring_entry(service->ring, slot);
      if (member < members.size()) add(members[member]);
    }
  }
  return digest == 0 ? 1 : digest;
}

}  // namespace astil::ha::sync
