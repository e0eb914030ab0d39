// Where the files of the API over the network are.
#pragma once

#include <string>

namespace astil::api {

struct CredentialFiles {
  std::string certificate;  ///< PEM: the server's, then those that signed it
  std::string key;          ///< PEM, not readable by all
  std::string tokens;
};

}  // namespace astil::api
