// What the API answers: from one request, already read, to one answer. No sockets here; control/api/server.hpp carries
// them. What can be asked is docs/openapi.json, made of the table in routes.cpp.
#pragma once

#include <boost/json/value.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/api/view.hpp"

namespace astil::api {

class Schemas;

/// What a client may ask, each more than the one before: over the plain TCP listener, /metrics and /v1/version; all
/// that changes nothing and shows no packets; all.
enum class Access { metrics, read, everything };

struct Request {
  std::string_view method;
  std::string_view target;  ///< path and query as they came
  std::string_view body;
  Access access = Access::metrics;
  Caller by = {};                       ///< who asks, as far as that is known
  std::string_view from = "socket";     ///< where the request came from: an address with its port
  std::string_view last_event_id = {};  ///< the Last-Event-ID field, of who follows events again
};

/// The body of an answer that goes on, by itself until the client leaves.
class Feed {
 public:
  virtual ~Feed() = default;
  /// What there is to send; empty: nothing now.
  [[nodiscard]] virtual std::string take() = 0;
  /// `ready` is called when there is something after `take` had nothing, and at the end.
  virtual void on_ready(std::function<void()> ready) = 0;
  /// The client wants no more, and may still read what is left: `take` is called once more.
  virtual void end() {}
  /// When `take` has nothing, nothing comes any more.
  [[nodiscard]] virtual bool ended() const { return false; }

  /// What is sent when there was nothing else for so long, so that both sides notice when the other is gone.
  struct Heartbeat {
    std::chrono::milliseconds interval;
    std::string_view text;
  };
  [[nodiscard]] virtual std::optional<Heartbeat> heartbeat() const { return std::nullopt; }
  /// How long the client may take over a piece; none: as long as it likes.
  [[nodiscard]] virtual std::optional<std::chrono::milliseconds> patience() const { return std::nullopt; }
  /// It took longer, and the connection is closed.
  virtual void lose_patience() {}
};

/// How changes that were asked for ended, and requests that were not let in, since the daemon started: see ApiView.
struct Tally {
  std::uint64_t changes_ok = 0;
  std::uint64_t changes_refused = 0;
  std::uint64_t forbidden = 0;
};

struct Answer {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string_view allow;  ///< the Allow field of a 405, else empty
  bool detached = false;   ///< Daemon::after_detach is due once this answer is out
  /// Set: this is no answer yet. `go_on`, until it is one; other work may be done in between.
  std::function<std::optional<Answer>()> unfinished = nullptr;
  /// Of an unfinished one: how long to wait before `go_on`; 0: as soon as others have had their turn.
  std::chrono::milliseconds pause{0};
  std::shared_ptr<Feed> feed = nullptr;  ///< set: the body, in place of `body`
};

/// Never throws: whatever the daemon throws becomes a 500. Every change that is asked for is logged: who, what, result.
[[nodiscard]] Answer answer(Daemon& daemon, const Request& request, Tally* tally = nullptr);
/// Does the next part of an answer that is unfinished. Never throws either.
void go_on(Answer& answer);

/// An answer that only says what is wrong, as FailureView.
[[nodiscard]] Answer failure(unsigned status, const Error& error, const config::Diagnostics& diagnostics = {});

struct ParameterDescription {
  std::string_view name;
  std::string_view text;
  bool is_number = false;
  bool required = false;
};

/// What may be asked, for the document about the API.
struct RouteDescription {
  std::string_view method;
  std::string_view path;
  std::string_view summary;
  std::vector<ParameterDescription> parameters;
  Access access = Access::everything;
  std::string_view type;                   ///< of the answer: "application/json"
  boost::json::value (*schema)(Schemas&);  ///< of what is answered; of a feed of JSON, of each piece
  bool takes_configuration = false;        ///< as the request's body
};

/// Of every route, in the order of the table.
[[nodiscard]] std::vector<RouteDescription> route_descriptions();

/// "192.0.2.1:80" or "[2001:db8::1]:80".
[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view text);

/// "192.0.2.1", "192.0.2.0/24", "2001:db8::/32": bits that the length leaves out may be any.
[[nodiscard]] Result<ClientPrefix> parse_client(const std::string& text);

}  // namespace astil::api
