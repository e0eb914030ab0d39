// What TLS needs before a connection: the authorities that servers' certificates are verified against, read from their
// files when the checks are configured, so that no probe reads one.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <map>
#include <set>
#include <string>

#include "control/config/model.hpp"

namespace astil::health {

class TlsContexts {
 public:
  /// Of the system, where no file is named.
  static constexpr const char* kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";

  struct Entry {
    boost::asio::ssl::context context;
    std::string error;  ///< "ca /etc/x.pem: No such file or directory"; empty: it can be used
  };

  /// Reads the files of all these, and forgets all others.
  void prepare(const std::set<config::TlsTrust>& trusts);

  /// Of one that was not prepared too. It stays until the next prepare(); a connection may outlive it.
  [[nodiscard]] Entry& of(const config::TlsTrust& trust);

 private:
  std::map<config::TlsTrust, Entry> entries_;
};

}  // namespace astil::health
