// The name server as the daemon has it: made from the configuration, and made to follow another one.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "control/api/dns_view.hpp"
#include "control/base/result.hpp"
#include "control/config/model.hpp"
#include "control/dns/server.hpp"

namespace astil::app {

class NameServer {
 public:
  /// Zones with what their files hold. Error: a file can not be read, or a zone is not whole with it.
  [[nodiscard]] static Result<std::shared_ptr<const dns::Zones>> read(const config::Dns& wanted);

  /// Serves this from now on; none: nothing. An error leaves all as it was. Where ports, workers or limits are others,
  /// queries that wait at the old sockets are lost.
  [[nodiscard]] Result<> follow(const std::optional<config::Dns>& wanted);

  [[nodiscard]] std::optional<api::DnsView> view() const;

 private:
  [[nodiscard]] std::uint64_t count(dns::Counter counter) const;
  void retire();

  std::unique_ptr<dns::Server> server_;
  std::shared_ptr<const dns::Zones> zones_;
  std::array<std::uint64_t, dns::kCounters> retired_{};  ///< what earlier servers counted
};

}  // namespace astil::app
