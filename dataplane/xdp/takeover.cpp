#include "dataplane/xdp/takeover.hpp"

#include <bpf/bpf.h>

#include <cerrno>

#include "dataplane/xdp/tc_filter.hpp"

namespace astil::xdp {

MovedLinks::~MovedLinks() {
  for (const PinnedLink& link : moved_) {
    // Where this fails, the next `open` finds both sets of tables in use, and carries from both.
    if (give(link, link.program.get()).has_error()) pins_.keep();
  }
}

Result<void> MovedLinks::give(const PinnedLink& link, int program) const {
  if (link.tc) return TcFilter(folder_.filename().string(), link.ifindex).attach(program, folder_);
  if (::bpf_link_update(link.descriptor.get(), program, nullptr) != 0)
    return system_error("replace the program at " + link.path.string(), errno);
  return {};
}

Result<void> MovedLinks::move(PinnedLink link) {
  auto program = link.tc ? programs_.tc() : Result<int>(programs_.xdp);
  if (program.has_error()) return program.error();
  if (auto given = give(link, *program); given.has_error()) return given.error();
  moved_.push_back(std::move(link));
  return {};
}

NewPins::~NewPins() {
  if (!folder_.empty()) (void)remove_folder(folder_);
}

}  // namespace astil::xdp
