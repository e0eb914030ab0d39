#include "control/app/pair.hpp"

#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <utility>

#include "control/base/log.hpp"
#include "dataplane/base/descriptor.hpp"

extern char** environ;

namespace astil::app {
namespace {

/// The process answers as soon as it has the CPU, which a real-time process has at once.
constexpr std::chrono::milliseconds kAnswerLimit{2000};
constexpr std::size_t kHooksAtOnce = 64;
/// A report comes each second.
constexpr unsigned kSilentLooks = 10;

std::string program_path() {
  std::error_code failed;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  return (failed ? std::filesystem::path("/usr/bin") : self.parent_path()) / "astil-vrrp";
}

/// Runs a program with this one's environment and standard error.
Result<pid_t> spawn(const std::string& path, std::vector<std::string> arguments) {
  std::vector<char*> words;
  for (std::string& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  pid_t process = -1;
  // Sockets of this process, such as the API's, would be held open by a program that outlives it.
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  const int error = ::posix_spawn(&process, path.c_str(), &actions, nullptr, words.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return system_error("start " + path, error);
  return process;
}

ha::EngineRecord engine_record(Pair::Engine engine, const std::string& proof) {
  return {.healthy = engine == Pair::Engine::forwards ? std::uint8_t{1} : std::uint8_t{0},
          .proof = ha::FixedText<108>(proof)};
}

ha::TableRecord table_record(TakeoverGate::Table table) {
  return {.complete = table == TakeoverGate::Table::complete ? std::uint8_t{1} : std::uint8_t{0}};
}

}  // namespace

Pair::Pair(boost::asio::io_context& loop, std::string instance, std::function<void()> changed)
    : loop_(loop),
      instance_(std::move(instance)),
      record_(instance_),
      changed_(std::move(changed)),
      retry_alarm_(loop),
      retry_(retry_alarm_,
             [this] {
               if (ha_ && !channel_) {
                 if (auto up = bring_up(); up.has_error()) {
                   log::error("astil-vrrp not reached", {{"error", up.error().text()}});
                   retry_.failed();
                 }
               }
             }),
      prober_(loop, [this] { return std::uniform_int_distribution<std::uint16_t>()(random_); }),
      track_alarm_(loop),
      file_alarm_(loop),
      tracks_(
          prober_, track_alarm_, file_alarm_, [this] { return std::uniform_real_distribution<double>()(random_); },
          [this] { tell_tracks(); }),
      gate_([this](TakeoverGate::Table table) {
        log::info("takeover gate", {{"table", table == TakeoverGate::Table::complete ? "complete" : "incomplete"}});
        tell_later(ha::message_of(++sequence_, table_record(table)));
      }) {}

Pair::~Pair() = default;

bool Pair::is_active() const {
  if (!report_) return false;
  return std::any_of(report_->groups.begin(), report_->groups.end(),
                     [](const ha::GroupReport& group) { return group.state == ha::GroupState::active; });
}

bool Pair::try_connect() {
  const std::string path = ha::channel_path(instance_);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  base::Descriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return false;
  constexpr int kRoom = static_cast<int>(2 * ha::kLongestMessage);
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kRoom, sizeof kRoom);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return false;
  ucred listener{};
  socklen_t size = sizeof listener;
  const bool known = ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &listener, &size) == 0;
  process_ = known ? listener.pid : 0;
  silent_looks_ = 0;
  channel_.emplace(loop_, socket.release());
  return true;
}

/// The program forks and returns when it listens.
Result<void> Pair::start_process() {
  // Where the guardian was killed too.
  if (auto cleared = record_.clear(); cleared.has_error()) return cleared;
  const std::string path = program_path();
  const auto started = spawn(path, {"astil-vrrp", "--socket", ha::channel_path(instance_)});
  if (started.has_error()) return started.error();
  int status = 0;
  if (::waitpid(*started, &status, 0) != *started || status != 0)
    return Error{"astil-vrrp did not start", "it says why in the log"};
  ++starts_;
  return {};
}

Result<void> Pair::connect() {
  if (channel_ || try_connect()) return {};
  if (auto started = start_process(); started.has_error()) return started.error();
  if (try_connect()) return {};
  return Error{"astil-vrrp does not answer at " + ha::channel_path(instance_), "see the log"};
}

/// Connects, and tells all that it has to know.
Result<void> Pair::bring_up() {
  if (!channel_) {
    if (auto connected = connect(); connected.has_error()) return connected.error();
    has_told_ = false;
    await_messages();
  }
  if (has_told_ && told_ == wanted_) return {};
  const bool is_new = !has_told_;
  // The gate first: nothing may start with the one of before.
  if (is_new) {
    if (auto told = tell(ha::message_of(++sequence_, table_record(gate_.table()))); told.has_error())
      return told.error();
  }
  std::vector<ha::GroupRecord> may_have = wanted_.groups;
  may_have.insert(may_have.end(), told_.groups.begin(), told_.groups.end());
  if (auto noted = record_.write(may_have); noted.has_error())
    log::warning("addresses of the pair not noted", {{"error", noted.error().text()}});
  if (auto told = tell(ha::message_of(++sequence_, wanted_)); told.has_error()) return told.error();
  told_ = wanted_;
  has_told_ = true;
  tell_later(ha::message_of(++sequence_, tracks_.record(*ha_, told_)));
  // What is not known yet is not told: a process that ran on knows better.
  if (is_new && engine_) tell_later(ha::message_of(++sequence_, engine_record(*engine_, proof_)));
  if (is_new && digest_ != 0) set_digest(digest_);
  retry_.rest();
  return {};
}

Result<void> Pair::follow(const config::Model& model, const std::set<config::address>& without) {
  if (!model.ha) {
    if (!ha_) (void)try_connect();
    return leave();
  }
  auto keys = read_keys(*model.ha);
  if (keys.has_error()) return keys.error();
  ha_ = model.ha;
  wanted_ = plan_pair(*ha_, *keys, without);
  tracks_.follow(*ha_);
  auto up = bring_up();
  if (up.has_error()) retry_.failed();
  return up;
}

void Pair::set_engine(Engine engine, const std::string& proof) {
  if (engine_ == engine && proof_ == proof) return;
  if (engine == Engine::stopped && engine_ == Engine::forwards)
    log::error("packets are not forwarded: the groups are left");
  engine_ = engine;
  proof_ = proof;
  tell_later(ha::message_of(++sequence_, engine_record(engine, proof_)));
}

void Pair::set_digest(std::uint64_t digest) {
  digest_ = digest;
  tell_later(ha::message_of(++sequence_, ha::DigestRecord{.digest = digest}));
}

Result<std::uint32_t> Pair::order_step_down(const std::vector<std::string>& groups,
                                            std::optional<std::chrono::milliseconds> for_so_long) {
  if (!channel_) return Error{"astil-vrrp is not there", "see astil ha status"};
  ha::StepDownRecord order{.milliseconds = ha::kUntilItIsNeeded};
  if (for_so_long) order.milliseconds = static_cast<std::uint32_t>(for_so_long->count());
  for (std::size_t i = 0; i < told_.groups.size(); ++i) {
    const auto name = told_.groups[i].name.view();
    if (std::find(groups.begin(), groups.end(), name) != groups.end()) order.groups |= std::uint64_t{1} << i;
  }
  if (auto sent = send(ha::message_of(++sequence_, order)); sent.has_error()) return sent.error();
  return sequence_;
}

/// Answers come in the order of the messages; the numbers may begin anew.
bool Pair::is_answered(std::uint32_t order) const { return static_cast<std::int32_t>(answered_ - order) >= 0; }

Handover::Owner Pair::owner_of(const std::string& group) const {
  for (std::size_t i = 0; report_ && i < report_->groups.size() && i < told_.groups.size(); ++i) {
    if (told_.groups[i].name.view() != group) continue;
    if (report_->groups[i].state == ha::GroupState::active) return Handover::Owner::here;
    return report_->groups[i].peer_is_active != 0 ? Handover::Owner::other : Handover::Owner::nobody;
  }
  return Handover::Owner::nobody;
}

Result<void> Pair::leave() {
  ha_.reset();
  retry_.rest();
  tracks_.rest();
  report_.reset();
  states_.clear();
  if (channel_) {
    auto told = tell(ha::leave_message(++sequence_));
    // One that has gone leaves nothing that is not in the record.
    const bool hangs = told.has_error() && channel_.has_value();
    channel_.reset();
    has_told_ = false;
    if (hangs && !kill_process()) return told;
  }
  return record_.clear();
}

/// Waits for nothing: a process that takes nothing any more is one that does not answer.
Result<void> Pair::send(const ha::Message& message) {
  if (::send(channel_->native_handle(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return {};
  const int why = errno;
  if (why == EAGAIN || why == EWOULDBLOCK)
    return Error{"astil-vrrp does not take messages", "see whether the process runs"};
  lose_process();
  return system_error("tell astil-vrrp", why);
}

/// Sends, and waits until it is done. Reports that come meanwhile are taken.
Result<void> Pair::tell(const ha::Message& message) {
  const std::uint32_t sequence = sequence_;
  if (auto sent = send(message); sent.has_error()) return sent;
  const int raw = channel_->native_handle();
  const auto until = std::chrono::steady_clock::now() + kAnswerLimit;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd ready{.fd = raw, .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) == 0) {
      silent_looks_ += static_cast<unsigned>(kAnswerLimit / kLookInterval);
      return Error{"astil-vrrp does not answer", "see whether the process runs"};
    }
    const bool is_there = take_messages();
    const bool is_done = is_answered(sequence);
    if (!is_there) lose_process();
    if (is_done) return {};  // the last one that a process does ends it
    if (!is_there) return Error{"astil-vrrp has gone", "it is started again"};
  }
}

/// What nobody waits for; it is done before all that is told later. A process that is not there is told when it is.
void Pair::tell_later(const ha::Message& message) {
  if (!channel_) return;
  if (auto sent = send(message); sent.has_error()) log::error("astil-vrrp not told", {{"error", sent.error().text()}});
}

void Pair::await_messages() {
  channel_->async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
    if (error || !channel_) return;
    if (take_messages()) {
      await_messages();
    } else {
      lose_process();
    }
  });
}

