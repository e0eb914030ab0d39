// What astild and astil-dpdk tell each other besides the plan: messages in rings of the share, and sockets that wake
// who sleeps. How many datagrams a socket holds is the host's setting (net.unix.max_dgram_qlen, often 10), so nothing
// but the waking goes by them: where a socket is full, its reader wakes all the same.
#pragma once

#include <cstdint>
#include <filesystem>

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/share.hpp"

namespace astil::dpdk {

enum class MessageKind : std::uint32_t {
  frame,     ///< to astil-dpdk: a frame follows, which is to come in by an interface
  fragment,  ///< to astild: a frame follows, which came in by an interface and is to be held
  drop,      ///< to astild: a core::DropEvent follows
};

struct MessageHeader {
  MessageKind kind;
  std::uint32_t interface;  ///< ifindex
};
/// With its header: a fragment as large as core::kMaxHeldBytes.
inline constexpr std::size_t kLongestMessage = 4096;

/// A socket under a name, in the place of any that has it; what is sent there comes without waiting.
Result<base::Descriptor> listen_at(const std::filesystem::path& path);
/// A socket that sends; nobody waits.
Result<base::Descriptor> open_sender();
/// Wakes who listens there. False: nobody does.
bool ring(const base::Descriptor& sender, const std::filesystem::path& path);
/// Takes what has rung so far.
void silence(const base::Descriptor& listener);

/// After something was written for astild: wakes it where it sleeps.
void wake_daemon(const MappedShare& share, const base::Descriptor& sender);

}  // namespace astil::dpdk
