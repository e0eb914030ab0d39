#include "control/dns/region_files.hpp"

#include <fcntl.h>
#include <maxminddb.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include <algorithm>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "dataplane/base/descriptor.hpp"

namespace astil::dns {
namespace {

namespace ip = boost::asio::ip;

constexpr const char* kLineRemedy = "write a network and a region: 203.0.113.0/24 europe";

/// Another thing than a file could make its reader wait for ever.
Result<> check_file(const std::string& path) {
  std::error_code failed;
  const auto status = std::filesystem::status(path, failed);
  if (status.type() == std::filesystem::file_type::not_found) return system_error("open " + path, ENOENT);
  if (failed) return system_error("open " + path, failed.value());
  if (!std::filesystem::is_regular_file(status)) return Error{path + " is not a regular file", {}};
  return {};
}

template <class Parsed>
Network to_network(const Parsed& parsed, bool is_ipv4) {
  Network network;
  network.is_ipv4 = is_ipv4;
  network.length = static_cast<std::uint8_t>(parsed.prefix_length());
  const auto bytes = parsed.network().to_bytes();
  std::transform(bytes.begin(), bytes.end(), network.address.begin(), [](unsigned char b) { return std::byte{b}; });
  return network;
}

Result<Network> parse_network(const std::string& text) {
  const Error behind{"'" + text + "' has bits set behind its length", "write the first address of the network"};
  boost::system::error_code failed;
  if (text.find(':') == std::string::npos) {
    const auto parsed = ip::make_network_v4(text, failed);
    if (failed) return Error{"'" + text + "' is not a network", kLineRemedy};
    if (parsed != parsed.canonical()) return behind;
    return to_network(parsed, true);
  }
  const auto parsed = ip::make_network_v6(text, failed);
  if (failed) return Error{"'" + text + "' is not a network", kLineRemedy};
  if (parsed != parsed.canonical()) return behind;
  return to_network(parsed, false);
}

/// None: the line says nothing.
Result<std::optional<Network>> parse_line(std::string line, const RegionNumbers& regions) {
  line.erase(std::min(line.find('#'), line.size()));
  std::istringstream words(line);
  std::string written;
  std::string name;
  std::string more;
  if (!(words >> written)) return std::optional<Network>();
  if (!(words >> name) || words >> more) return Error{"a network and a region are wanted", kLineRemedy};
  auto network = parse_network(written);
  if (network.has_error()) return network.error();
  const auto region = regions.find(name);
  if (region == regions.end()) return Error{"the map has no region '" + name + "'", "add it to the map's regions"};
  network->region = region->second;
  return std::optional(*network);
}

}  // namespace

Result<std::vector<Network>> read_networks(const std::string& path, const RegionNumbers& regions) {
  if (auto is_file = check_file(path); is_file.has_error()) return is_file.error();
  std::ifstream file(path);
  if (!file) return system_error("open " + path, errno);
  std::vector<Network> networks;
  std::map<std::tuple<bool, std::array<std::byte, 16>, std::uint8_t>, std::size_t> lines;
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    const std::string place = path + ":" + std::to_string(number);
    const auto network = parse_line(line, regions);
    if (network.has_error()) return network.error().within(place);
    if (!*network) continue;
    const Network& read = **network;
    const auto [first, is_new] = lines.try_emplace({read.is_ipv4, read.address, read.length}, number);
    if (!is_new)
      return Error{place + ": the network stands in line " + std::to_string(first->second) + " already",
                   "leave one of them out"};
    if (networks.size() == kMostNetworks)
      return Error{place + ": there are more than " + std::to_string(kMostNetworks) + " networks", "leave some out"};
    networks.push_back(read);
  }
  if (file.bad()) return system_error("read " + path, errno);
  return networks;
}

