// The epoll loop of lab_client.
#include "tests/lab/client/load.hpp"

#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <iostream>

namespace astil::lab {
namespace {

constexpr std::uint32_t kSignalSlot = 0xffffffff;
constexpr std::chrono::milliseconds kSweepInterval{10};

std::string make_request(const Options& options) {
  const char* const lifetime = options.mode == Mode::short_lived ? "close" : "keep-alive";
  return "GET " + options.path + " HTTP/1.1\r\nHost: lab\r\nConnection: " + lifetime + "\r\n\r\n";
}

/// One descriptor a connection, and a few for ourselves.
Result<> allow_descriptors(std::size_t connections) {
  const rlim_t needed = connections + 64;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return system_error("getrlimit", errno);
  if (limit.rlim_cur >= needed) return {};
  limit.rlim_cur = needed;
  limit.rlim_max = std::max(limit.rlim_max, needed);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return system_error("setrlimit for " + std::to_string(needed), errno);
  return {};
}

Failure connect_failure(int error) {
  if (error == ECONNREFUSED || error == ECONNRESET) return Failure::refused;
  if (error == ETIMEDOUT) return Failure::connect_timeout;
  return Failure::unreachable;
}

int socket_error(const Descriptor& socket) {
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  return error;
}

}  // namespace

Load::Load(const Options& options) : options_(options), request_(make_request(options)), sources_(options) {}

Result<> Load::prepare() {
  const std::size_t slots = options_.mode == Mode::short_lived ? options_.parallel : options_.connections;
  if (const auto allowed = allow_descriptors(slots); !allowed) return allowed;
  connections_.resize(slots);
  for (auto slot = static_cast<std::uint32_t>(slots); slot > 0; --slot) free_.push_back(slot - 1);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  signals_ = Descriptor(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
  epoll_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = kSignalSlot;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, signals_.get(), &event) != 0) return system_error("epoll_ctl", errno);
  return {};
}

Result<> Load::run() {
  if (const auto prepared = prepare(); !prepared) return prepared;
  begun_ = now_ = Clock::now();
  auto next_sweep = now_ + kSweepInterval;
  std::array<epoll_event, 512> events;
  fill();
  while (!over()) {
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), kSweepInterval.count());
    now_ = Clock::now();
    for (int i = 0; i < count; ++i) on_event(events[static_cast<std::size_t>(i)].data.u32);
    if (now_ >= next_sweep) {
      sweep();
      next_sweep = now_ + kSweepInterval;
    }
    fill();
    announce_ready();
  }
  auto report = tally_.report("done");
  report["seconds"] = std::chrono::duration<double>(Clock::now() - begun_).count();
  std::cout << report << std::endl;
  return {};
}

bool Load::more_to_open() const {
  if (stopping_) return false;
  return options_.connections == 0 || opened_ < options_.connections;
}

bool Load::over() const {
  if (options_.mode == Mode::short_lived) return !more_to_open() && free_.size() == connections_.size();
  if (!stopping_) return false;
  return std::none_of(connections_.begin(), connections_.end(),
                      [](const Connection& c) { return c.state == State::connecting || c.state == State::waiting; });
}

bool Load::ahead_of_pace() const {
  if (!options_.per_second) return false;
  const auto elapsed = std::chrono::duration<double>(now_ - begun_).count();
  return static_cast<double>(opened_) >= elapsed * *options_.per_second;
}

void Load::fill() {
  while (!free_.empty() && opening_ < options_.parallel && more_to_open() && !ahead_of_pace()) {
    const auto slot = free_.back();
    free_.pop_back();
    ++opened_;
    // Without a way out of this machine the next try would fail the same way at once: leave it to the next round.
    if (!open(slot)) break;
  }
}

bool Load::open(std::uint32_t slot) {
  auto& connection = connections_[slot];
  auto [socket, error] = sources_.open_next();
  connection = Connection{};
  connection.started = connection.asked = now_;
  if (error != 0) {
    tally_.failure(Failure::local, {}, now_, now_);
    if (options_.mode == Mode::short_lived) free_.push_back(slot);
    return false;
  }
  connection.socket = std::move(socket);
  connection.state = State::connecting;
  ++opening_;
  epoll_event event{};
  event.events = EPOLLOUT;
  event.data.u32 = slot;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.socket.get(), &event);
  return true;
}

