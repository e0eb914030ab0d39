#include "dataplane/xdp/takeover.hpp"

#include <bpf/bpf.h>

#include <cerrno>

namespace astil::xdp {

MovedLinks::~MovedLinks() {
  for (const PinnedLink& link : moved_) {
    // Where this fails, the next `open` finds both sets of tables in use, and carries from both.
    if (::bpf_link_update(link.descriptor.get(), link.program.get(), nullptr) != 0) pins_.keep();
  }
}

Result<void> MovedLinks::move(PinnedLink link) {
  if (::bpf_link_update(link.descriptor.get(), program_, nullptr) != 0) {
    return system_error("replace the program at " + link.path.string(), errno);
  }
  moved_.push_back(std::move(link));
  return {};
}

NewPins::~NewPins() {
  if (!folder_.empty()) (void)remove_folder(folder_);
}

}  // namespace astil::xdp
