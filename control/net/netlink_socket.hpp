// An rtnetlink socket: requests with their answers, and the kernel's announcements. Requests are made synchronously:
// the kernel works on them inside the system call, so the answer is there when the call returns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "control/base/result.hpp"
#include "control/net/message.hpp"
#include "control/net/request.hpp"

struct mnl_socket;

namespace astil::net {

class NetlinkSocket {
 public:
  /// `groups`: the announcements to be had, RTNLGRP_*. A socket that has any is for `receive`, one without for `ask`.
  [[nodiscard]] static Result<NetlinkSocket> open(std::span<const int> groups);

  /// Sends the request and gives each message of the answer to `take`. The result is the kernel's verdict: errno's
  /// value.
  [[nodiscard]] Acknowledgement ask(Request request, const std::function<void(const RawMessage&)>& take = {});

  enum class Received { messages, nothing, overrun };

  /// The next announcements, without waiting. After `overrun` some were lost, and the state is to be asked for anew.
  [[nodiscard]] Received receive(const std::function<void(const RawMessage&)>& take);

  [[nodiscard]] int descriptor() const;

 private:
  struct Close {
    void operator()(mnl_socket* socket) const;
  };

  explicit NetlinkSocket(mnl_socket* socket);
  [[nodiscard]] std::span<const std::byte> read(int flags);
  [[nodiscard]] Acknowledgement ask_once(Request& request, const std::function<void(const RawMessage&)>& take);

  std::unique_ptr<mnl_socket, Close> socket_;
  std::vector<std::byte> buffer_;
  std::uint32_t sequence_ = 0;
};

/// The verdict as an error: "add 10.0.0.1/32 to eth0: Invalid argument (the kernel says: ...)".
[[nodiscard]] Error kernel_error(const std::string& action, const Acknowledgement& verdict);

}  // namespace astil::net
