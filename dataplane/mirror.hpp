// A copy of what the control plane has written to the tables, by which it finds and undoes what somebody else has
// written there since ('bpftool map update', a stray write). Only tables that nobody else writes, and of them only
// what packets can meet: the generation in use, the records and lines that it names.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "dataplane/repair.hpp"
#include "dataplane/tables.hpp"

namespace astil::dataplane {

class Mirror {
 public:
  /// Knows nothing yet, so finds nothing changed. The memory of `tables` must outlive it.
  explicit Mirror(const Tables& tables) : tables_(tables) {}

  /// What the tables hold now is what they shall hold. To be called after each change that the control plane makes.
  void take();
  /// Writes back what is not as it was at `take`, word by word: every word is as it was at once, for packets under way
  /// too. One report for each table.
  std::vector<Repair> restore();

 private:
  struct Part {
    TableId table;
    std::size_t offset;  ///< in the table, bytes
    std::size_t bytes;
    std::size_t copy;  ///< offset in `copy_`
  };
  void add(TableId table, std::size_t offset, std::size_t bytes);
  template <class Record>
  void add_records(TableId table, std::size_t first, std::size_t count);

  Tables tables_;
  std::vector<Part> parts_;
  std::vector<std::byte> copy_;
};

}  // namespace astil::dataplane
