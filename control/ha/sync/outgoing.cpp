#include "control/ha/sync/outgoing.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "dataplane/core/ports.hpp"

namespace astil::ha::sync {
namespace {

constexpr std::uint64_t kAgeField = std::uint64_t{core::kAgeMask} << 23U;
/// An age is told again when so much of the entry's timeout has gone by since: less is not worth a datagram.
constexpr std::uint32_t kAgeShare = 4;

std::size_t class_of(std::uint64_t entry) {
  switch (core::state_of(entry)) {
    case core::FlowState::established:
    case core::FlowState::udp_stream:
      return 0;
    case core::FlowState::answered:
    case core::FlowState::closing:
    case core::FlowState::closed:
      return 1;
    default:
      return 2;
  }
}

template <class Record>
void append_record(Batch& batch, const Record& record) {
  const auto bytes = std::as_bytes(std::span(&record, 1));
  batch.records.insert(batch.records.end(), bytes.begin(), bytes.end());
  ++batch.count;
}

}  // namespace

Outgoing::Outgoing(const dataplane::Tables& tables, Known& known, const LocalNames& names)
    : tables_(tables), known_(known), names_(names), uses_(tables.sizes.backends), sources_(core::kPortSources) {}

void Outgoing::restart() {
  known_.forget();
  uses_.assign(uses_.size(), {});
  sources_.assign(sources_.size(), {});
  last_id_ = 0;
  untold_.clear();
  for (Pending& pending : pending_) pending = {};
  waiting_for_names_.clear();
  carried_.clear();
  speak_all();
}

/// Names go before there is anything to say of them: then no flow has to wait for its name.
void Outgoing::speak_all() {
  for (std::uint32_t number = 0; number < uses_.size(); ++number) (void)spoken(uses_[number], names_.use(number));
  for (std::uint32_t place = 0; place < sources_.size(); ++place) (void)spoken(sources_[place], names_.source(place));
}

/// A number that means another use now gets another id when it is next spoken of.
void Outgoing::names_changed() {
  const auto check = [](Spoken& spoken, const std::optional<Name>& name) {
    if (spoken.id != 0 && (!name || key_of(*name) != spoken.key))
      spoken = {.key = {}, .id = 0, .told = Told::no, .queued = spoken.queued};
  };
  for (std::uint32_t number = 0; number < uses_.size(); ++number) check(uses_[number], names_.use(number));
  for (std::uint32_t place = 0; place < sources_.size(); ++place) check(sources_[place], names_.source(place));
  speak_all();
}

bool Outgoing::is_to_be_told(std::uint64_t value, std::uint64_t known, std::uint32_t tick, bool port) const {
  if (value == known || core::is_claimed(core::state_of(value)) || value >> 33U == 0) return false;
  const core::Settings& settings = tables_.settings();
  const auto& timeouts = port ? settings.port_timeouts : settings.timeouts;
  if (core::state_of(value) != core::FlowState::affinity && core::is_expired(value, tick, timeouts) != 0) return false;
  if (((value ^ known) & ~kAgeField) != 0) return true;
  const std::uint32_t grown = (core::age_of(value) - core::age_of(known)) & core::kAgeMask;
  return grown * kAgeShare >= timeouts[core::state_number(value)];
}

void Outgoing::walk(std::uint32_t tick) {
  ++counts_.walks;
  for (Pending& pending : pending_) pending = {};
  waiting_for_names_.clear();
  const auto look = [&](std::span<core::FlowLine> lines, std::size_t first, bool port) {
    for (std::size_t line = 0; line < lines.size(); ++line) {
      for (std::size_t i = 0; i < core::kEntriesPerLine; ++i) {
        const std::uint64_t value = core::shared_load(lines[line].entries[i]);
        const std::size_t slot = first + line * core::kEntriesPerLine + i;
        if (value != 0 && is_to_be_told(value, known_[slot], tick, port))
          enlist(static_cast<std::uint32_t>(slot), value);
      }
    }
  };
  look(tables_.flows(), 0, false);
  if (tables_.sizes.port_sources != 0) look(tables_.ports(), known_.flows(), true);
}

std::size_t Outgoing::pending() const {
  std::size_t left = waiting_for_names_.size() + untold_.size();
  for (const Pending& pending : pending_) left += pending.left();
  return left;
}

const Outgoing::Spoken* Outgoing::spoken(Spoken& place, const std::optional<Name>& name) {
  if (!name) return nullptr;
  if (place.id == 0) {
    place.id = ++last_id_;
    place.key = key_of(*name);
    place.told = Told::no;
  }
  if (place.told == Told::yes) return &place;
  if (place.told == Told::no && !place.queued) {
    place.queued = true;
    untold_.push_back(&place);
  }
  return nullptr;
}

std::uint64_t Outgoing::carry(Carriage carriage) {
  carried_.emplace(++last_token_, std::move(carriage));
  return last_token_;
}

bool Outgoing::next_names(Batch& batch) {
  Carriage carriage;
  batch = {.kind = Kind::names, .count = 0, .records = {}, .token = 0};
  while (!untold_.empty() && batch.count < most_records(Kind::names)) {
    Spoken* spoken = untold_.back();
    untold_.pop_back();
    spoken->queued = false;
    if (spoken->id == 0) continue;  // it means nothing any more
    Name name{};
    name.id = core::be32(spoken->id);
    std::memcpy(reinterpret_cast<std::uint8_t*>(&name) + sizeof(Be32), spoken->key.data(), spoken->key.size());
    append_record(batch, name);
    spoken->told = Told::under_way;
    carriage.names.push_back(spoken);
  }
  if (batch.count == 0) return false;
  counts_.names += batch.count;
  batch.token = carry(std::move(carriage));
  return true;
}

/// None: nobody has its number, so it can not be spoken of.
std::optional<Kind> Outgoing::kind_of(std::size_t slot, std::uint64_t value) const {
  const std::uint32_t number = core::backend_of(value);
  if (number >= uses_.size() || !names_.use(number)) return std::nullopt;
  const bool ipv4 = core::is_ipv4(names_.use(number)->service);
  if (known_.is_port(slot)) return ipv4 ? Kind::ports4 : Kind::ports6;
  return ipv4 ? Kind::flows4 : Kind::flows6;
}

void Outgoing::enlist(std::uint32_t slot, std::uint64_t value) {
  const auto kind = kind_of(slot, value);
  if (!kind) return;
  const std::size_t list = static_cast<std::size_t>(*kind) - static_cast<std::size_t>(Kind::flows4);
  pending_[class_of(value) * 4 + list].slots.push_back(slot);
}

/// What is gone, has become of another kind, or has no name yet, is passed by.
void Outgoing::append(std::uint32_t slot, std::uint32_t tick, Batch& batch, Carriage& carriage) {
  const std::uint64_t value = core::shared_load(known_.entry(slot));
  const bool port = known_.is_port(slot);
  if (!is_to_be_told(value, known_[slot], tick, port) || kind_of(slot, value) != batch.kind) return;
  const std::uint32_t number = core::backend_of(value);
  const Name& use = *names_.use(number);
  const bool ipv4 = core::is_ipv4(use.service);
  const Spoken* name = spoken(uses_[number], names_.use(number));
  const std::size_t index = slot - (port ? known_.flows() : 0);
  const Spoken* source = nullptr;
  if (port) source = spoken(sources_[index >> 16U], names_.source(static_cast<std::uint32_t>(index >> 16U)));
  if (name == nullptr || (port && source == nullptr)) {
    waiting_for_names_.push_back(slot);
    return;
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  const core::FlowKey key = known_.line(slot).keys[slot % core::kEntriesPerLine];
  core::Address client = core::mapped(key.client);
  if (!ipv4) {
    const core::Address* wide = known_.client(slot);
    if (wide == nullptr) return;
    client = *wide;
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  // Another may have taken the place while its key was read; the next walk finds that one.
  const core::FlowTuple flow{.client = client,
                             .address = use.service,
                             .client_port = key.client_port,
                             .port = key.service_port,
                             .protocol = use.protocol};
  const core::Settings& settings = tables_.settings();
  const core::FlowHash hash = core::is_of_affinity(core::state_of(value))
                                  ? core::affinity_hash(flow, settings.hash_key, 0)
                                  : core::flow_hash(flow, settings.hash_key, 0);
  if (core::tag_of(core::shared_load(known_.entry(slot))) != core::tag_of(value) || hash.tag != core::tag_of(value))
    return;
  const FlowRest rest{.client_port = key.client_port,
                      .service_port = key.service_port,
                      .use = core::be32(name->id),
                      .idle = core::be16(static_cast<std::uint16_t>(core::idle_ticks(value, tick))),
                      .state = static_cast<std::uint8_t>(core::state_of(value)),
                      .reserved = 0};
  if (port) {
    const PortRest where{
        .source = core::be32(source->id), .port = core::be16(static_cast<std::uint16_t>(index)), .reserved = {}};
    if (ipv4) append_record(batch, Port4{.flow = {.client = key.client, .rest = rest}, .port = where});
    if (!ipv4) append_record(batch, Port6{.flow = {.client = client, .rest = rest}, .port = where});
    ++counts_.ports;
  } else {
    if (ipv4) append_record(batch, Flow4{.client = key.client, .rest = rest});
    if (!ipv4) append_record(batch, Flow6{.client = client, .rest = rest});
    ++counts_.flows;
  }
  known_.tell(slot, value);
  carriage.slots.push_back(slot);
}

bool Outgoing::next(std::uint32_t tick, Batch& batch) {
  if (!untold_.empty() && next_names(batch)) return true;
  for (std::size_t list = 0; list < pending_.size(); ++list) {
    Pending& pending = pending_[list];
    Carriage carriage;
    batch = {.kind = static_cast<Kind>(static_cast<std::size_t>(Kind::flows4) + list % 4),
             .count = 0,
             .records = {},
             .token = 0};
    while (pending.left() != 0 && batch.count < most_records(batch.kind)) {
      append(pending.slots[pending.next++], tick, batch, carriage);
      // Names that turn out to be missing go first: so many of them make a datagram.
      if (batch.count == 0 && untold_.size() >= most_records(Kind::names)) return next_names(batch);
    }
    if (batch.count == 0) continue;
    batch.token = carry(std::move(carriage));
    return true;
  }
  return !untold_.empty() && next_names(batch);
}

void Outgoing::acknowledged(std::uint64_t token) {
  const auto found = carried_.find(token);
  if (found == carried_.end()) return;
  bool named = false;
  for (Spoken* spoken : found->second.names) {
    if (spoken->told == Told::under_way) spoken->told = Told::yes;
    named = true;
  }
  carried_.erase(found);
  if (!named) return;
  for (const std::uint32_t slot : waiting_for_names_) enlist(slot, core::shared_load(known_.entry(slot)));
  waiting_for_names_.clear();
}

void Outgoing::lost(std::uint64_t token) {
  const auto found = carried_.find(token);
  if (found == carried_.end()) return;
  for (Spoken* spoken : found->second.names) {
    if (spoken->told != Told::under_way) continue;
    spoken->told = Told::no;
    if (!std::exchange(spoken->queued, true)) untold_.push_back(spoken);
  }
  for (const std::uint32_t slot : found->second.slots) {
    known_.forget(slot);
    enlist(slot, core::shared_load(known_.entry(slot)));
  }
  counts_.repaired += found->second.slots.size();
  carried_.erase(found);
}

void Outgoing::wanted(const std::vector<std::uint32_t>& ids) {
  std::vector<bool> again(uses_.size());
  std::vector<bool> places(sources_.size());
  bool any = false;
  const auto mark = [&](const std::vector<Spoken>& spoken, std::vector<bool>& marks) {
    for (std::size_t i = 0; i < spoken.size(); ++i) {
      if (spoken[i].id == 0 || std::find(ids.begin(), ids.end(), spoken[i].id) == ids.end()) continue;
      marks[i] = any = true;
    }
  };
  mark(uses_, again);
  mark(sources_, places);
  if (!any) return;
  for (std::size_t slot = 0; slot < known_.slots(); ++slot) {
    if (known_[slot] == 0) continue;
    const std::uint32_t number = core::backend_of(known_[slot]);
    const bool of_place = known_.is_port(slot) && places[(slot - known_.flows()) >> 16U];
    if (of_place || (number < again.size() && again[number])) known_.forget(slot);
  }
}

}  // namespace astil::ha::sync
