// One connection's requests and answers, one after the other, over a plain stream or over TLS. What a peer sends is
// hostile until read: sizes, time and the number of requests are bounded, and over TLS nothing but a request's header
// is read of a client that has not said who it is.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>
#include <string>

#include "control/api/credentials.hpp"
#include "control/api/routes.hpp"
#include "control/api/server.hpp"
#include "control/api/stream.hpp"

namespace astil::api {

/// What all connections of a server share.
struct ServerState {
  boost::asio::io_context& loop;
  Daemon* daemon;  ///< null once the server is closed
  ServerOptions options;
  std::optional<Credentials> credentials = std::nullopt;  ///< of the network's listener
  Tally tally = {};
  std::uint64_t no_token = 0;
  std::uint64_t failed_handshakes = 0;
  std::uint64_t timed_out = 0;
};

/// What is known of a client as soon as it is connected.
struct Peer {
  Access access = Access::metrics;  ///< not of one that has to show a token
  bool shows_token = false;
  Caller by = {};
  std::string from = "socket";
};

/// Is told whenever a connection begins to wait for a request, or has one whole.
struct Progress {
  std::function<void()> waits;
  std::function<void()> works;
};

/// Serves to the connection's end. All arguments must outlive it.
[[nodiscard]] boost::asio::awaitable<void> serve(ServerState& server, PlainStream& stream, const Peer& peer,
                                                 const Progress& progress);
/// The same, the handshake first.
[[nodiscard]] boost::asio::awaitable<void> serve(ServerState& server, TlsStream& stream, const Peer& peer,
                                                 const Progress& progress);

}  // namespace astil::api
