// The services and backends of a model beside their places in the file, for the checks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/config/model.hpp"
#include "control/config/source.hpp"
#include "control/config/tree.hpp"

namespace astil::config {

/// A part of the model with the entry of the file that it was read from.
template <class T>
struct View {
  const T* model;
  const Entry* entry;
  const Mistakes* mistakes;

  /// Whether the key is absent, so that its default holds, or was read without a mistake.
  [[nodiscard]] bool is_sound(std::string_view key) const;

  /// Whether the key is given and was read without a mistake.
  [[nodiscard]] bool has_value(std::string_view key) const;

  /// Where the key's value stands; the entry itself where the key is absent.
  [[nodiscard]] Place place_of(std::string_view key) const;
};

struct BackendView : View<Backend> {
  bool has_default_port;  ///< its service's port was given and is sound

  /// Whether its address was given, and that and the port, given or the service's, are sound.
  [[nodiscard]] bool has_endpoint() const;
  [[nodiscard]] std::string endpoint() const;
};

struct ServiceView : View<Service> {
  std::vector<BackendView> backends;

  /// Whether its address and port were given, and these and the protocol are sound.
  [[nodiscard]] bool has_endpoint() const;
  [[nodiscard]] std::string endpoint() const;

  /// Whether its port is sound, and any.
  [[nodiscard]] bool has_any_port() const { return has_value("port") && model->port == Port{0}; }

  /// `service "web"`
  [[nodiscard]] std::string name() const;
};

[[nodiscard]] std::vector<ServiceView> views_of(const Model& model, const Node& root, const Mistakes& mistakes);

[[nodiscard]] bool is_sound_or_absent(const Entry* entry, const Mistakes& mistakes);

/// ` (line 12)`
[[nodiscard]] std::string line_of(Place place);

}  // namespace astil::config
