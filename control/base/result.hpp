// The control plane's errors are those of the data plane.
#pragma once

#include "dataplane/base/result.hpp"
