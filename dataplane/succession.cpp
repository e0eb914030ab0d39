#include "dataplane/succession.hpp"

#include <algorithm>
#include <iterator>

#include "dataplane/publisher.hpp"

namespace astil::dataplane {

Succession::Succession(const Tables& from, Dataplane& to)
    : from_(from),
      to_(to),
      new_(to.tables()),
      old_choose_(from_, core::kOld),
      new_choose_(new_, core::kNew),
      flows_(from_, new_),
      ports_(from_, new_) {}

Result<std::unique_ptr<Succession>> Succession::begin(Dataplane& from, Dataplane& to) {
  auto begun = begin(from.tables(), to);
  if (begun.has_error()) return begun.error();
  from.wait_for_readers();
  (*begun)->flows_.carry(to.tick());
  (*begun)->carry_ports();
  return begun;
}

Result<std::unique_ptr<Succession>> Succession::begin(const Tables& from, Dataplane& to) {
  const core::Settings& theirs = from.settings();
  std::copy(std::begin(theirs.hash_key), std::end(theirs.hash_key), to.tables().settings().hash_key);
  if (from.active() != core::kNoGeneration) {
    Publisher publisher(to);
    if (auto published = publisher.publish(read_state(from)); published.has_error())
      return published.error().within("carry services to new tables");
  }
  std::unique_ptr<Succession> begun(new Succession(from, to));
  begun->flows_.carry(to.tick());
  begun->carry_ports();
  return begun;
}

Carried Succession::finish() {
  flows_.carry(to_.tick());
  carry_ports();
  carry_counters(from_, new_);
  return flows_.carried();
}

}  // namespace astil::dataplane