/// All that waits. False: the process has gone.
bool Pair::take_messages() {
  std::vector<std::byte> buffer(ha::kLongestMessage);
  silent_looks_ = 0;
  while (channel_) {
    const ssize_t length = ::recv(channel_->native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (length == 0) return false;
    if (length < 0) return errno == EAGAIN || errno == EINTR;
    const ha::Bytes message = ha::Bytes(buffer).first(static_cast<std::size_t>(length));
    const auto header = ha::parse_header(message);
    if (!header) {
      log::error("astil-vrrp is of another build: it is asked to leave");
      return false;
    }
    if (header->type == ha::MessageType::done) answered_ = header->sequence;
    if (auto report = ha::parse_report(message)) take_report(std::move(*report));
  }
  return true;
}

/// A pause of this process, or of the whole host, is no silence of that one: it is counted in looks.
void Pair::look() {
  if (!channel_ || ++silent_looks_ < kSilentLooks) return;
  (void)kill_process();
  lose_process();
}

/// One that says nothing: its guardian takes the addresses away. False: that is not possible.
bool Pair::kill_process() {
  std::string name;
  std::getline(std::ifstream("/proc/" + std::to_string(process_) + "/comm"), name);
  if (process_ <= 1 || name != "astil-vrrp") return false;
  log::error("astil-vrrp says nothing any more: it is killed", {{"pid", process_}});
  return ::kill(std::exchange(process_, 0), SIGKILL) == 0;
}

std::uint8_t Pair::peer_state_of(const std::string& group) const {
  for (std::size_t i = 0; report_ && i < report_->groups.size() && i < told_.groups.size(); ++i) {
    if (told_.groups[i].name.view() == group) return report_->groups[i].peer_state;
  }
  return ha::kPeerStateUnknown;
}

void Pair::note_changes(const ha::Report& report) {
  const auto now =
      static_cast<std::uint64_t>(std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
  const auto note = [&](const auto& before, const auto& counts, auto& changes) {
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] != before[i]) changes[i] = now;
    }
  };
  const bool same_shape =
      report_ && report_->groups.size() == report.groups.size() && report_->paths.size() == report.paths.size();
  if (!same_shape) {
    changes_ = {};
    changes_.groups.resize(report.groups.size());
    changes_.paths.resize(report.paths.size());
    return;
  }
  note(report_->head.drops, report.head.drops, changes_.head.drops);
  for (std::size_t i = 0; i < report.groups.size(); ++i) {
    const ha::GroupReport& group = report.groups[i];
    note(report_->groups[i].drops, group.drops, changes_.groups[i].drops);
    if (group.send_errors != report_->groups[i].send_errors) changes_.groups[i].send_errors = now;
  }
  for (std::size_t i = 0; i < report.paths.size(); ++i)
    note(report_->paths[i].drops, report.paths[i].drops, changes_.paths[i].drops);
}

