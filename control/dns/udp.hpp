// Queries by UDP, a batch at a time: one call of the kernel waits for some and takes them, one sends the responses. A
// thread for each socket, since another call to wait for several costs as much again
// (docs/decisions/0024-the-name-server.md).
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>

#include "control/dns/counters.hpp"
#include "control/dns/responder.hpp"
#include "control/dns/server.hpp"
#include "control/dns/sockets.hpp"

namespace astil::dns {

class UdpBatch {
 public:
  UdpBatch();

  /// Waits for what comes to the socket, and takes some of it. Returns how many; 0: nothing came after all.
  [[nodiscard]] std::size_t receive(int socket);
  /// Answers that.
  void answer(int socket, std::size_t count, const Snapshot& snapshot, WorkerContext& worker);

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

  void send(int socket, std::size_t count, Counters& counters);

  void make_ready(std::size_t message);

  std::array<Message, kMessages> messages_;
  std::array<mmsghdr, kMessages> received_;
  std::array<mmsghdr, kMessages> sent_;
  std::size_t used_ = kMessages;  ///< that are not as recvmmsg needs them
};

class UdpWorker {
 public:
  UdpWorker(Descriptor socket, const Published& published, std::uint64_t seed);
  /// Ends the thread, and waits for that.
  ~UdpWorker();
  UdpWorker(const UdpWorker&) = delete;
  UdpWorker& operator=(const UdpWorker&) = delete;

  void start();
  [[nodiscard]] WorkerContext& context() { return context_; }

 private:
  void run();

  Descriptor socket_;
  const Published& published_;
  WorkerContext context_;
  UdpBatch batch_;
  std::atomic<bool> ends_ = false;
  std::thread thread_;
};

}  // namespace astil::dns
