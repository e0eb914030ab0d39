// What the daemon shows of itself, as plain values, and the interface it implements for whoever asks. The JSON of the
// API, the Prometheus metrics and the command line's text all follow from these structs: there is no second source of a
// number.
//
// Counters count from the creation of the packet path's tables (they survive the daemon) and never go down, except
// where a service or backend is removed and comes back. Names of protocols, forwardings and schedulers are spelt as in
// the configuration. An empty string or optional means "not known" or "none". Each struct's BOOST_DESCRIBE line names
// the fields that appear in JSON, by these names (control/api/json.hpp): they are an interface, so they are only ever
// added to.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <boost/system/result.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "control/api/change_view.hpp"
#include "control/api/dns_view.hpp"
#include "control/api/event_view.hpp"
#include "control/api/pair_view.hpp"
#include "control/api/port_view.hpp"
#include "control/base/result.hpp"
#include "control/config/diagnostic.hpp"

namespace astil::api {

namespace ip = boost::asio::ip;

/// One end of a connection; the port in host byte order.
struct Endpoint {
  ip::address address;
  std::uint16_t port = 0;
};
BOOST_DESCRIBE_STRUCT(Endpoint, (), (address, port))

struct Traffic {
  std::uint64_t packets = 0;              ///< both directions where both pass the balancer
  std::uint64_t bytes = 0;                ///< of IP datagrams, as received
  std::uint64_t new_connections = 0;      ///< flows that were placed on a backend
  std::uint64_t active_flows = 0;         ///< by the last census
  std::uint64_t refused_connections = 0;  ///< of the new ones, by a RST in answer to the SYN (nat, full-nat)
};
BOOST_DESCRIBE_STRUCT(Traffic, (), (packets, bytes, new_connections, active_flows, refused_connections))

enum class BackendState { unknown, up, down };
BOOST_DESCRIBE_ENUM(BackendState, unknown, up, down)

/// One of several checks of a backend.
struct CheckView {
  std::string name;  ///< "health": the service's first
  BackendState state = BackendState::unknown;
  std::string last_error;  ///< empty once it succeeds
};
BOOST_DESCRIBE_STRUCT(CheckView, (), (name, state, last_error))

/// What the health checker knows. For a service without health checks the state stays `unknown` and counts as up.
struct HealthView {
  BackendState state = BackendState::unknown;
  TimePoint since;                           ///< of the last change of state
  std::string last_error;                    ///< of the last failed check; empty once a check succeeds
  std::optional<double> last_check_seconds;  ///< how long the last check took
  std::uint64_t checks_ok = 0;
  std::uint64_t checks_failed = 0;
  std::uint64_t checks_not_made = 0;   ///< this host could not make them, or did not forward meanwhile
  std::optional<double> held_seconds;  ///< it flaps: so long it stays down yet, if its checks succeed
  std::uint64_t holds = 0;             ///< how often it was held out so, since the daemon started
  std::vector<CheckView> checks;       ///< none: there is one alone
  std::string suspect;                 ///< what clients' connections tell against it; empty: nothing
};
BOOST_DESCRIBE_STRUCT(HealthView, (),
                      (state, since, last_error, last_check_seconds, checks_ok, checks_failed, checks_not_made,
                       held_seconds, holds, checks, suspect))

/// How packets reach a backend at layer 2.
struct NextHopView {
  std::string interface;
  std::string mac;         ///< "02:00:00:00:00:01"; empty: not resolved
  std::string unresolved;  ///< why there is no MAC, as a sentence; empty when resolved
};
BOOST_DESCRIBE_STRUCT(NextHopView, (), (interface, mac, unresolved))

/// What the operator has ordered of a backend, whatever its health: `drain`, no new flows, and those it has go on;
/// `maintenance`, as if it were down, and not checked.
enum class AdminState { active, drain, maintenance };
BOOST_DESCRIBE_ENUM(AdminState, active, drain, maintenance)

struct BackendView {
  std::string name;  ///< of a retired one: address and port
  ip::address address;
  std::uint16_t port = 0;    ///< 0: as the client chose it
  std::uint32_t weight = 0;  ///< as configured
  bool in_rotation = false;  ///< gets new flows
  bool draining = false;     ///< gets none, but still has flows that are served
  bool retired = false;      ///< not in the configuration any more, or there with another address
  double ring_share = 0;     ///< of the service's ring slots, 0 to 1
  HealthView health;
  NextHopView next_hop;
  Traffic traffic;
  AdminState admin = AdminState::active;  ///< as the operator has ordered
  std::optional<TimePoint> admin_since;   ///< of an order
  /// Of `draining`: until its flows have ended, at the pace of the last minute.
  std::optional<double> empty_in_seconds;
  bool fallback = false;    ///< gets new flows only while there are too few others
  double weight_share = 1;  ///< of its weight that it has: less while it starts slowly
  bool found = false;       ///< by the service's discovery, and not in the configuration
};
BOOST_DESCRIBE_STRUCT(BackendView, (),
                      (name, address, port, weight, in_rotation, draining, ring_share, health, next_hop, traffic,
                       retired, admin, admin_since, empty_in_seconds, weight_share, fallback, found))

/// Which clients a service lets in, as configured.
struct SourcesView {
  std::uint64_t allowed_prefixes = 0;  ///< 0, and others denied: all that those do not hold are let in
  std::uint64_t denied_prefixes = 0;
  std::uint32_t new_flows_per_second = 0;  ///< of each source; 0: no limit
  std::uint32_t burst = 0;
  std::uint32_t source_prefix = 0;  ///< length of the prefix that makes a source, of the service's IP version
};
BOOST_DESCRIBE_STRUCT(SourcesView, (), (allowed_prefixes, denied_prefixes, new_flows_per_second, burst, source_prefix))

/// Where a service's backends are found.
struct DiscoveryView {
  std::string source;           ///< "file /etc/astil/web.json", "SRV of _http._tcp.example.org"
  std::uint64_t backends = 0;   ///< of the last good answer
  std::optional<TimePoint> at;  ///< when it came, or came again; none: there was none since the daemon started
  std::string error;            ///< of the last attempt; empty: it went well
  std::uint64_t followed = 0;   ///< attempts that went well, since the daemon started
  std::uint64_t failed = 0;     ///< likewise, those without an answer
  std::uint64_t refused = 0;    ///< likewise, answers that were not followed
};
BOOST_DESCRIBE_STRUCT(DiscoveryView, (), (source, backends, at, error, followed, failed, refused))

struct ServiceView {
  std::string name;
  ip::address address;
  std::uint16_t port = 0;
  std::string protocol;
  std::string forwarding;
  std::string scheduler;
  std::uint32_t ring_slots = 0;
  std::string ring_digest;  ///< hexadecimal; equal digests: equal rings
  Traffic traffic;
  std::vector<BackendView> backends;
  std::optional<double> affinity_seconds;  ///< how long a client's backend is remembered; none: no affinity
  std::optional<SourcesView> sources;      ///< none: all clients are let in
  std::uint32_t minimum_up = 1;            ///< backends in rotation, fewer than which are too few
  std::string when_down;                   ///< what it does with new flows then: "drop", "fail-open", ...
  bool too_few = false;                    ///< so it is now
  std::optional<DiscoveryView> discovery;  ///< none: its backends are those of the configuration
};
BOOST_DESCRIBE_STRUCT(ServiceView, (),
                      (name, address, port, protocol, forwarding, scheduler, ring_slots, ring_digest, traffic, backends,
                       affinity_seconds, sources, minimum_up, when_down, too_few, discovery))

struct InterfaceView {
  std::string name;
  std::uint32_t ifindex = 0;
  std::string hook;   ///< "xdp native", "xdp generic"
  std::string why;    ///< why this hook was chosen, where there was a choice
  std::string state;  ///< "up", "no carrier", "down", "missing"
  std::string mac;
};
BOOST_DESCRIBE_STRUCT(InterfaceView, (), (name, ifindex, hook, why, state, mac))

/// The fill of one table of the packet path.
struct TableView {
  std::string name;  ///< "flows", "services", "backends", "ring_slots", "source_ranges"
  std::uint64_t used = 0;
  std::uint64_t capacity = 0;
};
BOOST_DESCRIBE_STRUCT(TableView, (), (name, used, capacity))

/// What befell entries of the flow table, since the tables were made.
struct FlowEventView {
  std::string event;  ///< stable: "evicted_established"
  std::string description;
  std::uint64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(FlowEventView, (), (event, description, count))

/// What an operator should look at, and the next step to take.
struct ProblemView {
  std::string what;
  std::string next_step;
};
BOOST_DESCRIBE_STRUCT(ProblemView, (), (what, next_step))

/// Which configuration runs, and how the attempts to change it ended since the daemon started.
struct ConfigView {
  std::string file;
  std::optional<TimePoint> applied_at;
  std::uint64_t applies_ok = 0;
  std::uint64_t applies_refused = 0;
  std::optional<TimePoint> last_refused_at;
  std::uint64_t number = 0;             ///< in the history
  std::optional<TimePoint> confirm_by;  ///< a change waits for its confirmation until then
  std::uint64_t taken_back = 0;         ///< changes that nobody confirmed
  std::uint64_t rollbacks = 0;          ///< that somebody asked for
  std::uint64_t reloads_ok = 0;         ///< by SIGHUP
  std::uint64_t reloads_refused = 0;    ///< likewise
  std::uint64_t history_write_errors = 0;
};
BOOST_DESCRIBE_STRUCT(ConfigView, (),
                      (file, applied_at, applies_ok, applies_refused, last_refused_at, number, confirm_by, taken_back,
                       rollbacks, reloads_ok, reloads_refused, history_write_errors))

/// Where the API is asked.
struct ListenerView {
  std::string name;            ///< "socket", "metrics" by TCP, "remote" by TLS
  std::string where;           ///< a path, or an address with its port
  std::string failure;         ///< why nobody can ask there now; empty: they can
  std::uint64_t failures = 0;  ///< attempts to listen that failed
};
BOOST_DESCRIBE_STRUCT(ListenerView, (), (name, where, failure, failures))

/// What was asked of the API, since the daemon started.
struct ApiView {
  std::uint64_t changes_ok = 0;
  std::uint64_t changes_refused = 0;
  std::uint64_t forbidden = 0;          ///< requests that the client's role does not let it make
  std::uint64_t no_token = 0;           ///< requests over the network without a valid token
  std::uint64_t failed_handshakes = 0;  ///< of TLS
  std::uint64_t timed_out = 0;          ///< connections over the network that were closed in the middle of a request
  std::uint64_t connections = 0;        ///< over the network, now
};
BOOST_DESCRIBE_STRUCT(ApiView, (),
                      (changes_ok, changes_refused, forbidden, no_token, failed_handshakes, timed_out, connections))

/// What was changed behind the daemon's back, and put right, since the daemon started.
struct RepairView {
  std::string what;  ///< "attachment" (of the packet path), "pin", "table", "address", "next-hop", "probe"
  std::uint64_t done = 0;
  std::uint64_t failed = 0;  ///< attempts
};
BOOST_DESCRIBE_STRUCT(RepairView, (), (what, done, failed))

struct StatusView {
  std::vector<ProblemView> problems;  ///< the gravest first; empty: all is well
  std::string instance;
  std::string version;
  TimePoint started_at;
  std::string engine;
  std::uint32_t layout_version = 0;  ///< of the tables in memory
  bool adopted = false;              ///< this daemon took over a packet path that was already running
  ConfigView config;
  std::vector<InterfaceView> interfaces;
  std::vector<TableView> tables;
  std::vector<FlowEventView> flow_events;
  std::vector<ServiceView> services;
  bool limits_new_flows = false;  ///< more came in lately than dataplane.new_flows_per_second lets in
  std::uint64_t orders_ok = 0;    ///< of backends, since the daemon started
  std::uint64_t orders_refused = 0;
  std::uint64_t flows_given_up = 0;  ///< of removed backends, since then
  std::vector<RepairView> repairs;   ///< every kind
  std::vector<ListenerView> listeners;
  std::vector<PortView> ports;      ///< none: the engine has the kernel's interfaces alone
  std::vector<WorkerView> workers;  ///< likewise
  std::optional<PairView> pair;     ///< none: this balancer is alone
  std::optional<DnsView> dns;       ///< none: there is no name server
  EventLogView events;
  ApiView api;
  std::string capture;  ///< what a capture that runs is of, as a sentence; empty: none runs
};
BOOST_DESCRIBE_STRUCT(StatusView, (),
                      (problems, instance, version, started_at, engine, layout_version, adopted, config, interfaces,
                       tables, flow_events, services, limits_new_flows, orders_ok, orders_refused, flows_given_up,
                       repairs, listeners, ports, workers, pair, dns, events, api, capture))

/// What a service in the configuration has of a reason's drops; never 0.
struct ServiceDropsView {
  std::string service;
  std::uint64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(ServiceDropsView, (), (service, count))

/// One reason to drop. Every reason the packet path knows is listed, also those with a count of 0.
struct DropView {
  std::string reason;  ///< stable: "no_backend"
  std::string description;
  std::uint64_t count = 0;                 ///< of all packets; of the services that were asked for, where some were
  std::vector<ServiceDropsView> services;  ///< in the configuration's order
  std::uint64_t without_service = 0;       ///< packets for an address with services, but for none of them
};
BOOST_DESCRIBE_STRUCT(DropView, (), (reason, description, count, services, without_service))

/// A backend, of one service or of all that have one of that name.
struct BackendFilter {
  std::string backend;
  std::optional<std::string> service;
};

/// What an operator who takes a backend out of service wants to know of its use by one service.
struct DrainView {
  std::string service;
  std::string backend;
  AdminState admin = AdminState::active;
  bool in_rotation = false;
  std::uint64_t active_flows = 0;          ///< by the last census
  bool drained = false;                    ///< gets no new flows, and a census since then has found none
  std::optional<double> empty_in_seconds;  ///< as in BackendView
};
BOOST_DESCRIBE_STRUCT(DrainView, (), (service, backend, admin, in_rotation, active_flows, drained, empty_in_seconds))

struct DrainsView {
  std::vector<DrainView> backends;
};
BOOST_DESCRIBE_STRUCT(DrainsView, (), (backends))

/// Orders, as the daemon keeps them in a file.
struct OrderView {
  std::string service;
  std::string backend;
  AdminState state = AdminState::drain;
  TimePoint since;
};
BOOST_DESCRIBE_STRUCT(OrderView, (), (service, backend, state, since))

struct OrdersView {
  std::uint32_t version = 0;  ///< of the file's form: 1
  std::vector<OrderView> orders;
};
BOOST_DESCRIBE_STRUCT(OrdersView, (), (version, orders))

struct DropsView {
  std::vector<DropView> drops;
};
BOOST_DESCRIBE_STRUCT(DropsView, (), (drops))

/// Which drops; what is not set matches all.
struct DropFilter {
  std::optional<std::string> service;
  std::optional<std::string> reason;
};

/// One dropped packet.
struct DropEventView {
  std::string time;  ///< "2026-01-31T12:00:00.123456Z"
  std::string reason;
  std::string service;   ///< empty: for none, or not known for which
  std::string protocol;  ///< "tcp", "udp", "icmp", "ipv6-icmp", or a number
  Endpoint source;       ///< port 0: the packet has none, as ICMP and later fragments; address ::, it could not be read
  Endpoint destination;
  std::uint32_t length = 0;  ///< of the IP datagram, bytes
  std::string interface;     ///< it came in by
  std::uint64_t lost = 0;    ///< drops before this one that this follower did not take in time
};
BOOST_DESCRIBE_STRUCT(DropEventView, (),
                      (time, reason, service, protocol, source, destination, length, interface, lost))

/// Drops as they happen, for one who follows them: a sample, since the packet path tells of so many a second only. It
/// holds a limited number; where they are not taken in time, the oldest are lost, and counted. All on the daemon's
/// loop.
class DropFollower {
 public:
  virtual ~DropFollower() = default;
  /// What has come since the last call, the oldest first.
  [[nodiscard]] virtual std::vector<DropEventView> take() = 0;
  /// `ready` is called when something comes while there is nothing to take.
  virtual void on_ready(std::function<void()> ready) = 0;
};

/// Which flows to list; what is not set matches all.
struct FlowFilter {
  std::optional<std::string> service;
  std::optional<std::string> backend;
  std::optional<ip::address> client;
  std::size_t limit = 1000;
};

/// `affinity`: no flow, but what is known of a client.
enum class FlowState { half_open, answered, established, closing, closed, udp_stream, affinity };
BOOST_DESCRIBE_ENUM(FlowState, half_open, answered, established, closing, closed, udp_stream, affinity)

struct FlowView {
  std::string service;
  Endpoint client;
  Endpoint destination;  ///< the service's address, as the client sees it
  std::string backend;
  FlowState state = FlowState::half_open;
  std::uint64_t idle_seconds = 0;              ///< to the flow table's resolution, 16 s
  std::string protocol = "tcp";                ///< "tcp" or "udp"
  std::optional<std::uint32_t> client_prefix;  ///< of `affinity`: length of the clients' prefix, whose port is 0
  std::optional<Endpoint> source;              ///< under full NAT: what the backend sees it come from
};
BOOST_DESCRIBE_STRUCT(FlowView, (),
                      (service, client, destination, backend, state, idle_seconds, protocol, client_prefix, source))

struct FlowsView {
  std::uint64_t matched = 0;    ///< flows and affinity entries that matched the filter, listed or not
  std::vector<FlowView> flows;  ///< at most FlowFilter::limit
};
BOOST_DESCRIBE_STRUCT(FlowsView, (), (matched, flows))

/// A list of flows in the making: the table may be so large that it is read a part at a time, and the daemon's other
/// work has its turn in between. All on the daemon's loop.
class FlowWalk {
 public:
  virtual ~FlowWalk() = default;
  /// Reads the next part. False: that was the last.
  virtual bool advance() = 0;
  /// What was found; once, when all is read.
  [[nodiscard]] virtual FlowsView take() = 0;
};

/// Addresses that begin with the same bits.
struct ClientPrefix {
  ip::address address;
  unsigned bits = 0;  ///< 1 to 32, or to 128
};

/// Which packets to capture, and how much of them. What is not set matches all.
struct CaptureQuery {
  static constexpr std::uint32_t kMostRate = 1'000'000;
  static constexpr std::uint64_t kLeastSize = 4096;
  static constexpr std::uint64_t kMostSize = 1'000'000'000'000;
  static constexpr std::uint32_t kMostSeconds = 3600;
  static constexpr std::uint32_t kLeastSnap = 64;
  static constexpr std::uint32_t kMostSnap = 9216;

