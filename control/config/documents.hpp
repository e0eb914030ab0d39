// The two documents that follow from the declarations of keys.hpp: the JSON Schema that editors and CI use, and the
// reference page. The program astil_config_documents writes them; a test tells when they are out of date.
#pragma once

#include <string>

namespace astil::config {

/// config/astil.schema.json, draft 2020-12. It accepts whatever the loader accepts; what keys say together, and some
/// ranges, the loader alone checks.
[[nodiscard]] std::string json_schema();

/// docs/configuration.md
[[nodiscard]] std::string reference_page();

}  // namespace astil::config
