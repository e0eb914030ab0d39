// Declarations of members for types that are not the API's own, by which they become JSON.
#pragma once

#include <boost/describe/class.hpp>

#include "control/config/diagnostic.hpp"

namespace astil::config {
BOOST_DESCRIBE_STRUCT(Diagnostic, (), (file, line, column, message, hint, source_line, caret))
}  // namespace astil::config
