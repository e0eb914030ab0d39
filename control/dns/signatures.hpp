// Signatures that a worker has made, so that each variant of an answer is signed once and not with every query: an
// ECDSA signature costs about ten times what the rest of a query does. What was not asked for since the room was filled
// twice over is forgotten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/dns/counters.hpp"
#include "control/dns/signer.hpp"

namespace astil::dns {

/// Where an owner's name comes from. What clients make up has room of its own, so that it drives nothing else out.
enum class OwnerKind { of_zone, of_client };

class Signatures {
 public:
  static constexpr std::size_t kRoom = 8192;

  /// Of each kind at least so many stay, and at most twice so many.
  explicit Signatures(std::size_t room = kRoom) : most_(room) {}

  /// RRSIG data; null: they can not be made. They stay until the next call. `now` is in seconds since 1970.
  [[nodiscard]] const std::vector<std::string>* of(const Signer& signer, const SetToSign& set, OwnerKind kind,
                                                   std::uint32_t now, Counters& counters);

 private:
  struct Entry {
    std::vector<std::string> data;
    std::uint32_t made = 0;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  using Map = std::unordered_map<std::string, Entry, Hash, std::equal_to<>>;
  struct Room {
    Map recent;
    Map before;
  };

  Entry& entry_of(Room& room, const std::string& key);

  std::size_t most_;
  Room of_zone_;
  Room of_client_;
  std::string key_;  ///< of the set at hand
};

}  // namespace astil::dns
