// rtnetlink messages, written: every request that the control plane makes of the kernel, ready to be sent. Nothing here
// does I/O.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "control/net/types.hpp"

struct nlmsghdr;

namespace astil::net {

/// One request. Its sequence number is the socket's to set.
class Request {
 public:
  Request(std::uint16_t type, std::uint16_t flags);

  /// Room for the family's header, zeroed; before any attribute. T is one of rtnetlink's structs.
  template <class T>
  [[nodiscard]] T& add_header() {
    return *static_cast<T*>(reserve(sizeof(T)));
  }

  void add_attribute(std::uint16_t type, std::span<const std::byte> value);
  void add_attribute(std::uint16_t type, const address& value);
  void add_attribute(std::uint16_t type, std::uint32_t value);
  void add_attribute(std::uint16_t type, std::uint8_t value);

  /// With its terminating 0.
  void add_text(std::uint16_t type, const char* text);

  /// What is added until the end is given back stands within that attribute.
  [[nodiscard]] std::size_t begin_nested(std::uint16_t type);
  void end_nested(std::size_t begun);

  void set_sequence(std::uint32_t sequence);
  [[nodiscard]] std::span<const std::byte> bytes() const;

 private:
  [[nodiscard]] void* reserve(std::size_t size);
  [[nodiscard]] nlmsghdr* message();

  alignas(8) std::array<std::byte, 256> buffer_{};  // the longest, a pair of devices to be made, takes 150
};

[[nodiscard]] Request list_links();
[[nodiscard]] Request list_addresses();
[[nodiscard]] Request list_neighbours();
[[nodiscard]] Request list_routes();

[[nodiscard]] Request look_up_route(const address& destination);
[[nodiscard]] Request look_up_neighbour(const NeighbourKey& key);

/// Asks for the neighbour now and has the kernel keep it fresh from then on (NTF_EXT_MANAGED). On kernels before 5.16
/// it only asks now. Makes the entry where there is none.
[[nodiscard]] Request keep_neighbour(const NeighbourKey& key);

enum class IfAbsent { create, leave };

/// Asks for the neighbour now; an entry that was kept is kept no more.
[[nodiscard]] Request use_neighbour(const NeighbourKey& key, IfAbsent if_absent);

/// Puts an address on an interface, marked with its originator. An IPv6 one is usable within milliseconds, when a
/// thread of the kernel's has made its route (no duplicates are looked for); it has no route but its own, and is a
/// source for the machine's own connections only where it has no other that reaches as far.
[[nodiscard]] Request add_address(const InterfaceAddress& address, std::uint8_t originator = kOriginator);
[[nodiscard]] Request remove_address(const InterfaceAddress& address);

/// Of a device that was made, with all that is on it.
[[nodiscard]] Request remove_link(std::uint32_t ifindex);

}  // namespace astil::net
