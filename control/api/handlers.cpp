#include "control/api/handlers.hpp"

#include <limits>
#include <vector>

#include "control/api/event_feed.hpp"
#include "control/api/metrics.hpp"
#include "control/config/utf8.hpp"

namespace astil::api {
namespace {

constexpr std::size_t kMaxFlows = 100'000;  // about 20 MB of JSON
constexpr std::size_t kUsualEvents = 100;
constexpr std::size_t kMaxEvents = 100'000;

}  // namespace

Answer get_version(Daemon& daemon, const Query& /*query*/, const Request& /*request*/) { return ok(daemon.version()); }

Answer get_status(Daemon& daemon, const Query& /*query*/, const Request& /*request*/) { return ok(daemon.status()); }

namespace {

DropFilter drop_filter(const Query& query) {
  return {.service = optional_value(query, "service"), .reason = optional_value(query, "reason")};
}

}  // namespace

Answer get_drops(Daemon& daemon, const Query& query, const Request& /*request*/) {
  const auto drops = daemon.drops(drop_filter(query));
  return drops ? ok(*drops) : failure(422, drops.error());
}

namespace {

/// A follower's drops, a line for each.
class DropLines final : public Feed {
 public:
  explicit DropLines(std::unique_ptr<DropFollower> follower) : follower_(std::move(follower)) {}

  std::string take() override {
    std::string lines;
    for (const DropEventView& drop : follower_->take()) lines += boost::json::serialize(to_json(drop)) + "\n";
    return lines;
  }
  void on_ready(std::function<void()> ready) override { follower_->on_ready(std::move(ready)); }

 private:
  std::unique_ptr<DropFollower> follower_;
};

}  // namespace

Answer follow_drops(Daemon& daemon, const Query& query, const Request& /*request*/) {
  auto follower = daemon.follow_drops(drop_filter(query));
  if (!follower) return failure(422, follower.error());
  Answer answer;
  answer.content_type = "application/x-ndjson";
  answer.feed = std::make_shared<DropLines>(std::move(*follower));
  return answer;
}

namespace {

class CaptureFile final : public Feed {
 public:
  explicit CaptureFile(std::unique_ptr<Capture> capture) : capture_(std::move(capture)) {}

  std::string take() override { return capture_->take(); }
  void on_ready(std::function<void()> ready) override { capture_->on_ready(std::move(ready)); }
  void end() override { capture_->end(); }
  [[nodiscard]] bool ended() const override { return capture_->ended(); }

