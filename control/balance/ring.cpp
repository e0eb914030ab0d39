#include "control/balance/ring.hpp"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

#include "dataplane/core/hash.hpp"
#include "dataplane/core/layout.hpp"
#include "dataplane/pool.hpp"

namespace astil::balance {
namespace {

/// A member's order of preference for slots: start, start + step, ... through all of them.
class Permutation {
 public:
  Permutation(std::uint64_t identity, std::uint32_t length) : length_(length) {
    const std::uint64_t hash = core::mixed(identity);
    next_ = static_cast<std::uint32_t>(hash % length);
    step_ = length == 1 ? 1 : static_cast<std::uint32_t>((hash >> 32U) % (length - 1) + 1);
    while (std::gcd(step_, length) != 1) ++step_;
  }
  std::uint32_t take() { return std::exchange(next_, (next_ + step_) % length_); }

 private:
  std::uint32_t length_;
  std::uint32_t next_ = 0;
  std::uint32_t step_ = 1;
};

std::uint64_t sum_of_weights(std::span<const RingMember> members) {
  return std::accumulate(members.begin(), members.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const RingMember& member) { return sum + member.weight; });
}

std::uint32_t greatest_weight(std::span<const RingMember> members) {
  std::uint32_t greatest = 0;
  for (const RingMember& member : members) greatest = std::max(greatest, member.weight);
  return greatest;
}

/// Gives every slot without an owner to a member that is due more, by turns in proportion to the weights, each taking
/// the first free slot in its own order of preference.
void fill(std::vector<std::uint16_t>& ring, std::span<const RingMember> members, std::vector<std::uint32_t> due) {
  const auto length = static_cast<std::uint32_t>(ring.size());
  const double greatest = greatest_weight(members);
  std::vector<Permutation> permutations;
  for (const RingMember& member : members) permutations.emplace_back(member.identity, length);
  // By identity: the order in which members are named must not matter.
  std::vector<std::size_t> order(members.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return members[a].identity < members[b].identity; });
  std::vector<double> credit(members.size(), 0);
  std::uint64_t left = std::accumulate(due.begin(), due.end(), std::uint64_t{0});
  while (left > 0) {
    for (const std::size_t i : order) {
      credit[i] += members[i].weight / greatest;
      for (; credit[i] >= 1 && due[i] > 0; credit[i] -= 1) {
        std::uint32_t slot = permutations[i].take();
        while (ring[slot] != kNobody) slot = permutations[i].take();
        ring[slot] = static_cast<std::uint16_t>(i);
        --due[i];
        --left;
      }
    }
  }
}

/// As `ring_length`, of weights that no table has room for as well.
std::uint64_t any_ring_length(std::span<const RingMember> members, std::uint32_t slots_per_weight) {
  std::uint32_t smallest = 0;
  for (const RingMember& member : members) {
    if (member.weight != 0) smallest = smallest == 0 ? member.weight : std::min(smallest, member.weight);
  }
  if (smallest == 0) return 0;
  return std::bit_ceil((sum_of_weights(members) * slots_per_weight + smallest - 1) / smallest);
}

/// The greatest weight that divides all; 0: all are.
std::uint64_t common_weight(std::span<const RingMember> members) {
  std::uint64_t divisor = 0;
  for (const RingMember& member : members) divisor = std::gcd(divisor, std::uint64_t{member.weight});
  return divisor;
}

std::uint64_t in_whole_lines(std::uint64_t slots) {
  return dataplane::lines_for(slots, core::kSlotsPerLine) * core::kSlotsPerLine;
}

}  // namespace

std::uint32_t ring_length(std::span<const RingMember> members, std::uint32_t slots_per_weight) {
  return static_cast<std::uint32_t>(any_ring_length(members, slots_per_weight));
}

std::uint64_t ring_room(std::span<const RingMember> members, std::uint32_t slots_per_weight) {
  return in_whole_lines(any_ring_length(members, slots_per_weight));
}

std::uint64_t wheel_room(std::span<const RingMember> members, std::uint32_t parts) {
  const std::uint64_t divisor = common_weight(members);
  if (divisor == 0) return 0;
  return in_whole_lines(std::min(parts * sum_of_weights(members) / divisor, kMaxWheel + std::uint64_t{members.size()}));
}

std::vector<std::uint32_t> slots_due(std::span<const RingMember> members, std::uint32_t length,
                                     std::span<const std::uint32_t> hold) {
  std::vector<std::uint32_t> due(members.size(), 0);
  const std::uint64_t sum = sum_of_weights(members);
  if (sum == 0) return due;
  std::vector<std::size_t> order;
  std::vector<std::uint64_t> rest(members.size(), 0);
  std::uint32_t left = length;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::uint64_t share = std::uint64_t{length} * members[i].weight;
    due[i] = static_cast<std::uint32_t>(share / sum);
    rest[i] = share % sum;
    left -= due[i];
    if (rest[i] != 0) order.push_back(i);
  }
  const auto holds_more = [&](std::size_t i) { return i < hold.size() && hold[i] > due[i]; };
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (holds_more(a) != holds_more(b)) return holds_more(a);
    if (rest[a] != rest[b]) return rest[a] > rest[b];
    return members[a].identity < members[b].identity;
  });
  for (std::size_t i = 0; i < left; ++i) ++due[order[i]];
  return due;
}