namespace {

/// The continents of GeoNames' codes. In words, since codes of countries are the same letters: NA is Namibia too.
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kContinents{{{"AF", "africa"},
                                                                                    {"AN", "antarctica"},
                                                                                    {"AS", "asia"},
                                                                                    {"EU", "europe"},
                                                                                    {"NA", "north-america"},
                                                                                    {"OC", "oceania"},
                                                                                    {"SA", "south-america"}}};

/// In memory, as a file that nobody else has.
Result<base::Descriptor> copy_of(const std::string& path) {
  const base::Descriptor from(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!from.valid()) return system_error("open " + path, errno);
  base::Descriptor copy(::memfd_create("astil-regions", MFD_CLOEXEC));
  if (!copy.valid()) return system_error("copy " + path, errno);
  for (;;) {
    constexpr std::size_t kAtOnce = 1U << 24U;
    const ssize_t sent = ::sendfile(copy.get(), from.get(), nullptr, kAtOnce);
    if (sent == 0) return copy;
    if (sent < 0 && errno != EINTR) return system_error("read " + path, errno);
  }
}

/// An open database, and what its records have turned out to be.
class Database {
 public:
  static Result<std::vector<Network>> read(const std::string& path, const RegionNumbers& regions) {
    Database database(path, regions);
    // libmaxminddb maps what it reads, and a file that is written anew would go from under it.
    const auto copy = copy_of(path);
    if (copy.has_error()) return copy.error();
    const std::string name = "/proc/self/fd/" + std::to_string(copy->get());
    if (const int failed = ::MMDB_open(name.c_str(), MMDB_MODE_MMAP, &database.db_); failed != MMDB_SUCCESS)
      return database.damaged(failed);
    database.is_open_ = true;
    if (auto walked = database.walk(); walked.has_error()) return walked.error();
    return std::move(database.networks_);
  }

  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database() {
    if (is_open_) ::MMDB_close(&db_);
  }

 private:
  Database(const std::string& path, const RegionNumbers& regions) : path_(path), regions_(regions) {}

  [[nodiscard]] Error damaged(int failed) const {
    return {path_ + " is not a sound database: " + ::MMDB_strerror(failed), "fetch it anew"};
  }

  /// In a database of both IP versions IPv4 hangs below ::/96, and other networks lead there as well (6to4 and such):
  /// what is behind that node is IPv4's alone.
  Result<> walk() {
    if (db_.metadata.ip_version == 4) return walk(0, 0, true);
    if (auto done = walk_ipv4(); done.has_error()) return done;
    address_ = {};
    return walk(0, 0, false);
  }

  Result<> walk_ipv4() {
    const std::uint32_t start = db_.ipv4_start_node.node_value;
    if (db_.ipv4_start_node.netmask == kIpv4Depth && start < db_.metadata.node_count) return walk(start, 0, true);
    // Nothing in it is told apart.
    int failed = MMDB_SUCCESS;
    int no_address = 0;
    MMDB_lookup_result_s found = ::MMDB_lookup_string(&db_, "0.0.0.0", &no_address, &failed);
    if (failed != MMDB_SUCCESS) return damaged(failed);
    return found.found_entry ? add(found.entry, 0, true) : Result<>();
  }

  Result<> walk(std::uint32_t number, unsigned depth, bool is_ipv4) {
    if (!is_ipv4 && number == db_.ipv4_start_node.node_value && db_.ipv4_start_node.netmask == kIpv4Depth) return {};
    // A tree that is none leads to the same again and again.
    const bool is_tree = ++steps_ <= 2 * std::size_t{db_.metadata.node_count};
    if (!is_tree || depth >= (is_ipv4 ? 32U : 128U)) return damaged(MMDB_CORRUPT_SEARCH_TREE_ERROR);
    MMDB_search_node_s node{};
    if (const int failed = ::MMDB_read_node(&db_, number, &node); failed != MMDB_SUCCESS) return damaged(failed);
    auto left = follow(node.left_record_type, node.left_record, node.left_record_entry, depth + 1, is_ipv4);
    if (left.has_error()) return left;
    const std::byte bit = std::byte{0x80} >> (depth % 8);
    address_[depth / 8] |= bit;
    auto right = follow(node.right_record_type, node.right_record, node.right_record_entry, depth + 1, is_ipv4);
    address_[depth / 8] &= ~bit;
    return right;
  }

