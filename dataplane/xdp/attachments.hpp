// Where the packet path is attached, and how it gets there. What holds an attachment outlives the process: a pinned
// link, or tc's filter.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <vector>

#include "dataplane/dataplane.hpp"
#include "dataplane/xdp/pins.hpp"

namespace astil::xdp {

/// The programs of one packet path, by hook. The tc program is loaded where the first interface needs it.
struct Programs {
  int xdp = -1;
  std::function<Result<int>()> tc;
};

class Attachments {
 public:
  /// `folder`: the instance's, where links are pinned.
  Attachments(std::filesystem::path folder, Programs programs);

  /// As Dataplane::attach. An interface changes its hook without a packet in between, but for the two modes of XDP,
  /// which the kernel does not let stand beside each other.
  Result<dataplane::Attachment> attach(std::uint32_t ifindex, dataplane::Hook hook);
  Result<void> detach(std::uint32_t ifindex);
  /// Gives other programs to all that is held, and to what is attached from now on. After an error all have the
  /// programs that they had.
  Result<void> change_to(const Programs& programs);
  /// The same as far as it goes: an interface that can not be given its program does not keep others from theirs.
  Result<void> return_to(const Programs& programs);
  /// Puts right what somebody else has changed: attaches what was detached or has another program, names again what is
  /// pinned no more.
  std::vector<dataplane::Repair> mend();
  /// What an earlier daemon has attached, with our program already.
  void take_over(PinnedLink link);

  [[nodiscard]] std::vector<dataplane::Attachment> list() const;
  [[nodiscard]] bool is_tc(std::uint32_t ifindex) const;

 private:
  struct Held {
    dataplane::Hook wanted = dataplane::Hook::automatic;
    bool tc = false;
    base::Descriptor link;  ///< of XDP
    std::string hook;
    std::string why;
  };

  [[nodiscard]] Result<Held> make(std::uint32_t ifindex, dataplane::Hook hook) const;
  [[nodiscard]] Result<Held> make_automatic(std::uint32_t ifindex) const;
  [[nodiscard]] Result<Held> make_xdp(std::uint32_t ifindex, dataplane::Hook hook) const;
  [[nodiscard]] Result<Held> pinned(std::uint32_t ifindex, base::Descriptor link, const char* hook,
                                    const char* why) const;
  [[nodiscard]] Result<Held> make_tc(std::uint32_t ifindex, const std::string& why) const;
  [[nodiscard]] bool is_alive(std::uint32_t ifindex, const Held& held) const;
  /// What was put right; empty: nothing was wrong.
  struct Mended {
    std::string what;
  };
  [[nodiscard]] Result<Mended> mend_program(std::uint32_t ifindex, const Held& held);
  [[nodiscard]] Result<Mended> mend_pin(std::uint32_t ifindex, const Held& held) const;
  [[nodiscard]] Result<void> remove(std::uint32_t ifindex, Held held) const;
  [[nodiscard]] Result<void> give_program(std::uint32_t ifindex, const Held& held) const;
  [[nodiscard]] std::filesystem::path pin_of(std::uint32_t ifindex) const;

  std::filesystem::path folder_;
  Programs programs_;
  std::map<std::uint32_t, Held> held_;  ///< by ifindex
};

}  // namespace astil::xdp
