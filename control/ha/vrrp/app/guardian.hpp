// The addresses that are on interfaces by astil-vrrp, and the devices that it made, in memory that a second process
// shares. That one, the guardian, sleeps until astil-vrrp is gone, however it went, and removes what is there then.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "control/base/result.hpp"
#include "control/ha/channel.hpp"
#include "control/net/types.hpp"
#include "dataplane/base/descriptor.hpp"

namespace astil::ha {

class Guardian {
 public:
  static constexpr std::size_t kPlaces = kMostChannelGroups * kMostChannelAddresses;

  /// Starts the second process. To be called while there is one thread, before memory is locked.
  [[nodiscard]] static Result<std::unique_ptr<Guardian>> start();
  ~Guardian();
  Guardian(const Guardian&) = delete;
  Guardian& operator=(const Guardian&) = delete;

  /// Before the address is put there.
  void note(const net::InterfaceAddress& address);
  /// After it was removed.
  void forget(const net::InterfaceAddress& address);

  /// When it was made, by its ifindex; again does no harm.
  void note_device(std::uint32_t ifindex);
  /// After it was removed.
  void forget_device(std::uint32_t ifindex);

  /// The second process is gone: another is started.
  [[nodiscard]] Result<void> restart();
  [[nodiscard]] pid_t process() const { return process_; }

 private:
  struct Place {
    std::uint32_t ifindex = 0;
    AddressRecord address;  ///< version 0: free
  };

  struct Held {
    std::array<Place, kPlaces> places{};
    std::array<std::uint32_t, kMostChannelGroups> devices{};  ///< ifindex; 0: free
  };

  Guardian() = default;
  [[noreturn]] static void watch(int pipe, const Held& held);
  static void remove(const Held& held);
  Place* find(const net::InterfaceAddress& address);

  Held* held_ = nullptr;   ///< shared
  base::Descriptor pipe_;  ///< its other end is the guardian's: it ends when this process does
  pid_t process_ = -1;
};

}  // namespace astil::ha
