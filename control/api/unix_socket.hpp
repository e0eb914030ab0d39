// A listening Unix socket that is a file: made so that nobody but owner and group ever can connect, and removed by the
// one who made it only.
#pragma once

#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <string>

#include "control/base/result.hpp"

namespace astil::api {

class UnixListener {
 public:
  using Acceptor = boost::asio::local::stream_protocol::acceptor;

  /// Binds and listens at `path`, mode 0660; the folder is made if missing. A socket that refuses connections was left
  /// by a daemon that is gone and is replaced; one that accepts, or a file of another kind, is an error.
  [[nodiscard]] static Result<UnixListener> open(boost::asio::io_context& loop, const std::string& path);

  UnixListener(UnixListener&& other) noexcept;
  UnixListener& operator=(UnixListener&&) = delete;
  ~UnixListener();

  [[nodiscard]] Acceptor& acceptor() { return acceptor_; }
  /// The file is still the one that was made: nobody has removed it, or put another in its place.
  [[nodiscard]] bool is_in_place() const;
  /// Removes it, if it is.
  void remove();

 private:
  UnixListener(Acceptor acceptor, std::string path, const struct stat& made);

  Acceptor acceptor_;
  std::string path_;  // empty once moved from
  dev_t device_;
  ino_t inode_;
};

}  // namespace astil::api
