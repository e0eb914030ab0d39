#include "dataplane/xdp/attachments.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <array>
#include <cerrno>
#include <utility>

#include "dataplane/xdp/rtnetlink.hpp"
#include "dataplane/xdp/tc_filter.hpp"

namespace astil::xdp {
namespace {

using dataplane::Attachment;
using dataplane::Hook;

constexpr const char* kNative = "xdp native";
constexpr const char* kGeneric = "xdp generic";
constexpr const char* kTc = "tc";
constexpr const char* kAsked = "the configuration names it";

Error attach_error(std::uint32_t ifindex, int errno_value) {
  const std::string action = "attach to interface " + std::to_string(ifindex);
  if (errno_value == EBUSY || errno_value == EEXIST) {
    std::uint32_t other = 0;
    ::bpf_xdp_query_id(static_cast<int>(ifindex), 0, &other);
    return {
        action + ": it has another XDP program" + (other != 0 ? " (id " + std::to_string(other) + ")" : std::string()),
        "remove that one first: 'ip link set dev NAME xdp off'; where a BPF link holds it ('bpftool net', 'bpftool "
        "link'), end what made the link; another instance of Astil lets go with 'astil --instance NAME detach'"};
  }
  if (errno_value == EPERM)
    return {action + ": Operation not permitted", "run as root, or with CAP_BPF and CAP_NET_ADMIN"};
  if (errno_value == ENODEV) return {action + ": no such interface", {}};
  return system_error(action, errno_value);
}

/// Does the kernel say that the driver takes no XDP program, or not this one?
bool is_refusal_of_driver(int errno_value) { return errno_value == EOPNOTSUPP || errno_value == EINVAL; }

base::Descriptor link_program(int program, std::uint32_t ifindex, std::uint32_t flags) {
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
  return base::Descriptor(::bpf_link_create(program, static_cast<int>(ifindex), BPF_XDP, &options));
}

/// The mode in which a link of an earlier daemon is attached.
const char* mode_of(std::uint32_t ifindex) {
  LIBBPF_OPTS(bpf_xdp_query_opts, query);
  const bool generic =
      ::bpf_xdp_query(static_cast<int>(ifindex), 0, &query) == 0 && query.attach_mode == XDP_ATTACHED_SKB;
  return generic ? kGeneric : kNative;
}

/// Is what is attached what the configuration wants?
bool suits(const std::string& hook, Hook wanted) {
  if (wanted == Hook::automatic) return true;
  return hook == (wanted == Hook::xdp ? kNative : wanted == Hook::tc ? kTc : kGeneric);
}

}  // namespace

Attachments::Attachments(std::filesystem::path folder, Programs programs)
    : folder_(std::move(folder)), programs_(std::move(programs)) {}

std::filesystem::path Attachments::pin_of(std::uint32_t ifindex) const {
  return folder_ / ("link-" + std::to_string(ifindex));
}

Result<Attachments::Held> Attachments::pinned(std::uint32_t ifindex, base::Descriptor link, const char* hook,
                                              const char* why) const {
  const std::string path = pin_of(ifindex).string();
  if (::bpf_obj_pin(link.get(), path.c_str()) != 0) return system_error("pin " + path, errno);
  return Held{.link = std::move(link), .hook = hook, .why = why};
}

Result<Attachments::Held> Attachments::make_xdp(std::uint32_t ifindex, Hook hook) const {
  const bool generic = hook == Hook::xdp_generic;
  base::Descriptor link = link_program(programs_.xdp, ifindex, generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
  if (link.valid()) return pinned(ifindex, std::move(link), generic ? kGeneric : kNative, kAsked);
  const int refusal = errno;
  Error error = attach_error(ifindex, refusal);
  if (!generic && is_refusal_of_driver(refusal)) {
    error = {"the driver of interface " + std::to_string(ifindex) +
                 " takes no native XDP program: " + std::strerror(refusal),
             "let its hook be auto, tc or xdp-generic"};
  }
  return error;
}

Result<Attachments::Held> Attachments::make_tc(std::uint32_t ifindex, const std::string& why) const {
  auto program = programs_.tc();
  if (program.has_error()) return program.error();
  const TcFilter filter(folder_.filename().string(), ifindex);
  if (auto attached = filter.attach(*program, folder_); attached.has_error()) return attached.error();
  return Held{.tc = true, .link = {}, .hook = kTc, .why = why};
}

/// Inside the kernel, packets come with checksums and in sizes that are left to a device: XDP would have to have them
/// made good first, at the cost of all that they save.
Result<Attachments::Held> Attachments::make_automatic(std::uint32_t ifindex) const {
  const auto device = has_device(ifindex);
  if (device.has_error()) return device.error();
  if (!*device) return make_tc(ifindex, "a virtual interface: its packets leave checksums and segments to a device");
  base::Descriptor link = link_program(programs_.xdp, ifindex, XDP_FLAGS_DRV_MODE);
  if (link.valid()) return pinned(ifindex, std::move(link), kNative, "the driver takes it");
  if (!is_refusal_of_driver(errno)) return attach_error(ifindex, errno);
  return make_tc(ifindex, std::string("the driver takes no native XDP program (") + std::strerror(errno) + ")");
}

Result<Attachments::Held> Attachments::make(std::uint32_t ifindex, Hook hook) const {
  switch (hook) {
    case Hook::automatic:
      return make_automatic(ifindex);
    case Hook::tc:
      return make_tc(ifindex, kAsked);
    case Hook::xdp:
    case Hook::xdp_generic:
      break;
  }
  return make_xdp(ifindex, hook);
}

bool Attachments::is_alive(std::uint32_t ifindex, const Held& held) const {
  if (held.tc) return TcFilter(folder_.filename().string(), ifindex).program_id() != 0;
  bpf_link_info info{};
  std::uint32_t length = sizeof(info);
  return ::bpf_obj_get_info_by_fd(held.link.get(), &info, &length) == 0 && info.xdp.ifindex == ifindex;
}

Result<Attachment> Attachments::attach(std::uint32_t ifindex, Hook hook) {
  auto known = held_.find(ifindex);
  if (known != held_.end() && !is_alive(ifindex, known->second)) {
    if (auto gone = detach(ifindex); gone.has_error()) return gone.error();
    known = held_.end();
  }
  if (known == held_.end() || !(known->second.wanted == hook || suits(known->second.hook, hook))) {
    const bool one_mode_for_another = known != held_.end() && !known->second.tc && hook != Hook::tc;
    if (one_mode_for_another) {
      if (auto gone = detach(ifindex); gone.has_error()) return gone.error();
      known = held_.end();
    }
    auto made = make(ifindex, hook);
    if (made.has_error()) return made.error();
    const bool other_stays = known != held_.end() && known->second.tc != made->tc;
    Held other = std::exchange(held_[ifindex], std::move(*made));
    if (other_stays) {
      if (auto gone = remove(ifindex, std::move(other)); gone.has_error()) return gone.error();
    }
  }
  Held& held = held_[ifindex];
  held.wanted = hook;
  return Attachment{.ifindex = ifindex, .hook = held.hook, .why = held.why};
}

/// A link whose last holder goes lets go of its interface later, at some time.
Result<void> Attachments::remove(std::uint32_t ifindex, Held held) const {
  if (held.tc) return TcFilter(folder_.filename().string(), ifindex).remove(folder_);
  ::bpf_link_detach(held.link.get());
  std::error_code error;
  std::filesystem::remove(pin_of(ifindex), error);
  if (error) return Error{"remove the pin of interface " + std::to_string(ifindex) + ": " + error.message(), {}};
  return {};
}

Result<void> Attachments::detach(std::uint32_t ifindex) {
  const auto known = held_.find(ifindex);
  if (known == held_.end()) return {};
  Held held = std::move(known->second);
  held_.erase(known);
  return remove(ifindex, std::move(held));
}

Result<void> Attachments::give_program(std::uint32_t ifindex, const Held& held) const {
  if (!is_alive(ifindex, held)) return {};  // `attach` or `detach` will see to it
  auto program = held.tc ? programs_.tc() : Result<int>(programs_.xdp);
  if (program.has_error()) return program.error();
  if (held.tc) return TcFilter(folder_.filename().string(), ifindex).attach(*program, folder_);
  if (::bpf_link_update(held.link.get(), *program, nullptr) != 0)
    return system_error("replace the program of interface " + std::to_string(ifindex), errno);
  return {};
}

Result<void> Attachments::change_to(const Programs& programs) {
  const Programs before = programs_;
  auto changed = return_to(programs);
  if (changed.has_error()) (void)return_to(before);
  return changed;
}

Result<void> Attachments::return_to(const Programs& programs) {
  programs_ = programs;
  Result<void> outcome;
  for (const auto& [ifindex, held] : held_) {
    auto given = give_program(ifindex, held);
    if (given.has_error() && outcome.has_value()) outcome = given.error();
  }
  return outcome;
}

namespace {

std::string name_of(std::uint32_t ifindex) {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(ifindex, name.data()) == nullptr ? std::string() : std::string(name.data());
}

std::uint32_t id_of_program(int program) {
  bpf_prog_info info{};
  std::uint32_t length = sizeof(info);
  return ::bpf_obj_get_info_by_fd(program, &info, &length) == 0 ? info.id : 0;
}

}  // namespace

/// What was wrong with the program at an interface, and is so no more; empty: nothing was.
Result<Attachments::Mended> Attachments::mend_program(std::uint32_t ifindex, const Held& held) {
  std::uint32_t attached = 0;
  if (held.tc) {
    attached = TcFilter(folder_.filename().string(), ifindex).program_id();
  } else {
    bpf_link_info info{};
    std::uint32_t length = sizeof(info);
    if (::bpf_obj_get_info_by_fd(held.link.get(), &info, &length) == 0 && info.xdp.ifindex == ifindex)
      attached = info.prog_id;
  }
  if (attached == 0) {
    auto again = attach(ifindex, held.wanted);
    if (again.has_error()) return again.error();
    return Mended{"somebody else had detached it"};
  }
  auto program = held.tc ? programs_.tc() : Result<int>(programs_.xdp);
  if (program.has_error()) return program.error();
  if (attached == id_of_program(*program)) return Mended{};
  if (auto given = give_program(ifindex, held); given.has_error()) return given.error();
  return Mended{"somebody else had put program " + std::to_string(attached) + " in its place"};
}

/// Likewise for what tells the next daemon of it.
Result<Attachments::Mended> Attachments::mend_pin(std::uint32_t ifindex, const Held& held) const {
  std::error_code error;
  const std::filesystem::path path = held.tc ? folder_ / ("tc-" + std::to_string(ifindex)) : pin_of(ifindex);
  if (std::filesystem::exists(path, error)) return Mended{};
  std::filesystem::create_directories(held.tc ? path : folder_, error);
  if (error) return Error{"make " + path.string() + ": " + error.message(), {}};
  if (!held.tc && ::bpf_obj_pin(held.link.get(), path.c_str()) != 0) return system_error("pin " + path.string(), errno);
  return Mended{"somebody else had removed " + path.string()};
}

std::vector<dataplane::Repair> Attachments::mend() {
  using dataplane::Repaired;
  std::vector<dataplane::Repair> repairs;
  for (const Attachment& each : list()) {
    const std::string name = name_of(each.ifindex);
    if (name.empty()) continue;
    const auto note = [&](Repaired kind, const Result<Mended>& done) {
      if (done.has_error())
        repairs.push_back({.kind = kind, .what = "interface " + name, .failure = done.error().text()});
      else if (!done->what.empty())
        repairs.push_back({.kind = kind, .what = "interface " + name + ": " + done->what, .failure = {}});
    };
    note(Repaired::attachment, mend_program(each.ifindex, held_.at(each.ifindex)));
    if (const auto held = held_.find(each.ifindex); held != held_.end())
      note(Repaired::pin, mend_pin(each.ifindex, held->second));
  }
  return repairs;
}

void Attachments::take_over(PinnedLink link) {
  held_[link.ifindex] = {.wanted = Hook::automatic,
                         .tc = link.tc,
                         .link = std::move(link.descriptor),
                         .hook = link.tc ? kTc : mode_of(link.ifindex),
                         .why = "taken over from the packet path that ran before"};
}

std::vector<Attachment> Attachments::list() const {
  std::vector<Attachment> list;
  for (const auto& [ifindex, held] : held_) list.push_back({.ifindex = ifindex, .hook = held.hook, .why = held.why});
  return list;
}

bool Attachments::is_tc(std::uint32_t ifindex) const {
  const auto known = held_.find(ifindex);
  return known != held_.end() && known->second.tc;
}

}  // namespace astil::xdp
