// The addresses that are on interfaces by astil-vrrp, in memory that a second process shares. That one, the guardian,
// sleeps until astil-vrrp is gone, however it went, and removes what is there then.
#pragma once

#include <sys/types.h>

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

  /// The second process is gone: another is started.
  [[nodiscard]] Result<void> restart();
  [[nodiscard]] pid_t process() const { return process_; }

 private:
  struct Place {
    std::uint32_t ifindex = 0;
    AddressRecord address;  ///< version 0: free
  };

  Guardian() = default;
  [[noreturn]] static void watch(int pipe, const Place* places);
  Place* find(const net::InterfaceAddress& address);

  Place* places_ = nullptr;  ///< shared
  base::Descriptor pipe_;    ///< its other end is the guardian's: it ends when this process does
  pid_t process_ = -1;
};

}  // namespace astil::ha
