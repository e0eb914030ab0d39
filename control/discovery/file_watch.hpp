// Tells when files may have changed, by the kernel's word (inotify) of the folders that they are in: so it hears of one
// that is exchanged for another, as careful writers do it, and of one that comes.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace astil::discovery {

class FileWatch {
 public:
  /// `changed` is called with a folder in which something has changed. Where there is no inotify it is never called:
  /// whoever wants to be sure looks again from time to time.
  FileWatch(boost::asio::io_context& loop, std::function<void(const std::string& folder)> changed);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  /// The folders from now on. One that is not there is tried again at the next call.
  void follow(const std::set<std::string>& folders);

 private:
  void await();

  std::function<void(const std::string&)> changed_;
  std::optional<boost::asio::posix::stream_descriptor> events_;
  std::map<std::string, int> watches_;
};

}  // namespace astil::discovery
