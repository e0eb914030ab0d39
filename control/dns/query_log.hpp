// Queries that are written down: some of all, from the thread that answers to the one that writes. One of each; neither
// ever waits for the other.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "control/dns/name.hpp"
#include "control/dns/protocol.hpp"

namespace astil::dns {

struct LoggedQuery {
  std::array<std::byte, 16> client{};  ///< network byte order; of IPv4 the first four
  bool is_ipv4 = true;
  bool is_tcp = false;
  Type type{};
  Code code{};
  std::uint32_t answers = 0;  ///< records
  std::array<char, kLongestName> name{};
  std::uint8_t name_size = 0;
  std::array<char, 64> site{};  ///< the first that was answered; all 0: the name has none
};

class QueryLog {
 public:
  /// Of a thread that waits to be read. More are lost.
  static constexpr std::size_t kHeld = 256;

  QueryLog() : held_(std::make_unique<std::array<LoggedQuery, kHeld>>()) {}

  /// Each so manieth; 0: none.
  [[nodiscard]] bool is_due(std::uint32_t every) {
    if (every == 0 || ++since_ < every) return false;
    since_ = 0;
    return true;
  }

  /// By the thread that answers. False: there is no room.
  bool add(const LoggedQuery& query) {
    const std::uint32_t end = end_.load(std::memory_order_relaxed);
    if (end - begin_.load(std::memory_order_acquire) == kHeld) return false;
    (*held_)[end % kHeld] = query;
    end_.store(end + 1, std::memory_order_release);
    return true;
  }

  /// By the one that writes: gives each to `write`, the oldest first.
  template <class Write>
  void take(const Write& write) {
    std::uint32_t begin = begin_.load(std::memory_order_relaxed);
    const std::uint32_t end = end_.load(std::memory_order_acquire);
    for (; begin != end; ++begin) write((*held_)[begin % kHeld]);
    begin_.store(begin, std::memory_order_release);
  }

 private:
  std::unique_ptr<std::array<LoggedQuery, kHeld>> held_;
  std::uint32_t since_ = 0;  ///< queries since the last that was due
  std::atomic<std::uint32_t> begin_{0};
  std::atomic<std::uint32_t> end_{0};
};

}  // namespace astil::dns
