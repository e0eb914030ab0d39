// The API's HTTP server: all routes on a Unix socket, and where the configuration asks for it those of Access::metrics
// on TCP (Prometheus scrapes there) and all by TLS for those who show a token. It runs on the daemon's loop;
// control/api/routes.hpp says what is answered.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/api/credential_files.hpp"
#include "control/api/view.hpp"
#include "control/base/result.hpp"
#include "control/config/load.hpp"

namespace astil::api {

/// Where the API is asked over the network.
struct RemoteOptions {
  Endpoint endpoint;
  CredentialFiles files;
};

struct ServerOptions {
  std::string socket;           ///< path of the Unix socket, mode 0660; its folder is made if missing
  std::optional<Endpoint> tcp;  ///< for Access::metrics; port 0: any free one
  std::optional<RemoteOptions> remote;
  std::size_t header_limit = 8 * 1024;
  std::size_t body_limit = config::kMaxFileSize;  ///< of the Unix socket and of operators; others have no body
  std::size_t requests_of_connection = 1000;      ///< after which it is closed
  /// Of each listener. For one more, that which has waited the longest without a request is closed; where all are at
  /// work, it waits.
  std::size_t max_connections = 64;
  std::chrono::milliseconds request_timeout{5000};  ///< for a whole request to arrive, and for its answer to be taken
  std::chrono::milliseconds listen_interval{1000};  ///< between looks at the listeners, and attempts of those that fail
};

class Server {
 public:
  /// Listens. A socket file that nobody answers at is replaced; one of a live daemon is an error. Where it can not
  /// listen at a TCP endpoint, or read the files for it, it says so and tries again; likewise where somebody removes
  /// the socket's file later. `daemon` and `loop` must outlive the server.
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(boost::asio::io_context& loop, Daemon& daemon,
                                                             const ServerOptions& options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// Closes every connection and removes the socket file, if it is still this server's.
  ~Server();

  /// Where TCP listens, with the port that was chosen; none without TCP.
  [[nodiscard]] std::optional<Endpoint> tcp_endpoint() const;
  /// Where TLS does, likewise.
  [[nodiscard]] std::optional<Endpoint> remote_endpoint() const;
  /// The Unix socket, and the TCP endpoints where they were asked for.
  [[nodiscard]] std::vector<ListenerView> listeners() const;
  [[nodiscard]] ApiView view() const;

 private:
  class Impl;
  explicit Server(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace astil::api