void Load::on_event(std::uint32_t slot) {
  if (slot == kSignalSlot) {
    stopping_ = true;
    // Read it, or the level-triggered descriptor keeps the loop awake until the last answer.
    signalfd_siginfo info{};
    [[maybe_unused]] const auto size = ::read(signals_.get(), &info, sizeof info);
    return;
  }
  switch (connections_[slot].state) {
    case State::connecting:
      return connected(slot);
    case State::waiting:
    case State::idle:
      return read(slot);
    case State::closed:
      return;
  }
}

void Load::connected(std::uint32_t slot) {
  auto& connection = connections_[slot];
  if (const int error = socket_error(connection.socket); error != 0) return fail(slot, connect_failure(error));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = slot;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection.socket.get(), &event);
  ask(slot);
}

void Load::ask(std::uint32_t slot) {
  auto& connection = connections_[slot];
  connection.state = State::waiting;
  connection.response = Response{};
  connection.asked = now_;
  // A request is far smaller than an empty send buffer, so it leaves whole.
  if (::send(connection.socket.get(), request_.data(), request_.size(), MSG_NOSIGNAL) < 0) fail(slot, Failure::reset);
}

void Load::read(std::uint32_t slot) {
  static std::array<char, 262144> buffer;
  auto& connection = connections_[slot];
  const auto size = ::recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
  if (size < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    return fail(slot, Failure::reset);
  }
  if (size == 0) return end_of_stream(slot);
  switch (connection.response.take({buffer.data(), static_cast<std::size_t>(size)})) {
    case Response::Progress::incomplete:
      connection.asked = now_;
      return;  // the timeout is for silence
    case Response::Progress::malformed:
      return fail(slot, Failure::malformed);
    case Response::Progress::complete:
      break;
  }
  // A short connection is over only when the server has closed it too: a reset instead of that would be a failure.
  if (options_.mode == Mode::long_lived) answered(slot);
}

void Load::end_of_stream(std::uint32_t slot) {
  const bool whole = connections_[slot].response.progress() == Response::Progress::complete;
  if (options_.mode == Mode::long_lived || !whole) return fail(slot, Failure::cut_short);
  answered(slot);
}

void Load::answered(std::uint32_t slot) {
  auto& connection = connections_[slot];
  const auto& response = connection.response;
  if (response.status() != 200) return fail(slot, Failure::bad_status);
  if (response.backend().empty()) return fail(slot, Failure::malformed);
  tally_.answer(now_ - connection.asked);
  if (connection.backend.empty()) {
    connection.backend = response.backend();
    --opening_;
    tally_.connection(connection.backend, connection.started, now_);
    if (options_.flows == FlowList::yes) tally_.flow(local_name(connection.socket), connection.backend);
  } else if (connection.backend != response.backend()) {
    return fail(slot, Failure::changed);
  }
  if (options_.mode == Mode::short_lived) return close(slot);
  connection.state = State::idle;
}

void Load::fail(std::uint32_t slot, Failure kind) {
  auto& connection = connections_[slot];
  tally_.failure(kind, connection.backend, connection.started, now_);
  if (connection.backend.empty()) --opening_;
  close(slot);
}

void Load::close(std::uint32_t slot) {
  auto& connection = connections_[slot];
  connection.socket.reset();
  connection.state = State::closed;
  if (options_.mode == Mode::short_lived) free_.push_back(slot);
}

void Load::sweep() {
  if (options_.duration && now_ - begun_ >= *options_.duration) stopping_ = true;
  for (std::uint32_t slot = 0; slot < connections_.size(); ++slot) {
    const auto& connection = connections_[slot];
    const auto since = now_ - connection.asked;
    switch (connection.state) {
      case State::closed:
        break;
      case State::connecting:
        if (since >= options_.timeout) fail(slot, Failure::connect_timeout);
        break;
      case State::waiting:
        if (since >= options_.timeout) fail(slot, Failure::answer_timeout);
        break;
      case State::idle:
        if (since >= options_.interval && !stopping_) ask(slot);
        break;
    }
  }
}

void Load::announce_ready() {
  if (ready_ || options_.mode == Mode::short_lived || opened_ < options_.connections || opening_ != 0) return;
  ready_ = true;
  std::cout << tally_.report("ready") << std::endl;
}

}  // namespace astil::lab
