#include "control/discovery/answer.hpp"

#include <algorithm>

namespace astil::discovery {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t kHeader = 12;
constexpr std::size_t kQuestions = 4;  // in the header
constexpr std::size_t kAnswers = 6;
constexpr std::size_t kTypeAndClass = 4;
constexpr unsigned kClassInternet = 1;
constexpr unsigned kIsPointer = 0xc0;                // RFC 1035 section 4.1.4
constexpr std::size_t kLongestName = 253;            // in text: 255 octets with the first length and the root's
constexpr std::uint32_t kLongestLife = 0x7fff'ffff;  // RFC 2181 section 8: more is none

const char* const kRemedy = "ask the name server for it with dig";

bool is_of_host(char c) {
  return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') || ('0' <= c && c <= '9') || c == '-' || c == '_';
}

char lower(char c) { return 'A' <= c && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Goes through a message. After something that is not there, or is not as it must be, `failed` stays set.
class Reader {
 public:
  explicit Reader(Bytes message, std::size_t at = 0) : message_(message), at_(at) {}

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::size_t at() const { return at_; }

  void skip(std::size_t size) {
    if (message_.size() - at_ < size) {
      fail();
    } else {
      at_ += size;
    }
  }

  unsigned octet() {
    if (at_ == message_.size()) return fail();
    return std::to_integer<unsigned>(message_[at_++]);
  }
  unsigned word() {
    const unsigned high = octet();
    return (high << 8U) | octet();
  }
  std::uint32_t two_words() {
    const std::uint32_t high = word();
    return (high << 16U) | word();
  }

  Bytes bytes(std::size_t size) {
    const std::size_t from = at_;
    skip(size);
    return failed_ ? Bytes() : message_.subspan(from, size);
  }

  void skip_name() {
    while (!failed_) {
      const unsigned length = octet();
      if (length == 0) return;
      if (length >= kIsPointer) return skip(1);
      if (length > 63) return static_cast<void>(fail());
      skip(length);
    }
  }

  /// With dots, without the root's; "." is the root. Pointers lead back only, so that they come to an end.
  std::string name() {
    std::string text;
    Reader label = *this;
    std::size_t first = at_;  // of the part of the name that is being read
    while (!label.failed_) {
      const unsigned length = label.octet();
      if (length == 0) break;
      if (length >= kIsPointer) {
        const std::size_t to = ((length & ~kIsPointer) << 8U) | label.octet();
        if (to >= first) return fail(), "";
        first = to;
        label = Reader(message_, to);
        continue;
      }
      if (length > 63 || text.size() + (text.empty() ? 0 : 1) + length > kLongestName) return fail(), "";
      if (!text.empty()) text += '.';
      for (const std::byte byte : label.bytes(length)) {
        const char c = static_cast<char>(byte);
        if (!is_of_host(c)) return fail(), "";
        text += lower(c);
      }
    }
    if (label.failed_) return fail(), "";
    skip_name();
    return text.empty() ? "." : text;
  }

 private:
  unsigned fail() {
    failed_ = true;
    at_ = message_.size();
    return 0;
  }

  Bytes message_;
  std::size_t at_;
  bool failed_ = false;
};

template <class Address>
config::address address_of(Bytes data) {
  typename Address::bytes_type bytes;
  std::ranges::transform(data, bytes.begin(), [](std::byte b) { return std::to_integer<unsigned char>(b); });
  return Address(bytes);
}

/// One record's data, whose length is that of its type.
Result<void> add(Records& records, RecordType type, Bytes message, std::size_t at, std::size_t length) {
  const Bytes data = message.subspan(at, length);
  if (type == RecordType::a) {
    if (length != 4) return Error{"an A record has " + std::to_string(length) + " octets, and not 4", kRemedy};
    records.hosts.push_back(address_of<boost::asio::ip::address_v4>(data));
    return {};
  }
  if (type == RecordType::aaaa) {
    if (length != 16) return Error{"an AAAA record has " + std::to_string(length) + " octets, and not 16", kRemedy};
    records.hosts.push_back(address_of<boost::asio::ip::address_v6>(data));
    return {};
  }
  Reader reader(message.first(at + length), at);
  ServiceRecord service;
  service.priority = static_cast<std::uint16_t>(reader.word());
  service.weight = static_cast<std::uint16_t>(reader.word());
  service.port = static_cast<std::uint16_t>(reader.word());
  service.target = reader.name();
  if (reader.failed() || reader.at() != at + length)
    return Error{"the target of an SRV record is no name of a host", kRemedy};
  records.services.push_back(std::move(service));
  return {};
}

}  // namespace

Result<Records> read_records(Bytes answer, RecordType type) {
  const Error early{"the answer ends early", kRemedy};
  if (answer.size() < kHeader) return early;
  const unsigned questions = Reader(answer, kQuestions).word();
  const unsigned answers = Reader(answer, kAnswers).word();
  Reader reader(answer, kHeader);
  for (unsigned i = 0; i < questions && !reader.failed(); ++i) {
    reader.skip_name();
    reader.skip(kTypeAndClass);
  }
  Records records;
  for (unsigned i = 0; i < answers; ++i) {
    reader.skip_name();
    const unsigned of = reader.word();
    const unsigned klass = reader.word();
    const std::uint32_t life = reader.two_words();
    const std::size_t length = reader.word();
    const std::size_t at = reader.at();
    reader.skip(length);
    if (reader.failed()) return early;
    if (klass != kClassInternet) continue;
    const std::uint32_t keep = life > kLongestLife ? 0 : life;
    records.keep = std::min(records.keep.value_or(keep), keep);
    if (of != static_cast<unsigned>(type)) continue;
    if (auto added = add(records, type, answer, at, length); added.has_error()) return added.error();
  }
  if (reader.failed()) return early;
  return records;
}

}  // namespace astil::discovery
