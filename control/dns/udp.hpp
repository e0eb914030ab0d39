// Queries by UDP, a batch at a time: one call of the kernel takes many, one sends the responses.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>

#include "control/dns/counters.hpp"
#include "control/dns/responder.hpp"
#include "control/dns/server.hpp"

namespace astil::dns {

class UdpBatch {
 public:
  UdpBatch();

  /// Answers what waits at the socket, some batches at most: others wait too.
  void serve(int socket, const Published& published, WorkerContext& worker);

 private:
  static constexpr std::size_t kMessages = 64;
  static constexpr std::size_t kLongestQuery = 1500;  ///< what is longer is cut, and so is malformed
  static constexpr std::size_t kLongestResponse = 4096;
  /// Room for the address that a packet was sent to.
  struct alignas(cmsghdr) Control {
    std::array<std::byte, CMSG_SPACE(sizeof(in6_pktinfo))> bytes;
  };
  struct Message {
    std::array<std::byte, kLongestQuery> query;
    std::array<std::byte, kLongestResponse> response;
    sockaddr_storage client;
    iovec query_at, response_at;
    Control control;
  };

  [[nodiscard]] std::size_t receive(int socket);
  void send(int socket, std::size_t count, Counters& counters);

  void make_ready(std::size_t message);

  std::array<Message, kMessages> messages_;
  std::array<mmsghdr, kMessages> received_;
  std::array<mmsghdr, kMessages> sent_;
  std::size_t used_ = kMessages;  ///< that are not as recvmmsg needs them
};

}  // namespace astil::dns
