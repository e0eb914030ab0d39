// Why settings of keepalived's are not carried over.
#pragma once

#include <string>
#include <string_view>

namespace astil::import {

/// Of a virtual server, a real server or a check.
[[nodiscard]] std::string why_not_carried(std::string_view setting);

}  // namespace astil::import
