// Making and removing the socket's file.
#include "control/api/unix_socket.hpp"

#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

namespace astil::api {
namespace {

using Protocol = boost::asio::local::stream_protocol;

constexpr mode_t kMode = 0660;

Error on_path(const std::string& path, const boost::system::error_code& failed, const std::string& remedy = {}) {
  return Error{failed.message(), remedy}.within("API socket " + path);
}

Error on_path(const std::string& path, const std::string& what, const std::string& remedy) {
  return Error{what, remedy}.within("API socket " + path);
}

/// Whether something accepts connections at `path`. A full backlog counts: somebody listens.
bool is_alive(boost::asio::io_context& loop, const std::string& path) {
  Protocol::socket probe(loop);
  boost::system::error_code failed;
  probe.open(Protocol(), failed);
  // connect(2) blocks while the backlog is full; a non-blocking one says EAGAIN.
  if (!failed) probe.native_non_blocking(true, failed);
  if (!failed) probe.connect(Protocol::endpoint(path), failed);
  return failed != boost::asio::error::connection_refused && failed != boost::system::errc::no_such_file_or_directory;
}

Result<> clear_the_way(boost::asio::io_context& loop, const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};
    return system_error("API socket " + path, errno);
  }
  if (!S_ISSOCK(found.st_mode)) {
    return on_path(path, "a file that is not a socket is in its place", "remove it, or set another path");
  }
  if (is_alive(loop, path)) {
    return on_path(path, "another daemon listens there", "stop it, or give this one another instance name");
  }
  if (::unlink(path.c_str()) != 0) return system_error("API socket " + path + ": remove the old one", errno);
  return {};
}

}  // namespace

Result<UnixListener> UnixListener::open(boost::asio::io_context& loop, const std::string& path) {
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return on_path(path, "a socket's path has 1 to 107 characters", "set a shorter one");
  }
  boost::system::error_code failed;
  if (const auto folder = std::filesystem::path(path).parent_path(); !folder.empty()) {
    std::error_code not_made;
    std::filesystem::create_directories(folder, not_made);
    if (not_made) return on_path(path, "make its folder: " + not_made.message(), {});
  }
  if (const auto clear = clear_the_way(loop, path); !clear) return clear.error();

  Acceptor acceptor(loop);
  acceptor.open(Protocol(), failed);
  // On Linux the file gets the descriptor's mode, less the umask; so it is never open wider than kMode, not for a
  // moment.
  if (!failed && ::fchmod(acceptor.native_handle(), kMode) != 0) return system_error("API socket " + path, errno);
  if (!failed) acceptor.bind(Protocol::endpoint(path), failed);
  if (failed) return on_path(path, failed);
  struct stat made {};
  if (::lstat(path.c_str(), &made) != 0) return system_error("API socket " + path, errno);
  UnixListener listener(std::move(acceptor), path, made);
  if (::chmod(path.c_str(), kMode) != 0) return system_error("API socket " + path, errno);
  listener.acceptor_.listen(Acceptor::max_listen_connections, failed);
  if (failed) return on_path(path, failed);
  return listener;
}

UnixListener::UnixListener(Acceptor acceptor, std::string path, const struct stat& made)
    : acceptor_(std::move(acceptor)), path_(std::move(path)), device_(made.st_dev), inode_(made.st_ino) {}

UnixListener::UnixListener(UnixListener&& other) noexcept
    : acceptor_(std::move(other.acceptor_)),
      path_(std::exchange(other.path_, {})),
      device_(other.device_),
      inode_(other.inode_) {}

bool UnixListener::is_in_place() const {
  struct stat found {};
  return ::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_;
}

void UnixListener::remove() {
  if (!path_.empty() && is_in_place()) ::unlink(path_.c_str());
  path_.clear();
}

UnixListener::~UnixListener() { remove(); }

}  // namespace astil::api