 private:
  std::unique_ptr<Capture> capture_;
};

/// Puts a parameter's number where it belongs, if it was given.
template <class Number, class Goal>
Result<> read_number(const Query& query, const char* key, Number least, Number most, Goal& goal) {
  const auto text = optional_value(query, key);
  if (!text) return {};
  const auto number = parse_number<Number>(*text);
  if (!number || *number < least || *number > most) {
    return Error{std::string(key) + ": '" + *text + "' is not a number from " + std::to_string(least) + " to " +
                     std::to_string(most),
                 {}};
  }
  goal = *number;
  return {};
}

Result<CaptureQuery> capture_query(const Query& query) {
  using Asked = CaptureQuery;
  Asked asked;
  asked.service = optional_value(query, "service");
  asked.backend = optional_value(query, "backend");
  if (const auto text = optional_value(query, "client")) {
    const auto client = parse_client(*text);
    if (!client) return client.error().within("client");
    asked.client = *client;
  }
  constexpr std::uint64_t kAny = std::numeric_limits<std::uint64_t>::max();
  for (const Result<>& read : {read_number(query, "rate", 1U, Asked::kMostRate, asked.rate),
                               read_number(query, "count", std::uint64_t{1}, kAny, asked.count),
                               read_number(query, "size", Asked::kLeastSize, Asked::kMostSize, asked.size),
                               read_number(query, "duration", 1U, Asked::kMostSeconds, asked.seconds),
                               read_number(query, "snap", Asked::kLeastSnap, Asked::kMostSnap, asked.snap)}) {
    if (!read) return read.error();
  }
  return asked;
}

}  // namespace

Answer get_capture(Daemon& daemon, const Query& query, const Request& /*request*/) {
  const auto asked = capture_query(query);
  if (!asked) return failure(400, asked.error());
  auto capture = daemon.capture(*asked);
  if (!capture) return failure(422, capture.error());
  Answer answer;
  answer.content_type = "application/x-pcapng";
  answer.feed = std::make_shared<CaptureFile>(std::move(*capture));
  return answer;
}

Answer get_flows(Daemon& daemon, const Query& query, const Request& /*request*/) {
  FlowFilter filter;
  filter.service = optional_value(query, "service");
  filter.backend = optional_value(query, "backend");
  if (const auto client = optional_value(query, "client")) {
    boost::system::error_code failed;
    filter.client = ip::make_address(*client, failed);
    if (failed) return bad_request("client: '" + *client + "' is not an IP address");
  }
  if (const auto limit = optional_value(query, "limit")) {
    const auto number = parse_number<std::size_t>(*limit);
    if (!number || *number < 1 || *number > kMaxFlows) {
      return bad_request("limit: '" + *limit + "' is not a number from 1 to " + std::to_string(kMaxFlows));
    }
    filter.limit = *number;
  }
  auto begun = daemon.flows(filter);
  if (!begun) return failure(422, begun.error());
  const std::shared_ptr<FlowWalk> walk = std::move(*begun);
  Answer unfinished;
  unfinished.unfinished = [walk] { return walk->advance() ? std::nullopt : std::optional(ok(walk->take())); };
  return unfinished;
}

Answer get_trace(Daemon& daemon, const Query& query, const Request& /*request*/) {
  const auto from = parse_endpoint(value_of(query, "from"));
  if (!from) return failure(400, from.error().within("from"));
  const auto to = parse_endpoint(value_of(query, "to"));
  if (!to) return failure(400, to.error().within("to"));
  const auto protocol = optional_value(query, "protocol").value_or("tcp");
  if (protocol != "tcp" && protocol != "udp") {
    return bad_request("protocol: '" + protocol + "' is not a protocol", "use tcp or udp");
  }
  if (from->address.is_v4() != to->address.is_v4()) {
    return bad_request("from and to are of different IP versions", "give both as IPv4 or both as IPv6");
  }
  const auto trace = daemon.trace({protocol, *from, *to});
  return trace ? ok(*trace) : failure(422, trace.error());
}

namespace {

Answer answer_of(const Applied& applied) {
  if (applied) return ok(*applied);
  const auto& refusal = applied.error();
  return failure(422, refusal.error, refusal.diagnostics);
}

Result<BackendFilter> backend_filter(const Query& query) {
  auto backend = optional_value(query, "backend");
  if (!backend) return Error{"the parameter backend is missing", "name a backend"};
  return BackendFilter{.backend = std::move(*backend), .service = optional_value(query, "service")};
}

}  // namespace

Answer get_backends(Daemon& daemon, const Query& query, const Request& /*request*/) {
  const auto filter = backend_filter(query);
  if (!filter) return failure(400, filter.error());
  const auto backends = daemon.backends(*filter);
  return backends ? ok(*backends) : failure(422, backends.error());
}

Answer get_why(Daemon& daemon, const Query& query, const Request& /*request*/) {
  const auto filter = backend_filter(query);
  if (!filter) return failure(400, filter.error());
  const auto why = daemon.why(*filter);
  return why ? ok(*why) : failure(422, why.error());
}

namespace {

EventFilter event_filter(const Query& query) {
  return {.service = optional_value(query, "service"), .backend = optional_value(query, "backend")};
}

}  // namespace

Answer get_past_events(Daemon& daemon, const Query& query, const Request& /*request*/) {
  std::size_t limit = kUsualEvents;
  if (const auto read = read_number(query, "limit", std::size_t{1}, kMaxEvents, limit); !read)
    return failure(400, read.error());
  return ok(daemon.events(event_filter(query), limit));
}

/// A client that was cut off names the last event it has: a browser by its header, others by a parameter.
Answer follow_events(Daemon& daemon, const Query& query, const Request& request) {
  std::optional<std::uint64_t> after;
  constexpr std::uint64_t kAny = std::numeric_limits<std::uint64_t>::max() - 1;
  if (const auto read = read_number(query, "after", std::uint64_t{0}, kAny, after); !read)
    return failure(400, read.error());
  if (!request.last_event_id.empty()) {
    after = parse_number<std::uint64_t>(request.last_event_id);
    if (!after || *after > kAny) return bad_request("the Last-Event-ID is not the number of an event");
  }
  auto follower = daemon.follow_events(event_filter(query), after);
  if (!follower) return failure(422, follower.error());
  Answer answer;
  answer.content_type = "text/event-stream";
  answer.feed = make_event_feed(std::move(*follower));
  return answer;
}

template <AdminState kState>
Answer post_order(Daemon& daemon, const Query& query, const Request& request) {
  const auto filter = backend_filter(query);
  if (!filter) return failure(400, filter.error());
  const auto backends = daemon.order(*filter, kState, request.by);
  return backends ? ok(*backends) : failure(422, backends.error());
}

namespace {

Change change_of(const Query& query, const Request& request) {
  return {.yaml = std::string(request.body),
          .file = config::made_printable(optional_value(query, "file").value_or("(request)")),
          .by = request.by,
          .confirm = std::nullopt};
}

}  // namespace

Answer post_plan(Daemon& daemon, const Query& query, const Request& request) {
  return answer_of(daemon.plan(change_of(query, request)));
}

Answer post_apply(Daemon& daemon, const Query& query, const Request& request) {
  Change change = change_of(query, request);
  std::optional<std::uint64_t> confirm;
  const auto most = static_cast<std::uint64_t>(kLongestConfirm.count());
  if (const auto read = read_number(query, "confirm", std::uint64_t{1}, most, confirm); !read)
    return failure(400, read.error());
  if (confirm) change.confirm = std::chrono::seconds(*confirm);
  return answer_of(daemon.apply(change));
}

namespace {

/// The answer is there when what is under way has ended.
template <class View>
Answer await(Awaited<View> under_way) {
  constexpr std::chrono::milliseconds kLookAgain{5};
  Answer unfinished;
  unfinished.pause = kLookAgain;
  unfinished.unfinished = [under_way = std::move(under_way)]() -> std::optional<Answer> {
    const auto done = under_way();
    if (!done) return std::nullopt;
    return *done ? ok(**done) : failure(422, done->error());
  };
  go_on(unfinished);
  return unfinished;
}

}  // namespace

Answer post_confirm(Daemon& daemon, const Query& /*query*/, const Request& /*request*/) {
  return await(daemon.confirm());
}

Answer post_rollback(Daemon& daemon, const Query& query, const Request& request) {
  std::optional<std::uint64_t> number;
  constexpr std::uint64_t kAny = std::numeric_limits<std::uint64_t>::max();
  if (const auto read = read_number(query, "number", std::uint64_t{1}, kAny, number); !read)
    return failure(400, read.error());
  return answer_of(daemon.rollback(number, request.by));
}

Answer get_report(Daemon& daemon, const Query& /*query*/, const Request& /*request*/) { return ok(daemon.report()); }

Answer get_dns_explain(Daemon& daemon, const Query& query, const Request& /*request*/) {
  const auto explained = daemon.explain({.name = value_of(query, "name"),
                                         .from = value_of(query, "from"),
                                         .type = optional_value(query, "type").value_or("A")});
  return explained ? ok(*explained) : failure(422, explained.error());
}

Answer post_dns_site(Daemon& daemon, const Query& query, const Request& /*request*/) {
  const std::string state = value_of(query, "state");
  if (state != "up" && state != "down" && state != "auto")
    return bad_request("state: '" + state + "' is no order", "use up, down or auto");
  const auto ordered = daemon.order_site(value_of(query, "site"), state);
  return ordered ? ok(*ordered) : failure(422, ordered.error());
}

Answer get_ha(Daemon& daemon, const Query& /*query*/, const Request& /*request*/) {
  const StatusView status = daemon.status();
  if (!status.pair)
    return failure(422, {"this balancer is alone", "make it one of a pair with ha: in its configuration"});
  return ok(*status.pair);
}

Answer post_handover(Daemon& daemon, const Query& query, const Request& /*request*/) {
  constexpr std::chrono::seconds kFor{3600};
  const auto most = static_cast<std::uint64_t>(std::chrono::seconds(kLongestHandover).count());
  std::optional<std::uint64_t> given;
  if (const auto read = read_number(query, "for", std::uint64_t{1}, most, given); !read)
    return failure(400, read.error());
  HandoverOrder order;
  order.for_so_long = given ? std::chrono::seconds(*given) : kFor;
  return await(daemon.handover(order));
}

Answer post_move(Daemon& daemon, const Query& query, const Request& /*request*/) {
  HandoverOrder order;
  boost::system::error_code failed;
  const std::string address = value_of(query, "address");
  order.address = boost::asio::ip::make_address(address, failed);
  if (failed) return bad_request("address: '" + address + "' is no IP address");
  order.to = value_of(query, "to");
  if (order.to.empty()) return bad_request("to: which node is to have it?");
  const std::string with_group = value_of(query, "with_group");
  if (!with_group.empty() && with_group != "0" && with_group != "1")
    return bad_request("with_group: '" + with_group + "' is neither 0 nor 1");
  order.with_group = with_group == "1";
  return await(daemon.handover(order));
}

Answer get_history(Daemon& daemon, const Query& /*query*/, const Request& /*request*/) { return ok(daemon.history()); }

Answer post_detach(Daemon& daemon, const Query& /*query*/, const Request& /*request*/) {
  const auto detached = daemon.detach();
  if (!detached) return failure(500, detached.error());
  return {200, "application/json", "{}\n", {}, true};
}

Answer get_metrics(Daemon& daemon, const Query& /*query*/, const Request& /*request*/) {
  return {200, kMetricsContentType, metrics_text({daemon.status(), daemon.drops({}).value()}), {}, false};
}

template Answer post_order<AdminState::active>(Daemon&, const Query&, const Request&);
template Answer post_order<AdminState::drain>(Daemon&, const Query&, const Request&);
template Answer post_order<AdminState::maintenance>(Daemon&, const Query&, const Request&);

}  // namespace astil::api
