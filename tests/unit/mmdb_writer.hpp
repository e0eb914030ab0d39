// Writes databases in MaxMind's form, by its specification, for tests and benchmarks.
#pragma once

#include <array>
#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace astil::dns::testing {

using Address = std::array<std::byte, 16>;

inline Address address_of(const std::string& text) {
  const auto parsed = boost::asio::ip::make_address(text);
  Address address{};
  const auto copy = [&](const auto& bytes) { std::memcpy(address.data(), bytes.data(), bytes.size()); };
  parsed.is_v4() ? copy(parsed.to_v4().to_bytes()) : copy(parsed.to_v6().to_bytes());
  return address;
}

inline bool bit_of(const Address& address, unsigned bit) {
  return (address[bit / 8] & std::byte{0x80} >> (bit % 8)) != std::byte{};
}

inline void set_bit(Address& address, unsigned bit, bool value) {
  const std::byte mask = std::byte{0x80} >> (bit % 8);
  address[bit / 8] = value ? address[bit / 8] | mask : address[bit / 8] & ~mask;
}

/// A database in MaxMind's form, written by its specification: records of 32 bits, data as maps of text.
class DatabaseWriter {
 public:
  explicit DatabaseWriter(unsigned ip_version) : ip_version_(ip_version) {}

  void add(const std::string& address, unsigned length, const std::string& data) {
    const auto [at, is_new] = offsets_.try_emplace(data, data_.size());
    if (is_new) data_ += data;
    Address bits = address_of(address);
    unsigned shift = 0;
    if (ip_version_ == 6 && address.find(':') == std::string::npos) shift = 96;  // IPv4 is below ::/96
    lead(bits, shift, shift + length, {.kind = Record::Kind::data, .number = at->second});
  }
  /// As databases have it for 6to4: the network leads to where IPv4 begins.
  void alias_of_ipv4(const std::string& address, unsigned length) {
    lead(address_of(address), 0, length, {.kind = Record::Kind::node, .number = ipv4_node()});
  }

  [[nodiscard]] std::string bytes() const {
    std::string out;
    for (const auto& node : nodes_) {
      for (const Record& record : node) {
        std::size_t value = nodes_.size();
        if (record.kind == Record::Kind::node) value = record.number;
        if (record.kind == Record::Kind::data) value = nodes_.size() + 16 + record.number;
        for (const unsigned shift : {24U, 16U, 8U, 0U}) out += static_cast<char>(value >> shift & 0xffU);
      }
    }
    out += std::string(16, '\0') + data_ + "\xab\xcd\xefMaxMind.com";
    out += map({{"node_count", number(6, nodes_.size())},
                {"record_size", number(5, 32)},
                {"ip_version", number(5, ip_version_)},
                {"database_type", text("Test")},
                {"binary_format_major_version", number(5, 2)},
                {"binary_format_minor_version", number(5, 0)},
                {"build_epoch", number(9, 1)},
                {"languages", std::string{'\0', '\4'}},
                {"description", map({})}});
    return out;
  }

  static std::string text(const std::string& value) { return static_cast<char>(0x40U | value.size()) + value; }
  static std::string map(const std::vector<std::pair<std::string, std::string>>& members) {
    std::string out(1, static_cast<char>(0xe0U | members.size()));
    for (const auto& [key, value] : members) out += text(key) + value;
    return out;
  }
  static std::string list(const std::string& item) { return std::string{'\1', '\4'} + item; }
  static std::string number(unsigned type, std::size_t value) {
    std::string bytes;
    for (; value > 0; value >>= 8U) bytes.insert(bytes.begin(), static_cast<char>(value & 0xffU));
    if (type > 7) return std::string{static_cast<char>(bytes.size()), static_cast<char>(type - 7)} + bytes;
    return static_cast<char>(type << 5U | bytes.size()) + bytes;
  }

 private:
  struct Record {
    enum class Kind { empty, node, data } kind = Kind::empty;
    std::size_t number = 0;
  };

  std::size_t ipv4_node() {
    std::size_t node = 0;
    for (unsigned i = 0; i < 96; ++i) node = below(node, false);
    return node;
  }
  std::size_t below(std::size_t node, bool bit) {
    Record& record = nodes_[node][bit ? 1 : 0];
    if (record.kind == Record::Kind::node) return record.number;
    record = {.kind = Record::Kind::node, .number = nodes_.size()};
    nodes_.emplace_back();
    return nodes_.size() - 1;
  }
  void lead(const Address& bits, unsigned shift, unsigned length, const Record& where) {
    std::size_t node = 0;
    const auto bit_at = [&](unsigned i) { return i >= shift && bit_of(bits, i - shift); };
    for (unsigned i = 0; i + 1 < length; ++i) node = below(node, bit_at(i));
    nodes_[node][bit_at(length - 1) ? 1 : 0] = where;
  }

  unsigned ip_version_;
  std::vector<std::array<Record, 2>> nodes_ = std::vector<std::array<Record, 2>>(1);
  std::map<std::string, std::size_t> offsets_;
  std::string data_;
};

}  // namespace astil::dns::testing
