// Prints the API's document: docs/openapi.json.
#include <iostream>

#include "control/api/openapi.hpp"

int main() { std::cout << astil::api::openapi_document(); }
