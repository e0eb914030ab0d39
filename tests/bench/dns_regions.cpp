// What it costs to know where a client is: reading the files, what they take, and a lookup. Times are of the clock, the
// least of five turns; a lookup beside a read of one random line of as much memory.
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>

#include "control/dns/region_files.hpp"
#include "control/dns/sites.hpp"
#include "tests/unit/mmdb_writer.hpp"

namespace astil::dns {
namespace {

constexpr int kTurns = 5;
constexpr std::size_t kLookups = 1'000'000;

double seconds_of(const std::function<void()>& work) {
  const auto begun = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

double least_of(const std::function<void()>& work) {
  double least = std::numeric_limits<double>::max();
  for (int i = 0; i < kTurns; ++i) least = std::min(least, seconds_of(work));
  return least;
}

const RegionNumbers kNumbers{{"AA", 0}, {"BB", 1}, {"CC", 2}, {"DD", 3}};

/// A /24 each, so many of them in a row, and of four countries in turn: no neighbours are one.
std::string ipv4_network(std::size_t i) {
  return std::to_string(1 + (i >> 16U)) + "." + std::to_string(i >> 8U & 255U) + "." + std::to_string(i & 255U) + ".0";
}

std::string write_list(const std::filesystem::path& file, std::size_t count) {
  std::ofstream out(file);
  for (std::size_t i = 0; i < count; ++i)
    out << ipv4_network(i) << "/24 " << static_cast<char>('A' + i % 4) << static_cast<char>('A' + i % 4) << '\n';
  return file;
}

std::string write_database(const std::filesystem::path& file, std::size_t count) {
  using Writer = testing::DatabaseWriter;
  Writer writer(6);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string code(2, static_cast<char>('A' + i % 4));
    writer.add(ipv4_network(i), 24, Writer::map({{"country", Writer::map({{"iso_code", Writer::text(code)}})}}));
  }
  std::ofstream(file, std::ios::binary) << writer.bytes();
  return file;
}

struct Lookups {
  const RegionTable& table;
  std::vector<std::array<std::byte, 4>> addresses = std::vector<std::array<std::byte, 4>>(kLookups);
  std::uint64_t found = 0;

  Lookups(const RegionTable& of, std::size_t networks) : table(of) {
    Random random(1);
    for (auto& address : addresses) {
      const std::size_t i = random.below(networks);
      const std::array<std::size_t, 4> bytes{1 + (i >> 16U), i >> 8U & 255U, i & 255U, random.below(256)};
      std::transform(bytes.begin(), bytes.end(), address.begin(), [](std::size_t b) { return std::byte(b); });
    }
  }
  void run() {
    found = 0;
    for (const auto& address : addresses) found += table.find(address, true).region != kNowhere ? 1 : 0;
  }
};

double random_read_ns(std::size_t bytes) {
  std::vector<std::uint64_t> memory(std::max<std::size_t>(bytes / sizeof(std::uint64_t), 1), 1);
  Random random(2);
  std::vector<std::uint32_t> places(kLookups);
  for (std::uint32_t& place : places) place = static_cast<std::uint32_t>(random.below(memory.size()));
  std::uint64_t sum = 0;
  const double seconds = least_of([&] {
    for (const std::uint32_t place : places) sum += memory[place];
  });
  if (sum != kTurns * kLookups) std::abort();
  return seconds / kLookups * 1e9;
}

int measure(const char* kind, const std::string& file, std::size_t count,
            const std::function<Result<std::vector<Network>>(const std::string&)>& read) {
  std::vector<Network> networks;
  const double reading = least_of([&] { networks = read(file).value(); });
  const std::size_t before = ::mallinfo2().uordblks + ::mallinfo2().hblkhd;
  const RegionTable table(networks);
  const std::size_t bytes = ::mallinfo2().uordblks + ::mallinfo2().hblkhd - before;
  const double making = least_of([&] { const RegionTable again(networks); });
  Lookups lookups(table, count);
  const double lookup = least_of([&] { lookups.run(); }) / kLookups * 1e9;
  if (lookups.found != kLookups || table.ranges() < count) {
    std::fprintf(stderr, "%s: %zu ranges, %llu of %zu found\n", kind, table.ranges(),
                 static_cast<unsigned long long>(lookups.found), kLookups);
    return 1;
  }
  std::printf("%-10s %10zu %10.1f %10.1f %10.2f %10.1f %10.1f\n", kind, count, reading * 1e3, making * 1e3,
              static_cast<double>(bytes) / 1e6, lookup, random_read_ns(bytes));
  return 0;
}

}  // namespace
}  // namespace astil::dns

int main() {
  using namespace astil::dns;
  const auto folder = std::filesystem::temp_directory_path() / ("astil-dns-regions-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::printf("%-10s %10s %10s %10s %10s %10s %10s\n", "file", "networks", "read ms", "made ms", "MB", "lookup ns",
              "a read ns");
  int failed = 0;
  for (const std::size_t count : {std::size_t{10'000}, std::size_t{1'000'000}}) {
    failed |= measure("list", write_list(folder / "list", count), count,
                      [](const std::string& file) { return read_networks(file, kNumbers); });
    failed |= measure("database", write_database(folder / "database", count), count,
                      [](const std::string& file) { return read_database(file, kNumbers); });
  }
  std::filesystem::remove_all(folder);
  return failed;
}
