#include "control/ha/sync/keyring.hpp"

#include <sodium.h>

#include <cstring>
#include <string_view>

namespace astil::ha::sync {
namespace {

static_assert(kCodeBytes == crypto_aead_xchacha20poly1305_ietf_ABYTES);

using Nonce = std::array<std::uint8_t, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES>;

Nonce nonce_of(const Envelope& envelope) {
  Nonce nonce;
  static_assert(sizeof(nonce) == sizeof(envelope.sender) + sizeof(envelope.sequence));
  std::memcpy(nonce.data(), &envelope.sender, sizeof(envelope.sender));
  std::memcpy(nonce.data() + sizeof(envelope.sender), &envelope.sequence, sizeof(envelope.sequence));
  return nonce;
}

const unsigned char* octets(const void* bytes) { return static_cast<const unsigned char*>(bytes); }
unsigned char* octets(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

/// BLAKE2b (RFC 7693) keyed with the secret.
template <std::size_t N>
std::array<std::uint8_t, N> hash_for(const Secret& secret, std::string_view purpose) {
  std::array<std::uint8_t, N> out{};
  crypto_generichash(out.data(), out.size(), octets(purpose.data()), purpose.size(), secret.data(), secret.size());
  return out;
}

}  // namespace

Keyring::Key Keyring::derive(const Secret& secret) {
  const auto id = hash_for<crypto_generichash_BYTES_MIN>(secret, "astil flow sync, key id");
  Key key{.id = {}, .bytes = hash_for<32>(secret, "astil flow sync, key")};
  std::memcpy(&key.id, id.data(), sizeof(key.id));
  return key;
}

Keyring::Keyring(const Secret& current, const std::optional<Secret>& previous) : keys_{derive(current)} {
  if (previous) keys_.push_back(derive(*previous));
}

const Keyring::Key* Keyring::find(Be32 id) const {
  for (const Key& key : keys_) {
    if (key.id == id) return &key;
  }
  return nullptr;
}

void Keyring::seal(const Envelope& envelope, Bytes plain, std::byte* out) const {
  const Nonce nonce = nonce_of(envelope);
  crypto_aead_xchacha20poly1305_ietf_encrypt(octets(out), nullptr, octets(plain.data()), plain.size(),
                                             octets(&envelope), sizeof(envelope), nullptr, nonce.data(),
                                             keys_.front().bytes.data());
}

bool Keyring::open(const Envelope& envelope, Bytes sealed, std::byte* plain) const {
  const Key* key = find(envelope.key_id);
  if (key == nullptr) return false;
  const Nonce nonce = nonce_of(envelope);
  return crypto_aead_xchacha20poly1305_ietf_decrypt(octets(plain), nullptr, nullptr, octets(sealed.data()),
                                                    sealed.size(), octets(&envelope), sizeof(envelope), nonce.data(),
                                                    key->bytes.data()) == 0;
}

}  // namespace astil::ha::sync
