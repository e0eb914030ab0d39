// What is to be told to the peer: a walk over the tables finds what it does not know, in the order of what is worth
// most, and datagrams are made of it. An entry is read again when its datagram is made, so what is sent is what is true
// then; of a lost datagram, its slots are not known any more, and that is all that there is to its repair.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "control/ha/sync/known.hpp"
#include "control/ha/sync/names.hpp"
#include "control/ha/sync/wire.hpp"

namespace astil::ha::sync {

/// Records for one datagram.
struct Batch {
  Kind kind = Kind::flows4;
  std::size_t count = 0;
  std::vector<std::byte> records;
  std::uint64_t token = 0;
};

struct OutgoingCounts {
  std::uint64_t flows = 0, ports = 0;  ///< records made
  std::uint64_t names = 0;
  std::uint64_t repaired = 0;  ///< records of lost datagrams
  std::uint64_t walks = 0;
};

class Outgoing {
 public:
  Outgoing(const dataplane::Tables& tables, Known& known, const LocalNames& names);

  /// A session begins: the peer knows nothing, and no name.
  void restart();
  /// The local names were read anew.
  void names_changed();
  /// Finds all that the peer does not know.
  void walk(std::uint32_t tick);
  /// Fills the next datagram's records; false: there is nothing that can be sent now. It must be sent, and its token
  /// comes back by `acknowledged` or `lost`.
  [[nodiscard]] bool next(std::uint32_t tick, Batch& batch);
  void acknowledged(std::uint64_t token);
  void lost(std::uint64_t token);
  /// The peer can use these names now: what it was told with them is told again by the next walk.
  void wanted(const std::vector<std::uint32_t>& ids);

  /// Found and not sent yet.
  [[nodiscard]] std::size_t pending() const;
  /// Nothing is to be sent, and the peer has acknowledged everything.
  [[nodiscard]] bool is_settled() const { return pending() == 0 && carried_.empty(); }

  [[nodiscard]] const OutgoingCounts& counts() const { return counts_; }

 private:
  /// What is sent first: what lives, then what ends or is answered, then what begins; of each class the four kinds of
  /// records.
  static constexpr std::size_t kLists = 3 * 4;
  enum class Told : std::uint8_t { no, under_way, yes };
  struct Spoken {
    NameKey key{};
    std::uint32_t id = 0;
    Told told = Told::no;
    bool queued = false;
  };
  /// A datagram that is under way: slots, or names.
  struct Carriage {
    std::vector<std::uint32_t> slots;
    std::vector<Spoken*> names;
  };
  struct Pending {
    std::vector<std::uint32_t> slots;
    std::size_t next = 0;
    [[nodiscard]] std::size_t left() const { return slots.size() - next; }
  };

  [[nodiscard]] bool is_to_be_told(std::uint64_t value, std::uint64_t known, std::uint32_t tick, bool port) const;
  /// Nullptr: the name must be told first, which is seen to.
  const Spoken* spoken(Spoken& place, const std::optional<Name>& name);
  void speak_all();
  [[nodiscard]] bool next_names(Batch& batch);
  [[nodiscard]] std::optional<Kind> kind_of(std::size_t slot, std::uint64_t value) const;
  void enlist(std::uint32_t slot, std::uint64_t value);
  void append(std::uint32_t slot, std::uint32_t tick, Batch& batch, Carriage& carriage);
  std::uint64_t carry(Carriage carriage);

  const dataplane::Tables& tables_;
  Known& known_;
  const LocalNames& names_;
  std::vector<Spoken> uses_;  ///< by backend number
  std::vector<Spoken> sources_;
  std::uint32_t last_id_ = 0;
  std::vector<Spoken*> untold_;
  std::array<Pending, kLists> pending_;
  std::vector<std::uint32_t> waiting_for_names_;
  std::unordered_map<std::uint64_t, Carriage> carried_;
  std::uint64_t last_token_ = 0;
  OutgoingCounts counts_;
};

}  // namespace astil::ha::sync
