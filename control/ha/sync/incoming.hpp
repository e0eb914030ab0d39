// What the peer tells, written into this node's tables by the rules by which flows are carried to other tables
// (dataplane/carry.hpp): by compare-and-swap, and nothing that lives gives way. Of a connection that stands here
// already, the peer's word counts where packets here have not said anything since.
#pragma once

#include <cstdint>
#include <set>
#include <unordered_map>
#include <vector>

#include "control/ha/sync/known.hpp"
#include "control/ha/sync/names.hpp"
#include "control/ha/sync/wire.hpp"
#include "dataplane/native/native_engine.hpp"

namespace astil::ha::sync {

/// What became of the records that came. The names are those of the metric astil_sync_records_total.
enum class Fate : std::uint8_t {
  written,          ///< new here
  changed,          ///< was here, and is now as the peer has it
  known,            ///< was here so already
  older,            ///< packets here have said more since
  unknown_backend,  ///< this configuration has none of that name; asked for again when it has
  crowded,          ///< its places are full of what lives
  no_room,          ///< this table keeps no flows of IPv6
  conflict,         ///< its port has another connection here
  other_key,        ///< its port is not where this node would look for it: the nodes hash by other keys
  invalid,          ///< no state, or no port, that there is
  count,
};
[[nodiscard]] const char* to_string(Fate fate);

class Incoming {
 public:
  Incoming(const dataplane::Tables& tables, Known& known, const LocalNames& names);

  /// A session begins: the peer's names are new.
  void restart();
  /// The local names were read anew.
  void names_changed();

  void take_names(const Body& body);
  /// flows4, flows6, ports4, ports6. `seconds`: now, on any clock, for `wrote_since`.
  void take_records(const Body& body, std::uint32_t tick, std::uint32_t seconds);

  /// Whether clients' packets come to this node: if not, it has nothing newer to say than the peer, ages being equal.
  void set_active(bool active) { active_ = active; }

  /// Ids whose records came to nothing and would not now; they are asked for once.
  [[nodiscard]] std::vector<std::uint32_t> take_wanted();
  /// Was a record written for this backend number since then? A census that began before may have missed it.
  [[nodiscard]] bool wrote_since(std::uint32_t number, std::uint32_t seconds) const {
    return number < written_at_.size() && written_at_[number] != 0 && written_at_[number] >= seconds;
  }

  [[nodiscard]] std::uint64_t count(Fate fate) const { return fates_[static_cast<std::size_t>(fate)]; }

 private:
  struct Heard {
    NameKey key{};
    NameKind kind{};
    std::uint32_t number = LocalNames::kNone;
  };
  struct Record {
    core::FlowTuple flow;
    core::FlowEntry entry;
    core::FlowHash hash;
    std::uint32_t place = LocalNames::kNone;  ///< of the source address
    std::uint16_t port = 0;
  };
  using Engine = native::NativeEngine<>;

  template <class Rest>
  [[nodiscard]] Fate read(const Rest& rest, const core::Address* wide, core::Be32 client, std::uint32_t tick,
                          Record& record);
  [[nodiscard]] std::uint32_t number_of(Be32 id, NameKind kind);
  void keep(const Record& record, Fate fate, std::uint32_t seconds);
  [[nodiscard]] Fate write_flow(Engine& engine, const Record& record);
  [[nodiscard]] Fate write_port(Engine& engine, const Record& record);
  [[nodiscard]] bool is_news(std::size_t slot, std::uint64_t here, std::uint64_t told, std::uint32_t tick) const;
  void add(Fate fate) { ++fates_[static_cast<std::size_t>(fate)]; }

  const dataplane::Tables& tables_;
  Known& known_;
  const LocalNames& names_;
  std::unordered_map<std::uint32_t, Heard> heard_;  ///< by the peer's id
  std::set<std::uint32_t> refused_;                 ///< ids whose records came to nothing
  std::set<std::uint32_t> wanted_;
  std::vector<std::uint32_t> written_at_;  ///< by number, seconds; 0: never
  std::vector<Record> records_;
  bool active_ = true;
  std::array<std::uint64_t, static_cast<std::size_t>(Fate::count)> fates_{};
};

}  // namespace astil::ha::sync
