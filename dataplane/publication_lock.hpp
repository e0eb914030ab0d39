// Keeps publications apart from the short part of a census that reads the services' records: the place of a generation
// may be written again while a census, which runs in a thread of its own, reads it. Packets need no such thing: a
// publication waits for them (Dataplane::wait_for_readers). One for the process, which has one set of tables, for a
// while two.
#pragma once

#include <mutex>

namespace astil::dataplane {

/// Held for a publication, or for less than a millisecond by a census of many services.
inline std::mutex& publication_lock() {
  static std::mutex lock;
  return lock;
}

}  // namespace astil::dataplane
