// The name server's sockets: options that matter to a server of names, and what the kernel says of a client.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "control/base/result.hpp"
#include "control/dns/responder.hpp"
#include "control/dns/server.hpp"
#include "dataplane/base/descriptor.hpp"

namespace astil::dns {

using base::Descriptor;

/// Bound; of TCP not blocking. A service address may not be on this host yet: it is bound all the same (IP_FREEBIND).
/// Of UDP, an unspecified address has the packets tell what they were sent to, which is what is answered from.
[[nodiscard]] Result<Descriptor> open_socket(const ListenAddress& address, Transport transport);

/// The port that a socket is bound to.
[[nodiscard]] std::uint16_t port_of(int descriptor);

[[nodiscard]] Client client_of(const sockaddr_storage& from, Transport transport);

}  // namespace astil::dns
