#include "control/api/tokens.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "dataplane/base/descriptor.hpp"

namespace astil::api {
namespace {

constexpr std::string_view kBlanks = " \t\r";

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/// RFC 6750, section 2.1: b64token.
bool is_token(std::string_view text) {
  constexpr std::string_view kOthers = "-._~+/=";
  return text.size() >= Tokens::kLeastLength && text.size() <= Tokens::kMostLength &&
         std::ranges::all_of(text, [&](char c) { return is_letter_or_digit(c) || kOthers.find(c) != kOthers.npos; });
}

bool is_name(std::string_view text) {
  constexpr std::string_view kOthers = "._-";
  constexpr std::size_t kMost = 64;
  return !text.empty() && text.size() <= kMost &&
         std::ranges::all_of(text, [&](char c) { return is_letter_or_digit(c) || kOthers.find(c) != kOthers.npos; });
}

/// Takes the next word off the line; empty: there is none.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

Result<Access> access_of(std::string_view role) {
  if (role == "read-only") return Access::read;
  if (role == "operator") return Access::everything;
  return Error{"the second word is not a role", "use read-only or operator"};
}

}  // namespace

Result<Tokens> Tokens::load(const std::string& path) {
  const base::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat found {};
  if (file.get() < 0 || ::fstat(file.get(), &found) != 0) return system_error(path, errno);
  if (!S_ISREG(found.st_mode)) return Error{path + " is not a file", {}};
  constexpr mode_t kOthers = 077;
  if ((found.st_mode & kOthers) != 0)
    return Error{path + " can be read or written by others than its owner", "chmod 600 " + path};
  if (found.st_uid != 0 && found.st_uid != ::geteuid())
    return Error{path + " belongs to another user", "chown root " + path};
  std::string text(kMostBytes + 1, '\0');
  std::size_t length = 0;
  while (length < text.size()) {
    const ssize_t read = ::read(file.get(), text.data() + length, text.size() - length);
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) return system_error(path, errno);
    if (read == 0) break;
    length += static_cast<std::size_t>(read);
  }
  if (length > kMostBytes) return Error{path + " is longer than " + std::to_string(kMostBytes) + " bytes", {}};
  text.resize(length);
  auto tokens = parse(text, path);
  ::OPENSSL_cleanse(text.data(), text.size());
  return tokens;
}

Result<Tokens> Tokens::parse(std::string_view text, const std::string& file) {
  Tokens tokens;
  std::set<std::string, std::less<>> names;
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const auto wrong = [&](const std::string& what, const std::string& remedy) {
      return Error{file + ":" + std::to_string(number) + ": " + what, remedy};
    };
    const std::string_view name = take_word(line);
    if (name.empty() || name.front() == '#') continue;
    const std::string_view role = take_word(line);
    const std::string_view token = take_word(line);
    if (token.empty() || !take_word(line).empty())
      return wrong("a line has a name, a role and a token", "write: NAME read-only|operator TOKEN");
    if (!is_name(name)) return wrong("the name has other characters than letters, digits and ._-, or more than 64", {});
    const auto access = access_of(role);
    if (!access) return wrong(access.error().what, access.error().remedy);
    if (!is_token(token)) {
      return wrong("the token has fewer than " + std::to_string(kLeastLength) + " or more than " +
                       std::to_string(kMostLength) + " characters, or others than letters, digits and -._~+/=",
                   "make one: openssl rand -hex 32");
    }
    if (!names.emplace(name).second) return wrong("the name stands twice", "give each token a name of its own");
    if (tokens.find(token) != nullptr) return wrong("the token is another name's already", "make another one");
    if (tokens.known_.size() == kMost) return wrong("there are more than " + std::to_string(kMost) + " tokens", {});
    tokens.known_.push_back({.owner = {.name = std::string(name), .access = *access}, .digest = digest_of(token)});
  }
  if (tokens.known_.empty()) return Error{file + " has no token", "write: NAME read-only|operator TOKEN"};
  return tokens;
}

Tokens::Digest Tokens::digest_of(std::string_view token) {
  Digest digest{};
  ::SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());
  return digest;
}

const Tokens::Owner* Tokens::find(std::string_view token) const {
  const Digest asked = digest_of(token);
  const Owner* found = nullptr;
  for (const Known& known : known_) {
    const bool same = ::CRYPTO_memcmp(asked.data(), known.digest.data(), asked.size()) == 0;
    found = same ? &known.owner : found;
  }
  return found;
}

std::string_view bearer_of(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer";
  const std::string_view scheme = authorization.substr(0, authorization.find(' '));
  const bool same = std::ranges::equal(scheme, kScheme, {}, [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  if (!same) return {};
  authorization.remove_prefix(scheme.size());
  return take_word(authorization);
}

}  // namespace astil::api
