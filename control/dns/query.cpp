#include "control/dns/query.hpp"

#include <algorithm>
#include <cstring>

namespace astil::dns {
namespace {

/// Reads forward; once something is not there, all that follows is not either.
class Reader {
 public:
  explicit Reader(Bytes bytes, std::size_t at = 0) : bytes_(bytes), at_(at) {}

  std::uint8_t u8() {
    if (at_ >= bytes_.size()) return failed_ = true, 0;
    return std::to_integer<std::uint8_t>(bytes_[at_++]);
  }
  std::uint16_t u16() {
    const unsigned high = u8();
    return static_cast<std::uint16_t>(high << 8U | u8());
  }
  Bytes take(std::size_t count) {
    if (count > bytes_.size() - at_) {
      failed_ = true;
      return {};
    }
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }
  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] bool ended() const { return at_ == bytes_.size(); }
  [[nodiscard]] bool failed() const { return failed_; }
  void fail() { failed_ = true; }

 private:
  Bytes bytes_;
  std::size_t at_;
  bool failed_ = false;
};

constexpr std::uint8_t kPointer = 0xc0;

/// The question's name, folded. It is the first of the message, so it has nothing to point at.
void read_name(Reader& reader, Query& query) {
  for (;;) {
    const std::uint8_t length = reader.u8();
    if (reader.failed() || length > kLongestLabel || query.name_size + 1U + length > kLongestName) return reader.fail();
    query.buffer[query.name_size++] = static_cast<char>(length);
    if (length == 0) return;
    for (const std::byte byte : reader.take(length)) query.buffer[query.name_size++] = folded(static_cast<char>(byte));
    if (reader.failed()) return;
  }
}

/// Passes over a name that may end in a pointer (RFC 1035 section 4.1.4). Where that leads matters to nobody.
void skip_name(Reader& reader) {
  const std::size_t begin = reader.at();
  for (;;) {
    const std::uint8_t length = reader.u8();
    if (reader.failed() || length == 0) return;
    if ((length & kPointer) == kPointer) {
      (void)reader.u8();
      return;
    }
    if (length > kLongestLabel) return reader.fail();
    (void)reader.take(length);
    if (reader.at() - begin > kLongestName) return reader.fail();
  }
}

/// RFC 7871 section 6 and 7.1.2: as many bytes as the prefix needs, the rest of its bits 0, no scope.
bool read_subnet(Bytes data, Edns& edns) {
  Reader reader(data);
  ClientSubnet subnet;
  subnet.family = reader.u16();
  subnet.source = reader.u8();
  const std::uint8_t scope = reader.u8();
  if (reader.failed() || scope != 0) return false;
  const unsigned most = subnet.family == 1 ? 32 : subnet.family == 2 ? 128 : 0;
  if (subnet.source > most) return false;
  const Bytes address = reader.take(subnet.bytes());
  if (reader.failed() || !reader.ended()) return false;
  std::memcpy(subnet.address.data(), address.data(), address.size());
  if (subnet.source % 8 != 0) {
    const auto behind = std::byte{0xff} >> (subnet.source % 8);
    if ((address.back() & behind) != std::byte{0}) return false;
  }
  edns.subnet = subnet;
  return true;
}

/// RFC 7873 section 4: 8 bytes of the client, and 8 to 32 of the server's or none.
bool read_cookie(Bytes data, Edns& edns) {
  const bool has_server_part = data.size() >= 16 && data.size() <= 40;
  if (data.size() != 8 && !has_server_part) return false;
  edns.cookie = data;
  return true;
}

/// Options that nobody knows are passed over, RFC 6891 section 6.1.2. Of one that is repeated the first counts.
bool read_options(Bytes data, Edns& edns) {
  Reader reader(data);
  while (!reader.ended()) {
    const auto code = static_cast<Option>(reader.u16());
    const std::uint16_t size = reader.u16();
    const Bytes value = reader.take(size);
    if (reader.failed()) return false;
    if (code == Option::nsid) edns.nsid = true;
    if (code == Option::client_subnet && !edns.subnet && !read_subnet(value, edns)) return false;
    if (code == Option::cookie && edns.cookie.empty() && !read_cookie(value, edns)) return false;
  }
  return true;
}

bool read_opt(bool is_of_root, std::uint16_t klass, std::uint32_t ttl, Bytes data, Query& query) {
  if (!is_of_root || query.edns) return false;  // RFC 6891 section 6.1.1
  Edns& edns = query.edns.emplace();
  edns.udp_size = std::max<std::uint16_t>(klass, kPlainUdpSize);
  edns.version = static_cast<std::uint8_t>(ttl >> 16U);
  edns.dnssec_ok = (ttl & kDnssecOk) != 0;
  edns.compact_ok = (ttl & kCompactAnswersOk) != 0;
  // Another version's options may mean anything; it is told which version there is.
  return edns.version != 0 || read_options(data, edns);
}

/// One record. OPT may stand in the additional section alone.
bool read_record(Reader& reader, bool is_additional, Query& query) {
  const std::size_t begin = reader.at();
  skip_name(reader);
  const bool is_of_root = reader.at() == begin + 1;
  const auto type = static_cast<Type>(reader.u16());
  const std::uint16_t klass = reader.u16();
  const std::uint32_t high = reader.u16();
  const std::uint32_t ttl = high << 16U | reader.u16();
  const std::uint16_t size = reader.u16();
  const Bytes data = reader.take(size);
  if (reader.failed()) return false;
  if (type != Type::opt) return true;
  return is_additional && read_opt(is_of_root, klass, ttl, data, query);
}

}  // namespace

Reading read_query(Bytes message, Query& query) {
  if (message.size() < kHeaderSize) return Reading::too_short;
  Reader reader(message);
  query.id = reader.u16();
  query.flags = reader.u16();
  if ((query.flags & flag::kResponse) != 0) return Reading::response;
  if ((query.flags & flag::kOpcode) != 0) return Reading::opcode;
  const std::uint16_t questions = reader.u16();
  const unsigned answers = reader.u16();
  const unsigned authorities = reader.u16();
  const unsigned additionals = reader.u16();
  if (questions > 1) return Reading::malformed;
  if (questions == 1) {
    read_name(reader, query);
    query.type = static_cast<Type>(reader.u16());
    query.klass = reader.u16();
    if (reader.failed()) return Reading::malformed;
    query.question = message.subspan(kHeaderSize, reader.at() - kHeaderSize);
  }
  for (unsigned i = 0; i < answers + authorities + additionals; ++i) {
    if (!read_record(reader, i >= answers + authorities, query)) return Reading::malformed;
  }
  if (!reader.ended()) return Reading::malformed;
  if (questions == 0) return query.edns ? Reading::no_question : Reading::malformed;
  return Reading::sound;
}

}  // namespace astil::dns
