#include "control/cli/capture.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <ostream>
#include <utility>

#include "control/cli/table.hpp"

namespace astil::cli {
namespace {

/// Only its owner's: it holds what clients say.
constexpr mode_t kMode = 0600;

}  // namespace

CaptureFile::CaptureFile(std::string name, std::ostream& out) : name_(std::move(name)), out_(out) {}

CaptureFile::~CaptureFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

GoOn CaptureFile::write(std::string_view piece) {
  const auto blocks = reader_.take(piece);
  outcome_ = blocks ? write_blocks(*blocks)
                    : Result<>(Error{"the daemon's answer is no capture", "is something else listening there?"});
  return outcome_ && out_.good() ? GoOn::yes : GoOn::no;
}

Result<> CaptureFile::write_blocks(const std::string& blocks) {
  if (name_ == kOut) {
    out_ << blocks << std::flush;
    return {};
  }
  if (descriptor_ < 0) descriptor_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode);
  if (descriptor_ < 0) return system_error(name_, errno);
  for (std::string_view left = blocks; !left.empty();) {
    const ssize_t written = ::write(descriptor_, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error(name_, errno);
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<> CaptureFile::close() {
  // A network's file system may tell only here that there was no room.
  if (descriptor_ >= 0 && ::close(std::exchange(descriptor_, -1)) != 0 && outcome_) return system_error(name_, errno);
  return outcome_;
}

boost::json::value CaptureFile::summary() const {
  boost::json::object summary{{"file", name_}, {"frames", reader_.frames()}};
  if (const auto& end = reader_.statistics()) {
    summary["packets"] = end->delivered;
    summary["over_rate"] = end->over_rate;
    summary["lost"] = end->lost;
    summary["ended"] = end->comment;
  }
  return summary;
}

std::string CaptureFile::summary_text() const {
  const auto& end = reader_.statistics();
  if (!end) return "astil: " + plural(reader_.frames(), "frame") + " captured\n";
  std::string text = "astil: " + plural(end->delivered, "packet") + " captured, in " +
                     plural(reader_.frames(), "frame") + "; it ended since " + printable(end->comment) + "\n";
  if (end->over_rate + end->lost == 0) return text;
  return text + "astil: " + plural(end->over_rate + end->lost, "packet") +
         " left out: " + std::to_string(end->over_rate) + " above the rate, " + std::to_string(end->lost) +
         " not taken in time\n";
}

}  // namespace astil::cli
