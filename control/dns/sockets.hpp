// The name server's sockets: options that matter to a server of names, and addresses between Asio's and the kernel's
// form.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <utility>

#include "control/base/result.hpp"
#include "control/dns/responder.hpp"
#include "control/dns/server.hpp"

namespace astil::dns {

/// A descriptor that is closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor();
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_ = -1;
};

/// Bound and not blocking. A service address may not be on this host yet: it is bound all the same (IP_FREEBIND).
/// Of UDP, an unspecified address has the packets tell what they were sent to, which is what is answered from.
[[nodiscard]] Result<Descriptor> open_socket(const ListenAddress& address, Transport transport);

/// The port that a socket is bound to.
[[nodiscard]] std::uint16_t port_of(int descriptor);

[[nodiscard]] Client client_of(const sockaddr_storage& from, Transport transport);

}  // namespace astil::dns
