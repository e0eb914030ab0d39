#include "control/ha/vrrp/authentication.hpp"

#include <sodium.h>

#include <algorithm>

namespace astil::ha {
namespace {

static_assert(crypto_auth_hmacsha256_BYTES == std::tuple_size_v<Code>);
static_assert(crypto_auth_hmacsha256_KEYBYTES == std::tuple_size_v<Secret>);

const unsigned char* raw(Bytes bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

Code hmac(const Secret& key, Bytes bytes) {
  Code code{};
  crypto_auth_hmacsha256(code.data(), raw(bytes), bytes.size(), key.data());
  return code;
}

template <class T>
void append(std::vector<std::byte>& out, T number) {
  for (std::size_t shift = sizeof(T) * 8; shift > 0; shift -= 8)
    out.push_back(static_cast<std::byte>(number >> (shift - 8) & 0xffU));
}

template <class T>
T read(Bytes bytes) {
  T number = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) number = static_cast<T>(number << 8U | std::to_integer<T>(bytes[i]));
  return number;
}

std::vector<std::byte> joined(Bytes context, Bytes bytes) {
  std::vector<std::byte> all(context.begin(), context.end());
  all.insert(all.end(), bytes.begin(), bytes.end());
  return all;
}

}  // namespace

Key::Key(const Secret& secret, std::string_view purpose) : key_(hmac(secret, std::as_bytes(std::span(purpose)))) {
  constexpr std::string_view kIdPurpose = "id";
  const Code id = hmac(key_, std::as_bytes(std::span(kIdPurpose)));
  id_ = read<std::uint32_t>(std::as_bytes(std::span(id)).first(4));
}

Code Key::code_of(Bytes bytes) const { return hmac(key_, bytes); }

bool Key::is_right(const Code& code, Bytes bytes) const {
  return crypto_auth_hmacsha256_verify(code.data(), raw(bytes), bytes.size(), key_.data()) == 0;
}

KeyRing::KeyRing(const KeyRecord& current, const KeyRecord& previous, std::string_view purpose) {
  for (const KeyRecord* record : {&current, &previous}) {
    if (record->present != 0) keys_.emplace_back(record->secret, purpose);
  }
}

const Key* KeyRing::find(std::uint32_t id) const {
  const auto found = std::find_if(keys_.begin(), keys_.end(), [&](const Key& key) { return key.id() == id; });
  return found == keys_.end() ? nullptr : &*found;
}

std::vector<std::byte> KeyRing::seal(Bytes bytes, Bytes context, std::uint64_t counter) const {
  std::vector<std::byte> sealed(bytes.begin(), bytes.end());
  append(sealed, current()->id());
  append(sealed, counter);
  const Code code = current()->code_of(joined(context, sealed));
  const auto of_code = std::as_bytes(std::span(code));
  sealed.insert(sealed.end(), of_code.begin(), of_code.end());
  return sealed;
}

boost::system::result<KeyRing::Opened, KeyRing::Fault> KeyRing::open(Bytes sealed, Bytes context) const {
  if (sealed.size() < kTrailer) return Fault::unauthenticated;
  const Bytes trailer = sealed.last(kTrailer);
  const Key* key = find(read<std::uint32_t>(trailer.first(4)));
  if (key == nullptr) return Fault::unauthenticated;
  Code code{};
  const Bytes of_code = trailer.last(code.size());
  std::transform(of_code.begin(), of_code.end(), code.begin(), std::to_integer<std::uint8_t>);
  if (!key->is_right(code, joined(context, sealed.first(sealed.size() - code.size())))) return Fault::wrong_code;
  return Opened{.bytes = sealed.first(sealed.size() - kTrailer), .counter = read<std::uint64_t>(trailer.subspan(4, 8))};
}

bool ReplayGuard::is_new(const address& sender, std::uint64_t counter) {
  auto& last = last_[sender];
  if (counter <= last) return false;
  last = counter;
  return true;
}

std::vector<std::byte> bytes_of(const address& host) {
  const AddressRecord record = to_record(host);
  const auto all = std::as_bytes(std::span(record.bytes)).first(host.is_v4() ? 4 : 16);
  return {all.begin(), all.end()};
}

}  // namespace astil::ha
