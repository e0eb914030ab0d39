// Boost.URL, compiled here once: Debian's headers come without its library unless a further package is installed.
#include <boost/url/src.hpp>
