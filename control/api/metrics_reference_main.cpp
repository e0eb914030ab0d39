// Prints docs/metrics.md.
#include <iostream>

#include "control/api/metrics.hpp"

int main() { std::cout << astil::api::metrics_reference(); }