std::vector<std::uint16_t> make_ring(std::span<const RingMember> members, std::uint32_t length) {
  if (sum_of_weights(members) == 0 || length == 0) return {};
  std::vector<std::uint16_t> ring(length, kNobody);
  fill(ring, members, slots_due(members, length, {}));
  return ring;
}

PatchedRing patch_ring(std::span<const std::uint16_t> previous, std::span<const RingMember> members,
                       std::uint32_t length) {
  if (sum_of_weights(members) == 0 || length == 0) return {};
  if (previous.empty()) return {.slots = make_ring(members, length), .moved = length, .least = length};
  const std::size_t factor = length / previous.size();
  PatchedRing patched{.slots = std::vector<std::uint16_t>(length)};
  std::vector<std::vector<std::uint32_t>> held(members.size());
  std::vector<std::uint32_t> hold(members.size(), 0);
  std::uint32_t orphans = 0;
  for (std::uint32_t slot = 0; slot < length; ++slot) {
    const std::uint16_t owner = previous[slot / factor];
    patched.slots[slot] = owner;
    if (owner >= members.size()) {
      patched.slots[slot] = kNobody;
      ++orphans;
      continue;
    }
    held[owner].push_back(slot);
    ++hold[owner];
  }
  std::vector<std::uint32_t> due = slots_due(members, length, hold);
  patched.least = orphans;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (hold[i] > due[i]) {
      // Which slots an owner gives up follows from its identity: two nodes with the same ring patch it alike.
      std::sort(held[i].begin(), held[i].end(), [&](std::uint32_t a, std::uint32_t b) {
        return core::mixed(members[i].identity ^ a) < core::mixed(members[i].identity ^ b);
      });
      for (std::uint32_t k = due[i]; k < hold[i]; ++k) patched.slots[held[i][k]] = kNobody;
      patched.least += hold[i] - due[i];
      due[i] = 0;
    } else {
      due[i] -= hold[i];
    }
  }
  fill(patched.slots, members, std::move(due));
  for (std::uint32_t slot = 0; slot < length; ++slot)
    patched.moved += patched.slots[slot] != previous[slot / factor] ? 1 : 0;
  return patched;
}

PatchedRing canonical_ring(std::span<const std::uint16_t> previous, std::span<const RingMember> members,
                           std::uint32_t length) {
  PatchedRing made{.slots = make_ring(members, length)};
  if (made.slots.empty()) return made;
  made.moved = made.least = length;
  if (previous.empty()) return made;
  // Lengths are powers of two: a slot of the longer ring lies within one of the shorter.
  made.moved = 0;
  std::vector<std::uint32_t> hold(members.size(), 0);
  for (std::uint64_t slot = 0; slot < length; ++slot) {
    const std::uint16_t owner = previous[slot * previous.size() / length];
    made.moved += made.slots[slot] != owner ? 1 : 0;
    if (owner < members.size()) ++hold[owner];
  }
  const std::vector<std::uint32_t> due = slots_due(members, length, hold);
  for (std::size_t i = 0; i < members.size(); ++i) made.least -= std::min(hold[i], due[i]);
  return made;
}

std::vector<std::uint16_t> make_wheel(std::span<const RingMember> members) {
  const std::uint64_t divisor = common_weight(members);
  if (divisor == 0) return {};
  const std::uint64_t scale = std::max(divisor, (sum_of_weights(members) + kMaxWheel - 1) / kMaxWheel);
  std::vector<std::int64_t> turns;
  for (const RingMember& member : members) {
    const auto scaled = static_cast<std::int64_t>(member.weight / scale);
    turns.push_back(member.weight == 0 ? 0 : std::max<std::int64_t>(scaled, 1));
  }
  const std::int64_t sum = std::accumulate(turns.begin(), turns.end(), std::int64_t{0});
  // Smooth weighted round-robin: everyone earns its turns, the richest pays for the one it takes.
  std::vector<std::int64_t> credit(members.size(), 0);
  std::vector<std::uint16_t> wheel;
  for (std::int64_t turn = 0; turn < sum; ++turn) {
    for (std::size_t i = 0; i < members.size(); ++i) credit[i] += turns[i];
    const auto richest = std::max_element(credit.begin(), credit.end()) - credit.begin();
    credit[static_cast<std::size_t>(richest)] -= sum;
    wheel.push_back(static_cast<std::uint16_t>(richest));
  }
  return wheel;
}

}  // namespace astil::balance
