// The load itself: many connections on one epoll loop, short ones that follow each other or long ones that stay.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <string>
#include <vector>

#include "control/base/result.hpp"
#include "tests/lab/client/options.hpp"
#include "tests/lab/client/response.hpp"
#include "tests/lab/client/socket.hpp"
#include "tests/lab/client/tally.hpp"

namespace astil::lab {

class Load {
 public:
  explicit Load(const Options& options);

  /// Runs until the connections are done, the duration is over, or SIGTERM or SIGINT comes; open requests are finished
  /// first. Prints `ready` when all long-lived connections have had their first answer, and `done` at the end.
  [[nodiscard]] Result<> run();

 private:
  enum class State { closed, connecting, waiting, idle };
  struct Connection {
    State state = State::closed;
    Descriptor socket;
    Response response;
    std::string backend;  // that answered first; empty before
    Clock::time_point started;
    Clock::time_point asked;  // when the request (or the SYN) left
  };

  [[nodiscard]] Result<> prepare();
  void fill();
  bool open(std::uint32_t slot);
  void on_event(std::uint32_t slot);
  void connected(std::uint32_t slot);
  void ask(std::uint32_t slot);
  void read(std::uint32_t slot);
  void end_of_stream(std::uint32_t slot);
  void answered(std::uint32_t slot);
  void fail(std::uint32_t slot, Failure kind);
  void close(std::uint32_t slot);
  void sweep();
  void announce_ready();
  [[nodiscard]] bool over() const;
  [[nodiscard]] bool more_to_open() const;
  [[nodiscard]] bool ahead_of_pace() const;

  const Options& options_;
  const std::string request_;
  Sources sources_;
  Tally tally_;
  Descriptor epoll_;
  Descriptor signals_;
  std::vector<Connection> connections_;
  std::vector<std::uint32_t> free_;  // slots that are closed and may be opened
  std::uint64_t opened_ = 0;
  std::uint32_t opening_ = 0;  // opened, without a first answer yet
  bool stopping_ = false;
  bool ready_ = false;
  Clock::time_point begun_;
  Clock::time_point now_;
};

}  // namespace astil::lab
