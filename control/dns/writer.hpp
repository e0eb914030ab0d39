// Writing a response into bytes of the caller's: header, question, records with compressed names. What does not fit
// leaves no trace but `overflowed`.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "control/dns/protocol.hpp"
#include "control/dns/query.hpp"

namespace astil::dns {

enum class Section { answer, authority, additional };

class Writer {
 public:
  /// `room` is at least a header, `limit` what the response may hold, at most `room`.
  Writer(std::span<std::byte> room, std::size_t limit);

  /// The question as it came, letters kept as they are (which clients check: "0x20").
  void question(Bytes question);

  /// A record. `owner` is a name of any case; where it or a part of it stands in the message already, it is pointed at.
  /// So are the names within the data of NS, CNAME, SOA, PTR and MX, and of no others (RFC 3597 section 4).
  void record(Section section, std::string_view owner, Type type, std::uint32_t ttl, std::string_view data);

  /// The same for the question's own name: the quick way.
  void record_of_question(Section section, Type type, std::uint32_t ttl, std::string_view data);

  /// EDNS: the pseudo-record, to be written last. `options` are encoded; the code's upper bits go here. `flags` are
  /// kDnssecOk and kCompactAnswersOk.
  void opt(std::uint16_t udp_size, Code code, std::uint16_t flags, Bytes options);

  /// Takes all records off again, and the flag with them.
  void drop_records();

  /// Room for so many bytes is held back until `release`.
  void reserve(std::size_t bytes);
  void release() {
    limit_ += reserved_;
    reserved_ = 0;
  }

  [[nodiscard]] bool overflowed() const { return overflowed_; }

  /// Writes the header, and returns the response's size.
  std::size_t finish(std::uint16_t id, std::uint16_t flags);

  [[nodiscard]] std::size_t answers() const { return counts_[0]; }

 private:
  void u8(unsigned value);
  void u16(unsigned value);
  void u32(std::uint32_t value);
  void raw(std::string_view bytes);
  void name(std::string_view name);
  void data(Type type, std::string_view data);
  void rest(Section section, Type type, std::uint32_t ttl, std::string_view data, std::size_t begin);
  [[nodiscard]] bool stands_at(std::size_t at, std::string_view name) const;

  static constexpr std::size_t kRemembered = 24;

  std::span<std::byte> room_;
  std::size_t limit_;
  std::size_t reserved_ = 0;
  std::size_t size_ = kHeaderSize;
  std::size_t after_question_ = kHeaderSize;
  std::array<std::uint16_t, 4> counts_{};  ///< answer, authority, additional, question
  std::array<std::uint16_t, kRemembered> names_{};
  std::size_t remembered_ = 0;
  std::size_t remembered_of_question_ = 0;
  bool overflowed_ = false;
};

}  // namespace astil::dns
