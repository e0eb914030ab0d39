// What lab_client counts, and the JSON it becomes. Times are CLOCK_MONOTONIC seconds, so that whoever runs the client
// on the same machine can set them beside its own.
#pragma once

#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace astil::lab {

using Clock = std::chrono::steady_clock;

enum class Failure {
  refused,          ///< a reset answered the SYN
  unreachable,      ///< an ICMP error, or no route
  connect_timeout,  ///< nothing answered the SYN
  reset,            ///< a reset on an open connection
  answer_timeout,   ///< open, but no whole answer in time
  cut_short,        ///< closed by the other side before the whole answer
  malformed,        ///< not the HTTP we expect
  bad_status,       ///< an answer, but not 200
  changed,          ///< another backend answered on the same connection
  local,            ///< this machine could not even send: out of ports or descriptors
};
inline constexpr std::size_t kFailures = 10;

[[nodiscard]] std::string_view name_of(Failure failure);

class Tally {
 public:
  /// A connection that has its first answer now, from `backend`.
  void connection(const std::string& backend, Clock::time_point started, Clock::time_point now);
  void answer(Clock::duration took);
  /// `backend` is empty where none had answered on that connection before.
  void failure(Failure kind, const std::string& backend, Clock::time_point started, Clock::time_point now);
  void flow(std::string from, std::string backend);

  [[nodiscard]] boost::json::object report(std::string_view event) const;

 private:
  struct PerBackend {
    std::uint64_t connections = 0;
    std::uint64_t broken = 0;
    Clock::time_point last_started;
  };
  struct FailureSpan {
    Clock::time_point first;
    Clock::time_point last;
    Clock::time_point last_started;  // when the youngest connection that failed was opened
  };

  std::uint64_t connections_ = 0;
  std::uint64_t delayed_ = 0;
  Clock::time_point last_delayed_started_;
  std::uint64_t answers_ = 0;
  Clock::duration longest_{};
  std::array<std::uint64_t, kFailures> failures_{};
  FailureSpan span_;
  std::map<std::string, PerBackend> backends_;
  std::vector<std::pair<std::string, std::string>> flows_;
};

}  // namespace astil::lab
