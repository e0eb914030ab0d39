// What the API over the network shows and asks for: the server's certificate with its key, and the tokens. Files that
// are changed are read again without a restart; what can not be read then leaves the certificate as it was, and no
// token valid.
#pragma once

#include <sys/stat.h>

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "control/api/credential_files.hpp"
#include "control/api/tokens.hpp"
#include "control/base/result.hpp"

namespace astil::api {

class Credentials {
 public:
  using Context = std::shared_ptr<boost::asio::ssl::context>;

  /// Reads all of them.
  [[nodiscard]] static Result<Credentials> load(CredentialFiles files);
  /// Reads those that have changed since. An error stands until its file is right.
  void look();

  /// For new connections; those that are open keep theirs.
  [[nodiscard]] const Context& context() const { return context_; }
  [[nodiscard]] const Tokens& tokens() const { return tokens_; }
  /// What is wrong with the files as they are now; empty: nothing.
  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  /// By what one tells that a file was changed.
  struct Mark {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const Mark&) const = default;
  };
  explicit Credentials(CredentialFiles files) : files_(std::move(files)) {}
  [[nodiscard]] static Mark mark_of(const std::string& file);
  [[nodiscard]] static Result<Context> make_context(const CredentialFiles& files);
  [[nodiscard]] Result<> read_identity();
  [[nodiscard]] Result<> read_tokens();

  CredentialFiles files_;
  Mark certificate_mark_;
  Mark key_mark_;
  Mark tokens_mark_;
  Context context_;
  Tokens tokens_;
  std::string identity_failure_;
  std::string tokens_failure_;
  std::string failure_;
};

}  // namespace astil::api
