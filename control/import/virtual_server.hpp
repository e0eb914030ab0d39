// A virtual server of keepalived's as a service of ours.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/import/checkers.hpp"
#include "control/import/method.hpp"
#include "control/import/statements.hpp"

namespace astil::import {

class VirtualServer {
 public:
  VirtualServer(const Statement& statement, Draft& draft) : statement_(statement), draft_(draft) {}

  /// The service without its address and port; none: it can not be one, and a finding says why.
  std::optional<config::Service> run(config::Port port);

 private:
  void take_settings();
  bool take_known(const Statement& statement);
  bool take_affinity(const Statement& statement);
  void take_scheduler(const Statement& statement);
  void take_protocol(const Statement& statement);
  [[nodiscard]] std::optional<Method> method_of(const Statement& statement);
  void take_backend(const Statement& statement);
  void take_backend_setting(const Statement& statement, config::Backend& backend, std::optional<Method>& method,
                            CheckSettings& settings);
  void take_sorry_server(const Statement& statement);
  [[nodiscard]] bool stands_before(const config::Backend& backend) const;
  void take_port(const Statement& statement, config::Backend& backend);
  void take_weight(const Statement& statement, config::Backend& backend);
  void take_check(const Statement& statement, const std::optional<config::HealthCheck>& check);
  void settle();
  void settle_health();
  void settle_weights();
  void note(const Statement& statement, std::string why) {
    draft_.add_finding(statement.origin, statement.text(), std::move(why));
  }

  const Statement& statement_;
  Draft& draft_;
  config::Service service_;
  CheckSettings checks_;
  std::optional<Method> method_;  ///< of the virtual server; none: as the first backend
  bool by_weight_ = true;
  bool possible_ = true;
  bool mixed_checks_ = false;
};

}  // namespace astil::import
