// A client's TCP socket, not blocking, and opening it from a chosen address and port.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <string>
#include <utility>

#include "dataplane/base/descriptor.hpp"
#include "tests/lab/client/options.hpp"

namespace astil::lab {

using base::Descriptor;
using Endpoint = boost::asio::ip::tcp::endpoint;

/// The sources of connections, each address and port once before any comes again.
class Sources {
 public:
  explicit Sources(const Options& options) : options_(options) {}

  /// A socket on its way to `options.to`; an error of errno where none of the next sources can be used.
  [[nodiscard]] std::pair<Descriptor, int> open_next();

 private:
  [[nodiscard]] Endpoint next();

  const Options& options_;
  std::uint64_t taken_ = 0;
};

/// "10.1.0.10:1024" or "[2001:db8:1::10]:1024", the socket's own end.
[[nodiscard]] std::string local_name(const Descriptor& socket);

}  // namespace astil::lab
