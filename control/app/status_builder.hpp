// What `astil status` and the metrics show, gathered from the daemon's parts.
#pragma once

#include <unordered_map>
#include <vector>

#include "control/app/daemon.hpp"

namespace astil::app {

/// "up", "no carrier", "down", "missing".
[[nodiscard]] std::string link_state(const std::optional<net::Link>& link);

class StatusBuilder {
 public:
  explicit StatusBuilder(const Daemon& daemon);

  [[nodiscard]] api::StatusView build();

 private:
  void add_interfaces();
  void add_tables();
  void add_flow_events();
  void add_services();
  void add_service(std::size_t index);
  [[nodiscard]] api::BackendView backend_view(std::size_t service, std::size_t backend) const;
  [[nodiscard]] std::vector<std::uint32_t> ring_counts(std::size_t service) const;
  void set_empty_in(const std::string& service, api::BackendView& view) const;
  void add_retired(std::uint32_t service_id, api::ServiceView& view) const;
  void add_problems_of_changes();
  void add_ports();
  void add_problems();
  [[nodiscard]] api::Traffic traffic_of(std::uint32_t backend) const;
  [[nodiscard]] api::HealthView health_of(const config::Service& service, const config::Backend& backend) const;
  [[nodiscard]] api::NextHopView next_hop_of(const config::Backend& backend) const;

  const Daemon& daemon_;
  const dataplane::Tables& tables_;
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> retired_;  ///< backend numbers by service id
  api::StatusView view_;
};

}  // namespace astil::app
