// The end of the channel (control/ha/channel.hpp) that astil-vrrp has: it listens, and talks to one astild at a time,
// the one that came last.
#pragma once

#include <functional>
#include <string>

#include "control/base/result.hpp"
#include "control/ha/channel.hpp"
#include "dataplane/base/descriptor.hpp"

namespace astil::ha {

class ChannelServer {
 public:
  /// Only its owner can reach the socket. An older file that nobody listens at is replaced.
  [[nodiscard]] static Result<ChannelServer> listen(const std::string& path);
  ~ChannelServer();
  ChannelServer(ChannelServer&& other) noexcept;
  ChannelServer& operator=(ChannelServer&&) = delete;

  /// Who connects sees the process that called this, and no parent that listened before it (SO_PEERCRED).
  void listen_as_self();
  /// One that has come; true: there is one, and the former is left.
  [[nodiscard]] bool accept();
  /// All messages that wait. False: the other side is gone.
  [[nodiscard]] bool receive(const std::function<void(Bytes)>& take);
  /// What can not be sent now is lost; false: the other side is gone.
  void send(const Message& message);
  void close() { peer_.reset(); }

  [[nodiscard]] int listener() const { return listener_.get(); }
  [[nodiscard]] int peer() const { return peer_.get(); }
  [[nodiscard]] bool has_peer() const { return peer_.valid(); }

 private:
  ChannelServer(base::Descriptor listener, std::string path) : listener_(std::move(listener)), path_(std::move(path)) {}

  base::Descriptor listener_;
  base::Descriptor peer_;
  std::string path_;
};

}  // namespace astil::ha