  std::optional<std::string> service;
  std::optional<std::string> backend;
  std::optional<ClientPrefix> client;
  std::uint32_t rate = 1000;           ///< packets a second, at most
  std::optional<std::uint64_t> count;  ///< packets
  std::uint64_t size = 100'000'000;    ///< bytes of the file
  std::uint32_t seconds = 60;
  std::uint32_t snap = 192;  ///< bytes of a frame that are kept: all headers, and not much of what clients say
};

/// A capture that runs, or has ended: the bytes of a pcapng file, as they come. It holds a limited number; packets that
/// come while they are not taken are lost, and counted. All on the daemon's loop.
class Capture {
 public:
  virtual ~Capture() = default;
  /// What has come since the last call.
  [[nodiscard]] virtual std::string take() = 0;
  /// `ready` is called when there is something to take after there was nothing, and when the capture ends.
  virtual void on_ready(std::function<void()> ready) = 0;
  /// No more packets are wanted. What there is, the file's end included, can still be taken.
  virtual void end() = 0;
  /// Nothing comes any more.
  [[nodiscard]] virtual bool ended() const = 0;
};

struct TraceQuery {
  std::string protocol;  ///< "tcp" or "udp"
  Endpoint from;
  Endpoint to;
};

enum class Verdict { transmit, redirect, pass, drop };
BOOST_DESCRIBE_ENUM(Verdict, transmit, redirect, pass, drop)

/// What one stage of the packet path saw and did: its name, a sentence, and the values behind it.
struct TraceStep {
  std::string stage;  ///< "parse", "service", "steer", "rewrite", "verdict"
  std::string text;
  std::vector<std::pair<std::string, std::string>> fields;
};
BOOST_DESCRIBE_STRUCT(TraceStep, (), (stage, text, fields))

struct TraceView {
  std::vector<TraceStep> steps;
  Verdict verdict = Verdict::pass;
  std::string reason;  ///< of the verdict: a drop's stable name, or why the packet passes
  std::string service;
  std::string backend;
  bool flow_known = false;
  std::optional<std::uint32_t> ring_slot;  ///< set where the ring decided
  std::string interface;                   ///< the packet leaves by it
  std::string mac;                         ///< to this neighbour
};
BOOST_DESCRIBE_STRUCT(TraceView, (), (steps, verdict, reason, service, backend, flow_known, ring_slot, interface, mac))

/// Who asks for a change.
struct Caller {
  std::optional<std::uint32_t> uid;  ///< over the Unix socket
  std::string token;                 ///< over the network: the token's name

