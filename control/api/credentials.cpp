#include "control/api/credentials.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>

#include "control/base/log.hpp"

namespace astil::api {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

/// TLS 1.2 with forward secrecy and authenticated encryption only; 1.3 has nothing else (RFC 9325, section 4.2).
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

}  // namespace

Result<Credentials> Credentials::load(CredentialFiles files) {
  Credentials credentials(std::move(files));
  if (auto read = credentials.read_identity(); !read) return read.error();
  if (auto read = credentials.read_tokens(); !read) return read.error();
  return credentials;
}

Credentials::Mark Credentials::mark_of(const std::string& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return {};
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  return {.device = found.st_dev,
          .inode = found.st_ino,
          .size = found.st_size,
          .changed_ns = found.st_ctim.tv_sec * kNanoseconds + found.st_ctim.tv_nsec};
}

Result<Credentials::Context> Credentials::make_context(const CredentialFiles& files) {
  struct stat key {};
  if (::stat(files.key.c_str(), &key) != 0) return system_error(files.key, errno);
  if ((key.st_mode & S_IRWXO) != 0) return Error{files.key + " can be read by everybody", "chmod 600 " + files.key};
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX* raw = context->native_handle();
  error_code failed;
  ::SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  ::SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  ::SSL_CTX_set_cipher_list(raw, kCiphers);
  // Buffers of idle connections are given back.
  ::SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  context->use_certificate_chain_file(files.certificate, failed);
  if (failed) return Error{files.certificate + ": " + failed.message(), "it must hold certificates in PEM"};
  context->use_private_key_file(files.key, ssl::context::pem, failed);
  if (failed) return Error{files.key + ": " + failed.message(), "it must hold the certificate's private key in PEM"};
  if (::SSL_CTX_check_private_key(raw) != 1) {
    ::ERR_clear_error();
    return Error{files.key + " is not the key of " + files.certificate, {}};
  }
  return context;
}

Result<> Credentials::read_identity() {
  certificate_mark_ = mark_of(files_.certificate);
  key_mark_ = mark_of(files_.key);
  auto context = make_context(files_);
  if (!context) return context.error();
  context_ = std::move(*context);
  return {};
}

Result<> Credentials::read_tokens() {
  tokens_mark_ = mark_of(files_.tokens);
  tokens_ = {};
  auto tokens = Tokens::load(files_.tokens);
  if (!tokens) return tokens.error();
  tokens_ = std::move(*tokens);
  return {};
}

void Credentials::look() {
  const auto note = [](std::string& failure, const Result<>& read, const std::string& file) {
    failure = read ? "" : read.error().text();
    if (read) log::info("the API read a file again", {{"file", file}});
    if (!read) log::error("the API can not use a file", {{"why", failure}});
  };
  if (mark_of(files_.certificate) != certificate_mark_ || mark_of(files_.key) != key_mark_)
    note(identity_failure_, read_identity(), files_.certificate);
  if (mark_of(files_.tokens) != tokens_mark_) note(tokens_failure_, read_tokens(), files_.tokens);
  failure_ = identity_failure_.empty() ? tokens_failure_ : identity_failure_;
}

}  // namespace astil::api
