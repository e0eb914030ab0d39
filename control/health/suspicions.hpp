// Signs of clients' connections that a backend is not well: it refuses them, or leaves them without an answer. They
// take no backend out, since clients could bring them about; they are a reason to check at once.
#pragma once

#include <boost/circular_buffer.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "control/config/model_health.hpp"
#include "control/health/checks.hpp"

namespace astil::health {

/// Of a backend that gets new flows, as a census found it.
struct Signs {
  TargetKey key;  ///< without a check's name
  config::Passive limits;
  std::uint64_t connections = 0;  ///< placed on it so far
  std::uint64_t refused = 0;      ///< of them, those that it refused
  std::uint32_t unanswered = 0;   ///< that wait for its first answer now
  bool has_any_port = false;      ///< clients say which port they want, and it may be closed
};

class Suspicions {
 public:
  /// How long a backend stays suspect after the last sign.
  static constexpr std::chrono::seconds kMemory{10};

  struct Change {
    TargetKey key;
    std::string why;  ///< empty: it is suspect no more
  };

  /// After each census, of all backends that get new flows: what has changed. A backend that is not among them any more
  /// is not suspect: others know better.
  std::vector<Change> see(const std::vector<Signs>& all, Clock::time_point now);

  /// Empty: it is not suspect.
  [[nodiscard]] const std::string& why(const TargetKey& key) const;

 private:
  /// Censuses of a second each that are looked at together.
  static constexpr std::size_t kRounds = 10;

  struct Sample {
    std::uint64_t connections;
    std::uint64_t refused;
    std::uint32_t unanswered;
  };
  struct Record {
    boost::circular_buffer<Sample> before{kRounds};  ///< of the last censuses, the oldest first
    std::string why;
    Clock::time_point last_sign;
    std::uint64_t round = 0;
  };

  [[nodiscard]] static std::string sign_of(const Record& record, const Signs& now);

  std::map<TargetKey, Record> records_;
  std::uint64_t round_ = 0;
};

}  // namespace astil::health
