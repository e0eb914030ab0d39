#include "control/dns/writer.hpp"

#include <algorithm>
#include <cstring>

#include "control/dns/name.hpp"

namespace astil::dns {
namespace {

constexpr unsigned kPointer = 0xc000;
constexpr std::size_t kFarthest = 0x3fff;  ///< that a pointer can point at
constexpr std::size_t kQuestion = 3;

}  // namespace

Writer::Writer(std::span<std::byte> room, std::size_t limit) : room_(room), limit_(std::min(limit, room.size())) {}

void Writer::u8(unsigned value) {
  if (size_ >= limit_) {
    overflowed_ = true;
    return;
  }
  room_[size_++] = static_cast<std::byte>(value);
}

void Writer::u16(unsigned value) {
  u8(value >> 8U & 0xffU);
  u8(value & 0xffU);
}

void Writer::u32(std::uint32_t value) {
  u16(value >> 16U);
  u16(value & 0xffffU);
}

void Writer::raw(std::string_view bytes) {
  if (bytes.size() > limit_ - size_) {
    overflowed_ = true;
    return;
  }
  std::memcpy(room_.data() + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

/// Whether the name that is written at that place is this one, by any case.
bool Writer::stands_at(std::size_t at, std::string_view name) const {
  for (;;) {
    unsigned length = std::to_integer<unsigned>(room_[at]);
    while (length >= 0xc0) {  // pointers are written here alone, and lead back
      at = (length & 0x3fU) << 8U | std::to_integer<unsigned>(room_[at + 1]);
      length = std::to_integer<unsigned>(room_[at]);
    }
    if (length != static_cast<unsigned char>(name.front())) return false;
    if (length == 0) return true;
    for (std::size_t i = 1; i <= length; ++i) {
      if (folded(static_cast<char>(room_[at + i])) != folded(name[i])) return false;
    }
    at += 1 + length;
    name.remove_prefix(1 + length);
  }
}

void Writer::name(std::string_view name) {
  const std::size_t known = remembered_;
  while (!is_root(name)) {
    for (std::size_t i = 0; i < known; ++i) {
      if (stands_at(names_[i], name)) return u16(kPointer | names_[i]);
    }
    const std::size_t at = size_;
    raw(name.substr(0, 1 + static_cast<unsigned char>(name.front())));
    if (overflowed_) return;
    if (remembered_ < kRemembered && at <= kFarthest) names_[remembered_++] = static_cast<std::uint16_t>(at);
    name = parent_of(name);
  }
  u8(0);
}

void Writer::question(Bytes question) {
  raw({reinterpret_cast<const char*>(question.data()), question.size()});
  counts_[kQuestion] = 1;
  after_question_ = size_;
  // Each of its suffixes can be pointed at.
  for (std::size_t at = kHeaderSize; room_[at] != std::byte{0} && remembered_ < kRemembered;
       at += 1 + std::to_integer<std::size_t>(room_[at]))
    names_[remembered_++] = static_cast<std::uint16_t>(at);
  remembered_of_question_ = remembered_;
}

void Writer::data(Type type, std::string_view data) {
  const std::size_t at = size_;
  u16(0);
  if (type == Type::mx) {
    raw(data.substr(0, 2));
    name(data.substr(2));
  } else if (type == Type::ns || type == Type::cname || type == Type::ptr) {
    name(data);
  } else if (type == Type::soa) {
    std::size_t first = 0;
    while (data[first] != 0) first += 1U + static_cast<unsigned char>(data[first]);
    ++first;
    name(data.substr(0, first));
    constexpr std::size_t kNumbers = 20;  // RFC 1035 section 3.3.13
    name(data.substr(first, data.size() - first - kNumbers));
    raw(data.substr(data.size() - kNumbers));
  } else {
    raw(data);
  }
  if (overflowed_) return;
  const std::size_t length = size_ - at - 2;
  room_[at] = static_cast<std::byte>(length >> 8U);
  room_[at + 1] = static_cast<std::byte>(length & 0xffU);
}

void Writer::rest(Section section, Type type, std::uint32_t ttl, std::string_view bytes, std::size_t begin) {
  u16(static_cast<unsigned>(type));
  u16(kClassIn);
  u32(ttl);
  data(type, bytes);
  if (overflowed_) {
    size_ = begin;
    return;
  }
  ++counts_[static_cast<std::size_t>(section)];
}

void Writer::record(Section section, std::string_view owner, Type type, std::uint32_t ttl, std::string_view data) {
  const std::size_t begin = size_;
  if (overflowed_) return;
  name(owner);
  rest(section, type, ttl, data, begin);
}

void Writer::record_of_question(Section section, Type type, std::uint32_t ttl, std::string_view data) {
  const std::size_t begin = size_;
  if (overflowed_) return;
  if (room_[kHeaderSize] == std::byte{0}) {
    u8(0);
  } else {
    u16(kPointer | kHeaderSize);
  }
  rest(section, type, ttl, data, begin);
}

void Writer::opt(std::uint16_t udp_size, Code code, std::uint16_t flags, Bytes options) {
  const std::size_t begin = size_;
  u8(0);
  u16(static_cast<unsigned>(Type::opt));
  u16(udp_size);
  u8(static_cast<unsigned>(code) >> 4U);  // RFC 6891 section 6.1.3
  u8(0);
  u16(flags);
  u16(static_cast<unsigned>(options.size()));
  raw({reinterpret_cast<const char*>(options.data()), options.size()});
  if (overflowed_) {
    size_ = begin;
    return;
  }
  ++counts_[static_cast<std::size_t>(Section::additional)];
}

void Writer::reserve(std::size_t bytes) {
  const std::size_t held = std::min(bytes, limit_ - size_);
  limit_ -= held;
  reserved_ += held;
}

void Writer::drop_records() {
  size_ = after_question_;
  counts_ = {0, 0, 0, counts_[kQuestion]};
  remembered_ = remembered_of_question_;
  overflowed_ = false;
}

std::size_t Writer::finish(std::uint16_t id, std::uint16_t flags) {
  const std::array<unsigned, 6> words{id, flags, counts_[kQuestion], counts_[0], counts_[1], counts_[2]};
  for (std::size_t i = 0; i < words.size(); ++i) {
    room_[2 * i] = static_cast<std::byte>(words[i] >> 8U);
    room_[2 * i + 1] = static_cast<std::byte>(words[i] & 0xffU);
  }
  return size_;
}

}  // namespace astil::dns