  Result<> follow(std::uint8_t type, std::uint64_t number, const MMDB_entry_s& entry, unsigned depth, bool is_ipv4) {
    if (type == MMDB_RECORD_TYPE_SEARCH_NODE) return walk(static_cast<std::uint32_t>(number), depth, is_ipv4);
    if (type == MMDB_RECORD_TYPE_DATA) return add(entry, depth, is_ipv4);
    return type == MMDB_RECORD_TYPE_EMPTY ? Result<>() : damaged(MMDB_CORRUPT_SEARCH_TREE_ERROR);
  }

  /// A damaged tree may lead to the same again and again.
  Result<> add(const MMDB_entry_s& entry, unsigned depth, bool is_ipv4) {
    if (++records_ > kMostNetworks) return damaged(MMDB_CORRUPT_SEARCH_TREE_ERROR);
    const auto [known, is_new] = known_.try_emplace(entry.offset, kNowhere);
    if (is_new) {
      auto region = region_of(entry);
      if (region.has_error()) return region.error();
      known->second = *region;
    }
    if (known->second == kNowhere) return {};
    networks_.push_back(
        {.address = address_, .is_ipv4 = is_ipv4, .length = static_cast<std::uint8_t>(depth), .region = known->second});
    return {};
  }

  Result<Region> region_of(MMDB_entry_s entry) const {
    MMDB_entry_data_s data{};
    const auto get = [&](auto... keys) {
      const int failed = ::MMDB_get_value(&entry, &data, keys..., static_cast<const char*>(nullptr));
      // Databases of other kinds have other things in these places.
      const bool absent =
          failed == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR || failed == MMDB_INVALID_LOOKUP_PATH_ERROR;
      if (absent) data.has_data = false;
      return absent ? MMDB_SUCCESS : failed;
    };
    const auto text = [&] {
      const bool is_text = data.has_data && data.type == MMDB_DATA_TYPE_UTF8_STRING;
      return is_text ? std::string(data.utf8_string, data.data_size) : std::string();
    };
    std::vector<std::string> names;
    if (const int failed = get("autonomous_system_number"); failed != MMDB_SUCCESS) return damaged(failed);
    if (data.has_data && data.type == MMDB_DATA_TYPE_UINT32) names.push_back("AS" + std::to_string(data.uint32));
    if (const int failed = get("country", "iso_code"); failed != MMDB_SUCCESS) return damaged(failed);
    const std::string country = text();
    if (const int failed = get("subdivisions", "0", "iso_code"); failed != MMDB_SUCCESS) return damaged(failed);
    if (const std::string part = text(); !country.empty() && !part.empty()) names.push_back(country + "-" + part);
    if (!country.empty()) names.push_back(country);
    if (const int failed = get("continent", "code"); failed != MMDB_SUCCESS) return damaged(failed);
    const std::string code = text();
    for (const auto& [continent, name] : kContinents) {
      if (continent == code) names.emplace_back(name);
    }
    for (const std::string& name : names) {
      if (const auto region = regions_.find(name); region != regions_.end()) return region->second;
    }
    return kNowhere;
  }

  static constexpr unsigned kIpv4Depth = 96;

  const std::string& path_;
  const RegionNumbers& regions_;
  MMDB_s db_{};
  bool is_open_ = false;
  std::array<std::byte, 16> address_{};
  std::size_t records_ = 0;
  std::size_t steps_ = 0;
  std::unordered_map<std::uint32_t, Region> known_;  ///< by where a record stands
  std::vector<Network> networks_;
};

}  // namespace

Result<std::vector<Network>> read_database(const std::string& path, const RegionNumbers& regions) {
  if (auto is_file = check_file(path); is_file.has_error()) return is_file.error();
  return Database::read(path, regions);
}

}  // namespace astil::dns