void Pair::take_report(ha::Report report) {
  note_changes(report);
  report_ = std::move(report);
  reap();
  if (report_->groups.size() != told_.groups.size()) return;  // of a configuration before
  states_.resize(report_->groups.size(), ha::GroupState::stopped);
  failing_.resize(report_->groups.size());
  bool changed = false;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const std::uint8_t failing = report_->groups[i].failing_tracks;
    if (std::exchange(failing_[i], failing) != failing) changed = true;
    if (std::exchange(states_[i], report_->groups[i].state) == report_->groups[i].state) continue;
    changed = true;
    tell_of_change(told_.groups[i], report_->groups[i]);
  }
  if (changed) boost::asio::post(loop_, changed_);
}

void Pair::tell_of_change(const ha::GroupRecord& group, const ha::GroupReport& report) {
  log::info("group changed", {{"group", group.name.view()},
                              {"state", to_string(report.state)},
                              {"cause", to_string(report.cause)},
                              {"priority", report.priority}});
  if (!ha_ || !ha_->notify || hooks_.size() >= kHooksAtOnce) return;
  const auto hook = spawn(*ha_->notify, {*ha_->notify, std::string(group.name.view()),
                                         std::string(to_string(report.state)), std::to_string(report.priority)});
  if (hook.has_error()) {
    log::error("hook not run", {{"error", hook.error().text()}});
    return;
  }
  hooks_.push_back(*hook);
  ++notified_;
}

void Pair::reap() {
  std::erase_if(hooks_, [](pid_t hook) { return ::waitpid(hook, nullptr, WNOHANG) != 0; });
}

void Pair::lose_process() {
  channel_.reset();
  report_.reset();
  has_told_ = false;
  if (!ha_) return;
  log::error("astil-vrrp is gone: it is started again");
  boost::asio::post(loop_, changed_);
  retry_.failed();
}

/// Something that is tracked is otherwise than it was.
void Pair::tell_tracks() {
  if (!ha_) return;
  if (has_told_) tell_later(ha::message_of(++sequence_, tracks_.record(*ha_, told_)));
  boost::asio::post(loop_, changed_);
}

}  // namespace astil::app
