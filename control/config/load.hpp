// From a YAML text to the typed model, strictly: the model is complete and sound, or every mistake is reported at once.
// What may stand in the file is declared in control/config/keys.hpp.
#pragma once

#include <boost/system/result.hpp>
#include <string>
#include <string_view>

#include "control/config/diagnostic.hpp"
#include "control/config/model.hpp"

namespace astil::config {

using LoadResult = boost::system::result<Model, Diagnostics>;

/// Texts above this size are refused before they are parsed, in bytes. 16,384 backends take about 2 MB.
inline constexpr std::size_t kMaxFileSize = 8U << 20U;

/// `file_name` is what the diagnostics call the text.
[[nodiscard]] LoadResult load(std::string_view text, std::string file_name);

/// Reads the file, then as load(). A file that can not be read is a diagnostic without a line. `text`, where it is
/// given, gets what the file holds.
[[nodiscard]] LoadResult load_file(const std::string& path, std::string* text = nullptr);

}  // namespace astil::config
