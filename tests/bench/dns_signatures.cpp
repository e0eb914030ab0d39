// What a response of the name server costs, without sockets: without signatures, with ones that are kept, and with one
// that is made for it. CPU time of this thread; the least of five turns, but for what can be made only once.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "control/dns/name.hpp"
#include "control/dns/responder.hpp"
#include "control/dns/signer.hpp"

namespace astil::dns {
namespace {

constexpr std::size_t kQueries = 4000;  ///< of a turn; what is kept has room for as many
constexpr int kTurns = 5;

double thread_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

struct Bench {
  Snapshot snapshot;
  WorkerContext worker{.now = 1'800'000'000};
  std::vector<std::byte> room = std::vector<std::byte>(kLongestMessage);

  explicit Bench(Algorithm algorithm) {
    const std::string apex = name_from_text("example.org").value();
    std::vector<SigningKey> keys;
    keys.push_back(SigningKey::generate(algorithm, kZoneKey | kEntryPoint).value());
    const auto signer =
        std::make_shared<const Signer>(apex, std::move(keys), std::vector<std::string>{}, 14U * 86'400U);
    std::vector<Record> records;
    for (const char* line : {"@ SOA ns1 hm 1 2 3 4 60", "@ NS ns1", "www A 192.0.2.1", "www A 192.0.2.2"})
      records.push_back(parse_record(line, "example.org", 300).value());
    std::vector<Zone> zones;
    zones.push_back(std::move(Zone::make(apex, std::move(records)).value()));
    zones.back().sign_with(signer);
    snapshot.zones = std::make_shared<const Zones>(std::move(zones));
  }

  /// Nanoseconds for a response to each of these.
  double turn(const std::vector<std::vector<std::byte>>& queries) {
    const double before = thread_ns();
    for (const auto& query : queries) {
      if (respond(snapshot, query, {.transport = Transport::tcp}, room, worker) == 0) return 0;
    }
    return (thread_ns() - before) / static_cast<double>(queries.size());
  }
};

std::vector<std::byte> query(const std::string& name, bool dnssec_ok) {
  std::string text{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};
  text += name_from_text(name).value();
  for (const int byte : {0, 1, 0, 1, 0, 0, 41, 4, 208, 0, 0, dnssec_ok ? 128 : 0, 0, 0, 0})
    text += static_cast<char>(byte);
  std::vector<std::byte> bytes;
  for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

/// Whether as many signatures were made as that needs.
bool run(Algorithm algorithm) {
  Bench bench(algorithm);
  const auto queries = [](const std::string& prefix, bool dnssec_ok) {
    std::vector<std::vector<std::byte>> made;
    for (std::size_t i = 0; i < kQueries; ++i)
      made.push_back(
          query(prefix.empty() ? "www.example.org" : prefix + std::to_string(i) + ".example.org", dnssec_ok));
    return made;
  };
  const double made = bench.turn(queries("none", true));
  double plain = std::numeric_limits<double>::max();
  double kept = plain;
  double denied = plain;
  for (int turn = 0; turn < kTurns; ++turn) {
    plain = std::min(plain, bench.turn(queries("", false)));
    kept = std::min(kept, bench.turn(queries("", true)));
    denied = std::min(denied, bench.turn(queries("none", true)));
  }
  std::printf("%s: plain %.0f ns, kept %.0f (%.1f times), denied with kept ones %.0f (%.1f), made for it %.0f (%.1f)\n",
              std::string(algorithm_name(algorithm)).c_str(), plain, kept, kept / plain, denied, denied / plain, made,
              made / plain);
  // Each name's denial, SOA, and www's addresses.
  return bench.worker.counters.get(Counter::signatures_made) == kQueries + 2;
}

}  // namespace
}  // namespace astil::dns

int main() {
  using astil::dns::Algorithm;
  const bool first = astil::dns::run(Algorithm::ecdsa_p256_sha256);
  const bool second = astil::dns::run(Algorithm::ed25519);
  if (!first || !second) std::puts("other signatures were made than were to be measured");
  return first && second ? 0 : 1;
}
