// The datagrams between astild and astil-dpdk: what the packet path tells, and frames that come in once more.
#pragma once

#include <cstdint>
#include <filesystem>

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/result.hpp"

namespace astil::dpdk {

enum class MessageKind : std::uint32_t {
  wake,       ///< to astil-dpdk: plan or tables have changed; nothing follows
  frame,      ///< to astil-dpdk: a frame follows, which is to come in by an interface
  fragment,   ///< to astild: a frame follows, which came in by an interface and is to be held
  neighbour,  ///< to astild: a core::NeighbourWanted follows
  drop,       ///< to astild: a core::DropEvent follows
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
/// False: nobody listens there, or is too far behind.
bool send_to(const base::Descriptor& sender, const std::filesystem::path& path, const void* bytes, std::size_t length);

}  // namespace astil::dpdk
