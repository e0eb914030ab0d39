// ldns, without the macros that it has for compilers which do not know bool.
#pragma once

#include <ldns/ldns.h>

#undef bool
#undef false
#undef true
