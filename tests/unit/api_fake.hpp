// A daemon made of plain values, a server that shows it on a real Unix socket in a folder of its own, and a client that
// speaks bytes. For the tests of control/api and control/cli.
#pragma once

#include <stdlib.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "control/api/server.hpp"

namespace astil::test {

inline api::ip::address ip_of(const char* text) { return boost::asio::ip::make_address(text); }

inline api::BackendView sample_backend(const std::string& name, const char* address) {
  api::BackendView backend;
  backend.name = name;
  backend.address = ip_of(address);
  backend.port = 80;
  backend.weight = 1;
  backend.in_rotation = true;
  backend.ring_share = 0.5;
  backend.health.state = api::BackendState::up;
  backend.health.since = api::TimePoint(std::chrono::seconds(1'000'000'600));
  backend.health.last_check_seconds = 0.0025;
  backend.health.checks_ok = 600;
  backend.next_hop = {"eth1", "02:00:00:00:00:0a", ""};
  backend.traffic = {2000, 3'000'000, 100, 7};
  return backend;
}

/// One service, one backend that is well and one that is not.
inline api::StatusView sample_status() {
  api::StatusView status;
  status.problems = {{"service web: backend b2 is down: connect: Connection refused", "look at nginx on 10.0.0.3"}};
  status.instance = "main";
  status.version = "1.2.3";
  status.started_at = api::TimePoint(std::chrono::seconds(1'000'000'000));
  status.engine = "kernel";
  status.layout_version = 4;
  status.config = {"/etc/astil/astil.yaml", status.started_at, 2, 1, std::nullopt};
  status.interfaces = {{"eth0", 2, "xdp native", "the driver supports it", "up", "02:00:00:00:00:01"}};
  status.tables = {{"flows", 900'000, 1'048'576}, {"services", 1, 1024}};
  auto well = sample_backend("b1", "10.0.0.2");
  auto ill = sample_backend("b2", "10.0.0.3");
  ill.in_rotation = false;
  ill.ring_share = 0;
  ill.health.state = api::BackendState::down;
  ill.health.last_error = "connect: Connection refused";
  ill.health.last_check_seconds.reset();
  ill.health.checks_failed = 3;
  ill.health.checks_not_made = 2;
  ill.next_hop = {"eth1", "", "no answer to ARP"};
  status.services = {{"web",
                      ip_of("192.0.2.1"),
                      80,
                      "tcp",
                      "nat",
                      "maglev",
                      503,
                      "9f86d081",
                      {4000, 6'000'000, 200, 14},
                      {well, ill}}};
  return status;
}

/// Is over when `more` says so.
class FakeWalk final : public api::FlowWalk {
 public:
  FakeWalk(api::FlowsView view, std::function<bool()> more) : view_(std::move(view)), more_(std::move(more)) {}
  bool advance() override { return more_(); }
  api::FlowsView take() override { return view_; }

 private:
  api::FlowsView view_;
  std::function<bool()> more_;
};

inline api::DropEventView sample_drop() {
  return {.time = "2026-01-31T12:00:00.123456Z",
          .reason = "no_backend",
          .service = "web",
          .protocol = "tcp",
          .source = {ip_of("203.0.113.7"), 40000},
          .destination = {ip_of("192.0.2.1"), 80},
          .length = 60,
          .interface = "eth0",
          .lost = 0};
}

/// Drops for followers, which they hear of on the server's thread; and how many there are.
struct FakeDrops {
  std::vector<api::DropEventView> first;  ///< for each follower, at once
  std::map<const void*, std::pair<std::vector<api::DropEventView>, std::function<void()>>> followers;
  std::optional<std::promise<void>> all_left;  ///< set, and then reset, when the last one leaves

  void publish(const api::DropEventView& drop) {
    for (auto& [id, follower] : followers) {
      follower.first.push_back(drop);
      if (follower.second) follower.second();
    }
  }
};

class FakeFollower final : public api::DropFollower {
 public:
  explicit FakeFollower(std::shared_ptr<FakeDrops> drops) : drops_(std::move(drops)) {
    drops_->followers[this].first = drops_->first;
  }
  FakeFollower(const FakeFollower&) = delete;
  FakeFollower& operator=(const FakeFollower&) = delete;
  ~FakeFollower() override {
    drops_->followers.erase(this);
    if (!drops_->followers.empty() || !drops_->all_left) return;
    drops_->all_left->set_value();
    drops_->all_left.reset();
  }
  std::vector<api::DropEventView> take() override { return std::exchange(drops_->followers[this].first, {}); }
  void on_ready(std::function<void()> ready) override { drops_->followers[this].second = std::move(ready); }

 private:
  std::shared_ptr<FakeDrops> drops_;
};

/// A capture's file, which grows on the server's thread.
struct FakeFile {
  std::string bytes;   ///< that nobody has taken yet
  std::string at_end;  ///< what is added when it ends
  bool ended = false;
  std::function<void()> ready;
  std::optional<std::promise<void>> left;  ///< set, and then reset, when nobody wants it any more

  void add(const std::string& more) {
    bytes += more;
    if (ready) ready();
  }
  void end() {
    if (!std::exchange(ended, true)) add(at_end);
  }
};

class FakeCapture final : public api::Capture {
 public:
  explicit FakeCapture(std::shared_ptr<FakeFile> file) : file_(std::move(file)) {}
  FakeCapture(const FakeCapture&) = delete;
  FakeCapture& operator=(const FakeCapture&) = delete;
  ~FakeCapture() override {
    file_->ready = nullptr;
    if (file_->left) file_->left->set_value();
    file_->left.reset();
  }
  std::string take() override { return std::exchange(file_->bytes, {}); }
  void on_ready(std::function<void()> ready) override { file_->ready = std::move(ready); }
  void end() override { file_->end(); }
  bool ended() const override { return file_->ended; }

 private:
  std::shared_ptr<FakeFile> file_;
};

inline api::EventView sample_event(std::uint64_t number, const std::string& after = "down") {
  return {.number = number,
          .time = "2026-01-31T12:00:00.123456Z",
          .kind = api::EventKind::health,
          .service = "web",
          .backend = "b2",
          .before = after == "down" ? "up" : "down",
          .after = after,
          .reason = after == "down" ? "connect: Connection refused" : "its checks succeed"};
}

/// Events for whoever follows, which they hear of on the server's thread.
struct FakeEvents {
  std::vector<api::EventView> waiting;
  std::uint64_t missing = 0;
  bool behind = false;
  int given_up = 0;
  std::function<void()> ready;
  std::optional<std::promise<void>> left;  ///< set, and then reset, when nobody follows any more

  void publish(const api::EventView& event) {
    waiting.push_back(event);
    if (ready) ready();
  }
};

class FakeEventFollower final : public api::EventFollower {
 public:
  explicit FakeEventFollower(std::shared_ptr<FakeEvents> events) : events_(std::move(events)) {}
  FakeEventFollower(const FakeEventFollower&) = delete;
  FakeEventFollower& operator=(const FakeEventFollower&) = delete;
  ~FakeEventFollower() override {
    events_->ready = nullptr;
    if (events_->left) events_->left->set_value();
    events_->left.reset();
  }
  std::vector<api::EventView> take() override { return std::exchange(events_->waiting, {}); }
  void on_ready(std::function<void()> ready) override { events_->ready = std::move(ready); }
  [[nodiscard]] bool fell_behind() const override { return events_->behind; }
  [[nodiscard]] std::uint64_t missing() const override { return events_->missing; }
  void give_up() override { ++events_->given_up; }

 private:
  std::shared_ptr<FakeEvents> events_;
};

class FakeDaemon : public api::Daemon {
 public:
  api::StatusView status_view = sample_status();
  api::DropsView drops_view{{{"no_backend", "no backend of the service is in rotation", 5, {{"web", 4}}, 1},
                             {"bad_checksum", "a checksum was wrong", 0, {}, 0},
                             {"ttl_expired", "the time to live ran out", 12, {}, 12}}};
  Result<api::FlowsView> flows_view = api::FlowsView{};
  Result<api::TraceView> trace_view = api::TraceView{};
  api::Applied apply_view = api::ApplyView{};
  Result<> detach_result;
  bool throws = false;
  std::function<bool()> more_flows = [] { return false; };

  mutable int drops_asked = 0;
  mutable std::size_t drains_asked = 0;
  std::shared_ptr<FakeDrops> drop_events = std::make_shared<FakeDrops>();
  std::optional<Error> follow_refusal;
  std::shared_ptr<FakeFile> captured = std::make_shared<FakeFile>();
  std::optional<Error> capture_refusal;
  api::CaptureQuery capture_query;
  mutable api::DropFilter drop_filter;
  mutable api::FlowFilter flow_filter;
  mutable api::TraceQuery trace_query;
  Result<api::DrainsView> drains_view = api::DrainsView{};
  std::vector<api::DrainsView> later_drains;  ///< one for each time that they are asked for, before `drains_view`
  mutable api::BackendFilter backend_filter;
  std::vector<api::AdminState> orders;
  std::string ordered_by;
  Result<api::WhyView> why_view = api::WhyView{};
  api::EventsView past_events;
  std::shared_ptr<FakeEvents> events_to_come = std::make_shared<FakeEvents>();
  std::optional<Error> event_refusal;
  mutable api::EventFilter event_filter;
  mutable std::size_t event_limit = 0;
  std::optional<std::uint64_t> followed_after;
  api::Change planned;
  api::Change applied;
  Result<api::HistoryEntry> confirm_result = api::HistoryEntry{};
  std::optional<std::uint64_t> rolled_back_to;
  std::optional<std::uint32_t> rolled_back_by;
  api::HistoryView history_view;
  Result<api::HandoverView> handover_result = api::HandoverView{
      .node = "lb2", .groups = {"web"}, .addresses = {api::ip::make_address("192.0.2.10")}, .seconds = 0.012};
  api::HandoverOrder handed_over;
  unsigned handover_takes = 0;
  int detaches = 0;
  std::promise<void> ended;

  api::StatusView status() const override {
    if (throws) throw std::runtime_error("the tables are gone");
    return status_view;
  }
  api::VersionView version() const override { return {status_view.version, status_view.layout_version}; }
  Result<api::DropsView> drops(const api::DropFilter& filter) const override {
    ++drops_asked;
    drop_filter = filter;
    return drops_view;
  }
  Result<std::unique_ptr<api::DropFollower>> follow_drops(const api::DropFilter& filter) override {
    drop_filter = filter;
    if (follow_refusal) return *follow_refusal;
    return std::make_unique<FakeFollower>(drop_events);
  }
  Result<std::unique_ptr<api::FlowWalk>> flows(const api::FlowFilter& filter) const override {
    flow_filter = filter;
    if (!flows_view) return flows_view.error();
    return std::make_unique<FakeWalk>(*flows_view, more_flows);
  }
  Result<std::unique_ptr<api::Capture>> capture(const api::CaptureQuery& query) override {
    capture_query = query;
    if (capture_refusal) return *capture_refusal;
    return std::make_unique<FakeCapture>(captured);
  }
  Result<api::TraceView> trace(const api::TraceQuery& query) const override {
    trace_query = query;
    return trace_view;
  }
  Result<api::DrainsView> backends(const api::BackendFilter& filter) const override {
    backend_filter = filter;
    return drains_asked < later_drains.size() ? later_drains[drains_asked++] : drains_view;
  }
  api::ReportView report() const override {
    return {{{.service = "web",
              .address = "192.0.2.1",
              .up = true,
              .steady = UINT32_MAX,
              .connections = 7,
              .capacity = 100}}};
  }
  Result<api::DnsExplainView> explain(const api::DnsQuestion& question) const override {
    return api::DnsExplainView{.name = question.name,
                               .zone = {},
                               .type = question.type,
                               .code = "NOERROR",
                               .answers = {},
                               .why = "from " + question.from,
                               .names = {}};
  }
  Result<api::DnsOrderView> order_site(const std::string& site, const std::string& state) override {
    if (site != "fra") return Error{"no name has a site '" + site + "'", {}};
    return api::DnsOrderView{.site = site, .state = state};
  }
  Result<api::WhyView> why(const api::BackendFilter& filter) const override {
    backend_filter = filter;
    return why_view;
  }
  api::EventsView events(const api::EventFilter& filter, std::size_t limit) const override {
    event_filter = filter;
    event_limit = limit;
    return past_events;
  }
  Result<std::unique_ptr<api::EventFollower>> follow_events(const api::EventFilter& filter,
                                                            std::optional<std::uint64_t> after) override {
    event_filter = filter;
    followed_after = after;
    if (event_refusal) return *event_refusal;
    return std::make_unique<FakeEventFollower>(events_to_come);
  }
  Result<api::DrainsView> order(const api::BackendFilter& filter, api::AdminState state,
                                const api::Caller& by) override {
    backend_filter = filter;
    ordered_by = by.name();
    if (drains_view) orders.push_back(state);
    return drains_view;
  }
  api::Applied plan(const api::Change& wanted) override {
    planned = wanted;
    return apply_view;
  }
  api::Applied apply(const api::Change& wanted) override {
    applied = wanted;
    return apply_view;
  }
  /// As one whose disk takes its time, so often.
  api::Awaited<api::HistoryEntry> confirm() override {
    return [result = confirm_result, left = std::make_shared<unsigned>(confirm_takes)]() {
      if (*left == 0) return std::optional(result);
      --*left;
      return std::optional<Result<api::HistoryEntry>>();
    };
  }
  unsigned confirm_takes = 0;
  api::Applied rollback(std::optional<std::uint64_t> number, const api::Caller& by) override {
    rolled_back_to = number;
    rolled_back_by = by.uid;
    return apply_view;
  }
  api::HistoryView history() const override { return history_view; }
  /// As one that takes its time, so often.
  api::Awaited<api::HandoverView> handover(const api::HandoverOrder& order) override {
    handed_over = order;
    return [result = handover_result, left = std::make_shared<unsigned>(handover_takes)]() {
      if (*left == 0) return std::optional(result);
      --*left;
      return std::optional<Result<api::HandoverView>>();
    };
  }
  Result<> detach() override {
    ++detaches;
    return detach_result;
  }
  void after_detach() override { ended.set_value(); }
};

/// A folder under the temporary one, gone at the end of the scope.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_(std::filesystem::temp_directory_path() / "astil-test-XXXXXX") {
    auto name = path_.string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// A server that runs, on a thread of its own. What the daemon holds is set before and read after, or on_loop.
class RunningServer {
 public:
  explicit RunningServer(FakeDaemon& daemon, api::ServerOptions options = {}) : options_(std::move(options)) {
    if (options_.socket.empty()) options_.socket = folder_ / "astil.sock";
    auto started = api::Server::start(loop_, daemon, options_);
    if (!started) throw std::runtime_error(started.error().text());
    server_ = std::move(*started);
    thread_ = std::thread([this] { loop_.run(); });
  }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;
  ~RunningServer() { stop(); }

  const std::string& socket() const { return options_.socket; }
  api::Endpoint tcp() const { return server_->tcp_endpoint().value(); }
  api::Endpoint remote() const { return server_->remote_endpoint().value(); }
  /// What it has counted so far.
  api::ApiView view() {
    api::ApiView view;
    on_loop([&] { view = server_->view(); });
    return view;
  }
  std::vector<api::ListenerView> listeners() {
    std::vector<api::ListenerView> listeners;
    on_loop([&] { listeners = server_->listeners(); });
    return listeners;
  }

  /// Runs `action` on the server's thread and waits for it.
  void on_loop(const std::function<void()>& action) {
    std::promise<void> done;
    boost::asio::post(loop_, [&] {
      action();
      done.set_value();
    });
    done.get_future().wait();
  }

  /// Destroys the server; the loop ends when no connection is left.
  void stop() {
    if (!thread_.joinable()) return;
    on_loop([this] { server_.reset(); });
    thread_.join();
  }

 private:
  TemporaryFolder folder_;
  api::ServerOptions options_;
  boost::asio::io_context loop_;
  std::unique_ptr<api::Server> server_;
  std::thread thread_;
};

/// One connection that sends and receives what the test says.
template <class Protocol>
class RawClient {
 public:
  explicit RawClient(const typename Protocol::endpoint& endpoint) { socket_.connect(endpoint); }

  void send(const std::string& bytes) {
    boost::system::error_code ignored;  // a server that refuses may close before all is sent
    boost::asio::write(socket_, boost::asio::buffer(bytes), ignored);
  }

  /// Everything until the server closes.
  std::string receive_all() {
    std::string received;
    boost::system::error_code end;
    boost::asio::read(socket_, boost::asio::dynamic_buffer(received), end);
    return received;
  }

  /// Until `mark` has come; the rest stays for later.
  std::string receive_until(const std::string& mark) {
    std::string received;
    while (received.find(mark) == std::string::npos) {
      char byte = 0;
      boost::asio::read(socket_, boost::asio::buffer(&byte, 1));
      received += byte;
    }
    return received;
  }

  bool has_input() { return socket_.available() > 0; }
  /// Sends no more, and may receive.
  void finish() { socket_.shutdown(Protocol::socket::shutdown_send); }
  void close() { socket_.close(); }

 private:
  boost::asio::io_context loop_;
  typename Protocol::socket socket_{loop_};
};

using UnixClient = RawClient<boost::asio::local::stream_protocol>;

/// Sends one request on a connection of its own, and gives all that comes back.
inline std::string talk(const std::string& socket, const std::string& bytes) {
  UnixClient client{boost::asio::local::stream_protocol::endpoint(socket)};
  client.send(bytes);
  return client.receive_all();
}

}  // namespace astil::test
