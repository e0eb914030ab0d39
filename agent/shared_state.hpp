// What the agents of a host have in common: each looks after one interface, and all need the same settings and
// addresses. What somebody found before the first agent changed it stands in a file, which every agent that needs the
// change locks (shared). A lock goes with its process, however that ends; the file stays until the last agent has put
// back what it says. So an agent that was killed leaves nothing that the next one does not know how to undo.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/result.hpp"

namespace astil::agent {

class SharedState {
 public:
  /// Makes the folder. `scope`: only agents of the same one have something in common; see `network_namespace`.
  static Result<SharedState> open(const std::filesystem::path& folder, std::uint64_t scope);

  /// While it lives, no other agent holds anything anew or lets go. It must not outlive the state.
  class Turn {
   public:
    /// What was there before any agent's change; none: no agent has changed it.
    [[nodiscard]] std::optional<std::string> found(const std::string& name) const;
    /// `found` (not empty) counts for the first only. To be called before the change is made.
    [[nodiscard]] Result<void> hold(const std::string& name, const std::string& found);
    /// Calls `put_back` with what was found, where no other agent holds it. Nothing where this one does not.
    void let_go(const std::string& name, const std::function<void(const std::string& found)>& put_back);

   private:
    friend class SharedState;
    Turn(SharedState& state, base::Descriptor lock) : state_(&state), lock_(std::move(lock)) {}

    SharedState* state_;
    base::Descriptor lock_;
  };
  /// Waits for the others' turns, which are short.
  [[nodiscard]] Result<Turn> turn();

 private:
  SharedState(std::filesystem::path folder, std::uint64_t scope) : folder_(std::move(folder)), scope_(scope) {}
  [[nodiscard]] std::filesystem::path file_of(const std::string& name) const;

  std::filesystem::path folder_;
  std::uint64_t scope_;
  std::map<std::string, base::Descriptor> held_;
};

/// This process' network namespace: a number that the kernel gives to no other before it boots again.
[[nodiscard]] Result<std::uint64_t> network_namespace();

}  // namespace astil::agent
