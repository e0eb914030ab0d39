#include "control/dns/key_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <sstream>

#include "control/base/regular_file.hpp"
#include "control/dns/name.hpp"
#include "control/dns/records.hpp"
#include "dataplane/base/descriptor.hpp"

namespace astil::dns {
namespace {

constexpr std::uint32_t kShownTtl = 3600;
constexpr std::string_view kPrivate = ".private";
constexpr std::string_view kPublic = ".key";
constexpr mode_t kForOwner = 0600;
constexpr mode_t kForAll = 0644;

std::string stem_of(const std::string& path) {
  for (const std::string_view ending : {kPrivate, kPublic}) {
    if (path.ends_with(ending)) return path.substr(0, path.size() - ending.size());
  }
  return path;
}

std::string to_base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

/// Empty: it is none.
std::string from_base64(std::string_view text) {
  std::string bytes(text.size(), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  if (size < 0 || static_cast<std::size_t>(size) < padding) return {};
  bytes.resize(static_cast<std::size_t>(size) - padding);
  return bytes;
}

/// What stands behind `PrivateKey:`.
Result<std::string> read_secret(const std::string& path) {
  const auto text = base::read_regular_file(path);
  if (text.has_error()) return text.error();
  constexpr std::string_view kField = "PrivateKey:";
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(kField)) continue;
    std::istringstream rest(line.substr(kField.size()));
    std::string word;
    rest >> word;
    std::string secret = from_base64(word);
    if (!secret.empty()) return Result<std::string>(boost::system::in_place_value, std::move(secret));
  }
  return Error{path + " has no line PrivateKey: with a key",
               "it is a file as dnssec-keygen, ldns-keygen or astil dns keys generate write it"};
}

Result<> write_new(const std::string& path, const std::string& text, mode_t mode) {
  const base::Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (file.get() < 0) return system_error("write " + path, errno);
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) || ::fsync(file.get()) != 0)
    return system_error("write " + path, errno);
  return {};
}

}  // namespace

Result<std::string> read_public_key(const std::string& path, const std::string& zone) {
  const std::string file = stem_of(path) + std::string(kPublic);
  const auto text = base::read_regular_file(file);
  if (text.has_error()) return text.error();
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.starts_with(';')) continue;
    auto record = parse_dnskey(line);
    if (record.has_error()) return record.error().within(file);
    if (record->owner != zone)
      return Error{file + " is a key of " + name_to_text(record->owner) + ", not of " + name_to_text(zone),
                   "name a key of this zone"};
    return Result<std::string>(boost::system::in_place_value, std::move(record->data));
  }
  return Error{file + " has no DNSKEY record", "it is a file as dnssec-keygen or astil dns keys generate write it"};
}

Result<SigningKey> read_key(const std::string& path, const std::string& zone) {
  auto dnskey = read_public_key(path, zone);
  if (dnskey.has_error()) return dnskey.error();
  const std::string file = stem_of(path) + std::string(kPrivate);
  const auto secret = read_secret(file);
  if (secret.has_error()) return secret.error();
  auto key = SigningKey::make(std::move(*dnskey), *secret);
  if (key.has_error()) return key.error().within(file);
  return key;
}

Result<std::string> write_key(const std::string& directory, const std::string& zone, const SigningKey& key) {
  const auto secret = key.secret();
  if (secret.has_error()) return secret.error();
  std::array<char, 16> numbers{};
  std::snprintf(numbers.data(), numbers.size(), "+%03u+%05u", static_cast<unsigned>(key.algorithm()), key.tag());
  const std::string owner = is_root(zone) ? "." : name_to_text(zone) + ".";
  const std::string stem = directory + "/K" + owner + numbers.data();
  const std::string algorithm = std::to_string(static_cast<unsigned>(key.algorithm()));
  const auto hidden =
      write_new(stem + std::string(kPrivate),
                "Private-key-format: v1.2\nAlgorithm: " + algorithm + " (" +
                    std::string(algorithm_name(key.algorithm())) + ")\nPrivateKey: " + to_base64(*secret) + "\n",
                kForOwner);
  if (hidden.has_error()) return hidden.error();
  const unsigned flags =
      static_cast<unsigned char>(key.dnskey()[0]) * 256U + static_cast<unsigned char>(key.dnskey()[1]);
  const auto shown = write_new(stem + std::string(kPublic),
                               owner + " IN DNSKEY " + std::to_string(flags) + " 3 " + algorithm + " " +
                                   to_base64(std::string_view(key.dnskey()).substr(4)) + "\n",
                               kForAll);
  if (shown.has_error()) return shown.error();
  return Result<std::string>(boost::system::in_place_value, stem);
}

std::string show_ds(const std::string& zone, const std::string& dnskey) {
  return show_record({.owner = zone, .type = Type::ds, .ttl = kShownTtl, .data = ds_of(zone, dnskey)});
}

}  // namespace astil::dns
