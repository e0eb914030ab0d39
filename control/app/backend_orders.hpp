// What the operator has ordered of single backends, beside the configuration: drain, maintenance. An order goes by the
// names of service and backend and lasts until another one: over restarts of the daemon, and while the configuration
// does not have the backend. All orders are kept in one small file.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/api/view.hpp"
#include "control/base/aside_file.hpp"
#include "control/base/result.hpp"

namespace astil::app {

class BackendOrders {
 public:
  struct Order {
    api::AdminState state = api::AdminState::active;
    api::TimePoint since;
  };
  using Key = std::pair<std::string, std::string>;  ///< service, backend

  /// Reads the file, if there is one. What can not be read is put aside, as PATH.broken, and is an error to be told;
  /// then there are no orders.
  explicit BackendOrders(std::string path);

  /// `active` since whenever, where there is none.
  [[nodiscard]] Order of(const std::string& service, const std::string& backend) const;
  [[nodiscard]] api::AdminState state(const std::string& service, const std::string& backend) const {
    return of(service, backend).state;
  }

  /// Keeps the state of all these; an order for what it is already stays as old as it is. All or nothing: an error
  /// means that the file could not be written.
  Result<void> set(const std::vector<Key>& keys, api::AdminState state, api::TimePoint now);

  /// What was wrong with the file when it was read.
  [[nodiscard]] const std::optional<Error>& damage() const { return damage_; }

 private:
  [[nodiscard]] Result<> take(const api::OrdersView& kept);

  std::string path_;
  base::AsideFile file_;
  std::map<Key, Order> orders_;  ///< none `active`
  std::optional<Error> damage_;
};

}  // namespace astil::app
