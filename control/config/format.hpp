// A configuration in its canonical form: two blanks a level, what was written as one line stays one where it fits,
// text in double quotes where it was quoted. Order, comments and single blank lines stay. It is for people and their
// version control; the daemon does not care.
#pragma once

#include <boost/system/result.hpp>
#include <string>
#include <string_view>

#include "control/config/diagnostic.hpp"

namespace astil::config {

/// An error where the text is not YAML of the loader's kind, or has block scalars (| and >); it need not be a right
/// configuration. The result holds the same as the text did, and is its own canonical form.
[[nodiscard]] boost::system::result<std::string, Diagnostics> format(std::string_view text,
                                                                     const std::string& file_name);

}  // namespace astil::config