  /// "uid 0", "token deploy", "somebody".
  [[nodiscard]] std::string name() const {
    if (!token.empty()) return "token " + token;
    return uid ? "uid " + std::to_string(*uid) : "somebody";
  }
};

/// A configuration that somebody hands over.
struct Change {
  std::string yaml;
  std::string file;  ///< for messages and the history
  Caller by;
  std::optional<std::chrono::seconds> confirm;  ///< without a `confirm` until then what was before comes back
};
inline constexpr std::chrono::seconds kLongestConfirm{86'400};

/// Why a configuration was not applied: its mistakes, or, where `diagnostics` is empty, why a sound one could not be
/// applied. Either way the old configuration stays.
struct Refusal {
  Error error;
  config::Diagnostics diagnostics;
};

using Applied = boost::system::result<ApplyView, Refusal>;

[[noreturn]] inline void throw_exception_from_error(const Refusal& refusal, const boost::source_location& /*where*/) {
  throw std::runtime_error(refusal.error.text());
}

/// A failure as the API answers it.
struct FailureView {
  std::string error;
  std::string remedy;
  config::Diagnostics diagnostics;  ///< of a configuration that was refused
};
BOOST_DESCRIBE_STRUCT(FailureView, (), (error, remedy, diagnostics))

struct VersionView {
  std::string version;
  std::uint32_t layout_version = 0;
};
BOOST_DESCRIBE_STRUCT(VersionView, (), (version, layout_version))

/// What is still under way: none as long as it is. To be asked again and again, until there is a result.
template <class T>
using Awaited = std::function<std::optional<Result<T>>()>;

/// What the API asks of the daemon. Every function is called on the daemon's loop and answers at once; none may block
/// for longer than reading the tables takes.
class Daemon {
 public:
  virtual ~Daemon() = default;

  [[nodiscard]] virtual VersionView version() const = 0;
  [[nodiscard]] virtual StatusView status() const = 0;
  [[nodiscard]] virtual Result<DropsView> drops(const DropFilter& filter) const = 0;
  /// The follower may outlive the daemon, and then hears of nothing more.
  [[nodiscard]] virtual Result<std::unique_ptr<DropFollower>> follow_drops(const DropFilter& filter) = 0;
  /// The walk must not outlive the daemon.
  [[nodiscard]] virtual Result<std::unique_ptr<FlowWalk>> flows(const FlowFilter& filter) const = 0;
  /// One at a time. It may outlive the daemon, and then has ended.
  [[nodiscard]] virtual Result<std::unique_ptr<Capture>> capture(const CaptureQuery& query) = 0;
  /// Runs the packet path over the live tables for one packet, and writes nothing.
  [[nodiscard]] virtual Result<TraceView> trace(const TraceQuery& query) const = 0;
  [[nodiscard]] virtual Result<DrainsView> backends(const BackendFilter& filter) const = 0;
  /// Of those in the configuration, and of those removed that are remembered.
  [[nodiscard]] virtual Result<WhyView> why(const BackendFilter& filter) const = 0;
  /// The last `limit` events that match and are remembered.
  [[nodiscard]] virtual EventsView events(const EventFilter& filter, std::size_t limit) const = 0;
  /// From the event after number `after` on, where that is given; else what comes. The follower may outlive the daemon,
  /// and then hears of nothing more.
  [[nodiscard]] virtual Result<std::unique_ptr<EventFollower>> follow_events(const EventFilter& filter,
                                                                             std::optional<std::uint64_t> after) = 0;
  /// Orders a state of backends, which lasts until another one is ordered.
  [[nodiscard]] virtual Result<DrainsView> order(const BackendFilter& filter, AdminState state, const Caller& by) = 0;
  /// What `apply` would do, or how it would be refused. Changes nothing.
  [[nodiscard]] virtual Applied plan(const Change& change) = 0;
  /// Makes it the running configuration.
  [[nodiscard]] virtual Applied apply(const Change& change) = 0;
  /// The change that waits for it stays. An error where none does.
  /// The change stands at once; the answer comes once that is written down.
  [[nodiscard]] virtual Awaited<HistoryEntry> confirm() = 0;
  /// Makes a configuration of the history the running one; without a number, that which ran before.
  [[nodiscard]] virtual Applied rollback(std::optional<std::uint64_t> number, const Caller& by) = 0;
  [[nodiscard]] virtual HistoryView history() const = 0;
  /// Leaves addresses of the pair's to the other node once it has all flows. Ends when that node has them.
  [[nodiscard]] virtual Awaited<HandoverView> handover(const HandoverOrder& order) = 0;
  [[nodiscard]] virtual ReportView report() const = 0;
  /// What the name server would answer. Nothing is counted.
  [[nodiscard]] virtual Result<DnsExplainView> explain(const DnsQuestion& question) const = 0;
  /// Orders "up", "down" or "auto" of a site of names, which lasts until another one is ordered.
  [[nodiscard]] virtual Result<DnsOrderView> order_site(const std::string& site, const std::string& state) = 0;
  /// Removes service addresses, programs and pins. The daemon stays until `after_detach`.
  [[nodiscard]] virtual Result<> detach() = 0;
  /// Called once after a detach() that succeeded, when its answer has been sent or can not be sent: time to end.
  virtual void after_detach() = 0;
};

}  // namespace astil::api
