// What the operator has ordered of sites that names lead to: up or down, whatever their checks say. An order goes by
// the site's name and lasts until another one, over restarts of the daemon too. All orders are kept in one small file.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "control/base/aside_file.hpp"
#include "control/base/result.hpp"

namespace astil::api {
struct DnsOrdersView;
}

namespace astil::app {

class SiteOrders {
 public:
  /// Reads the file, if there is one. What can not be read is put aside, as PATH.broken, and is an error to be told.
  explicit SiteOrders(std::string path);

  /// "up", "down", or "auto" where there is no order.
  [[nodiscard]] std::string of(const std::string& site) const;

  /// An error means that the file could not be written, and that nothing has changed.
  [[nodiscard]] Result<> set(const std::string& site, const std::string& state);

  /// What was wrong with the file when it was read.
  [[nodiscard]] const std::optional<Error>& damage() const { return damage_; }

 private:
  [[nodiscard]] Result<> take(const api::DnsOrdersView& kept);

  std::string path_;
  base::AsideFile file_;
  std::map<std::string, std::string> orders_;  ///< none "auto"
  std::optional<Error> damage_;
};

}  // namespace astil::app
