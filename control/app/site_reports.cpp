#include "control/app/site_reports.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>
#include <filesystem>

#include "control/api/json.hpp"
#include "control/api/tls_connection.hpp"
#include "control/base/aside.hpp"
#include "control/base/log.hpp"
#include "control/base/server_name.hpp"

namespace astil::app {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

using Endpoints = api::TlsConnection::Endpoints;

/// For each step, to find the server, to connect, to shake hands, to be answered: at most, and at least.
constexpr std::chrono::milliseconds kPatience{5000};
constexpr std::chrono::milliseconds kLeastPatience{500};
constexpr unsigned kNamesAtOnce = 32;
constexpr std::uint64_t kLongestReport = 8U << 20U;

http::request<http::string_body> question_for(const std::string& server, const std::string& token) {
  http::request<http::string_body> request{http::verb::get, "/v1/report", 11};
  request.set(http::field::host, server);
  request.set(http::field::user_agent, "astild/" ASTIL_VERSION);
  request.set(http::field::authorization, "Bearer " + token);
  request.keep_alive(false);
  return request;
}

Result<api::ReportView> read_answer(const http::response<http::string_body>& answer) {
  if (answer.result() == http::status::unauthorized || answer.result() == http::status::forbidden)
    return Error{"the token is refused", "compare the token_file with api.remote.tokens there"};
  if (answer.result() != http::status::ok)
    return Error{"it answers with HTTP status " + std::to_string(answer.result_int()), {}};
  boost::system::error_code failed;
  const auto json = boost::json::parse(answer.body(), failed);
  if (failed) return Error{"its answer is not JSON", {}};
  return api::from_json<api::ReportView>(json);
}

/// Not on the loop: it waits for name servers.
Result<Endpoints> resolve(const ServerName& server) {
  asio::io_context own;
  asio::ip::tcp::resolver resolver(own);
  boost::system::error_code failed;
  const auto found = resolver.resolve(server.host, server.port, failed);
  if (failed) return Error{"host " + server.host + " is not known: " + failed.message(), {}};
  Endpoints at;
  for (const auto& each : found) at.push_back(each.endpoint());
  return at;
}

/// A question for a name's addresses. Who waits for it may be gone when the answer comes.
struct Lookup {
  Lookup(const asio::any_io_executor& loop, std::chrono::milliseconds limit) : done(loop, limit) {}
  asio::steady_timer done;
  Result<Endpoints> found =
      Error{"its name is not resolved in time", "do the name servers of /etc/resolv.conf answer?"};
};

asio::awaitable<Result<Endpoints>> look_up(std::shared_ptr<base::Aside> names, ServerName server,
                                           std::chrono::milliseconds limit) {
  if (const auto literal = api::literal_endpoint(server)) co_return Endpoints{*literal};
  const auto lookup = std::make_shared<Lookup>(co_await asio::this_coro::executor, limit);
  names->run([weak = std::weak_ptr(lookup), server]() -> base::Aside::Then {
    auto found = resolve(server);
    return [weak, found = std::move(found)] {
      const auto waits = weak.lock();
      if (!waits) return;
      waits->found = found;
      waits->done.cancel();
    };
  });
  co_await lookup->done.async_wait(asio::as_tuple(asio::use_awaitable));
  co_return lookup->found;
}

/// `limit`: for each step.
asio::awaitable<Result<api::ReportView>> ask(std::string server, std::string token, api::ClientContext context,
                                             std::shared_ptr<base::Aside> names, std::chrono::milliseconds limit) {
  const ServerName name = parse_server(server).value();
  auto at = co_await look_up(std::move(names), name, limit);
  if (!at) co_return at.error().within(server);
  auto opened = co_await api::TlsConnection::open(name, std::move(*at), std::move(context), limit);
  if (!opened) co_return opened.error();
  if (*opened == nullptr) co_return Error{"no daemon answers at " + server, "is api.remote there, with that port?"};
  api::Stream& stream = (*opened)->stream();
  const auto request = question_for(server, token);
  boost::beast::flat_buffer buffer;
  api::AnswerParser parser;
  parser.body_limit(kLongestReport);
  stream.lowest().expires_after(limit);
  const auto failed = co_await api::exchange_messages(stream, request, buffer, parser);
  if (failed) co_return Error{server + " does not answer: " + failed.message(), {}};
  auto read = read_answer(parser.get());
  if (!read) co_return read.error().within(server);
  co_return read;
}

}  // namespace

struct SiteReports::Source {
  Source(asio::io_context& loop, config::DnsReport what) : wanted(std::move(what)), timer(loop) {}

  config::DnsReport wanted;
  asio::steady_timer timer;
  Time begun = std::chrono::steady_clock::now();
  bool ended = false;
  std::shared_ptr<base::Aside> names;
  std::optional<api::ReportView> said;
  std::map<config::address, std::vector<std::size_t>> by_host;  ///< of what was said: services of an address
  std::string server;                                           ///< that said it
  std::size_t first = 0;                                        ///< the server that is asked first
  Time heard{};
  api::ClientContext context;                 ///< of the authorities as they were read
  std::filesystem::file_time_type read_at{};  ///< when that file was changed last
  std::string failure;
  std::uint64_t answers = 0;
  std::uint64_t failures = 0;

  static asio::awaitable<void> ask_again_and_again(std::shared_ptr<Source> source, std::function<void()> on_news);

  [[nodiscard]] bool is_stale(Time now) const { return now - (said ? heard : begun) > *wanted.stale_after; }

  /// What is known of the site that was asked in another way.
  void take_over(const Source& before) {
    begun = before.begun;
    said = before.said;
    by_host = before.by_host;
    server = before.server;
    heard = before.heard;
    failure = before.failure;
    answers = before.answers;
    failures = before.failures;
  }

  /// Those that are there may all have to be silent before the answer gets old.
  [[nodiscard]] std::chrono::milliseconds patience() const {
    const auto part = std::chrono::duration_cast<std::chrono::milliseconds>(*wanted.stale_after) /
                      static_cast<std::int64_t>(2 * wanted.servers.size());
    return std::clamp(part, kLeastPatience, kPatience);
  }

  Result<api::ClientContext> authorities() {
    const std::string ca = wanted.ca_file.value_or(api::kSystemAuthorities);
    std::error_code unknown;
    const auto changed = std::filesystem::last_write_time(ca, unknown);
    if (context && !unknown && changed == read_at) return context;
    auto made = api::make_client_context(ca);
    if (made) {
      context = *made;
      read_at = changed;
    }
    return made;
  }

  void note(api::ReportView answer, const std::string& by) {
    if (!failure.empty()) log::info("site tells of itself again", {{"site", wanted.name}, {"server", by}});
    said = std::move(answer);
    by_host.clear();
    for (std::size_t i = 0; i < said->services.size(); ++i) {
      boost::system::error_code none;
      const auto host = asio::ip::make_address(said->services[i].address, none);
      if (!none) by_host[host].push_back(i);
    }
    server = by;
    heard = std::chrono::steady_clock::now();
    failure.clear();
    ++answers;
  }

  void note_failure(const Error& error) {
    if (failure.empty()) log::warning("site does not tell of itself", {{"site", wanted.name}, {"error", error.text()}});
    failure = error.text();
    ++failures;
  }

  /// Of what was said last. It can be otherwise when it has become too old, too.
  [[nodiscard]] AddressFact fact(const config::address& host, Time now) const {
    const auto seconds = [](auto time) {
      return static_cast<std::uint32_t>(
          std::max<std::int64_t>(0, std::chrono::floor<std::chrono::seconds>(time).count()));
    };
    const auto found = by_host.find(host);
    if (found == by_host.end()) return {.is_up = false, .why = "no service there has it"};
    const std::uint32_t age = seconds(now - heard);
    AddressFact all{.steady = seconds(heard + *wanted.stale_after - now)};
    for (const std::size_t i : found->second) {
      const api::ReportedServiceView& service = said->services[i];
      all.is_up = all.is_up && service.up;
      all.steady = std::min(all.steady, service.steady - std::min(service.steady, age));
      all.why += (all.why.empty() ? "" : ", ") + service.why;
    }
    all.why = "told " + std::to_string(age) + " s ago: " + all.why;
    return all;
  }
};

SiteReports::SiteReports(asio::io_context& loop, std::function<void()> on_news)
    : loop_(loop), on_news_(std::move(on_news)), names_(std::make_shared<base::Aside>(loop, kNamesAtOnce)) {}

SiteReports::~SiteReports() { follow({}); }

void SiteReports::follow(const std::vector<config::DnsReport>& wanted) {
  std::map<std::string, std::shared_ptr<Source>> next;
  for (const config::DnsReport& report : wanted) {
    const auto found = sources_.find(report.name);
    if (found != sources_.end() && found->second->wanted == report) {
      next.insert(sources_.extract(found));
      continue;
    }
    const auto source = std::make_shared<Source>(loop_, report);
    source->names = names_;
    if (found != sources_.end()) source->take_over(*found->second);
    next.emplace(report.name, source);
    asio::co_spawn(loop_, Source::ask_again_and_again(source, on_news_), asio::detached);
  }
  for (const auto& [site, source] : sources_) {
    source->ended = true;
    source->timer.cancel();
  }
  sources_ = std::move(next);
}

/// Until it is ended.
asio::awaitable<void> SiteReports::Source::ask_again_and_again(std::shared_ptr<Source> source,
                                                               std::function<void()> on_news) {
  const config::DnsReport& wanted = source->wanted;
  const std::size_t count = wanted.servers.size();
  while (!source->ended) {
    Error failure;
    bool is_answered = false;
    const auto token = api::read_token(wanted.token_file);
    const auto context = source->authorities();
    if (!token) failure = token.error();
    if (token && !context) failure = context.error();
    // The one that answered last is asked first.
    for (std::size_t i = 0; token && context && !is_answered && i < count; ++i) {
      const std::size_t which = (source->first + i) % count;
      auto answer = co_await ask(wanted.servers[which], *token, *context, source->names, source->patience());
      if (source->ended) co_return;
      is_answered = answer.has_value();
      if (is_answered) {
        source->first = which;
        source->note(std::move(*answer), wanted.servers[which]);
      } else {
        failure = answer.error();
      }
    }
    if (is_answered) {
      on_news();
    } else {
      source->note_failure(failure);
    }
    source->timer.expires_after(wanted.interval);
    co_await source->timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

std::optional<AddressFact> SiteReports::fact(const std::string& site, const config::address& host, Time now) const {
  const Source& source = *sources_.at(site);
  if (source.is_stale(now)) return std::nullopt;
  if (!source.said) return AddressFact{.steady = 0, .why = "not known yet"};
  return source.fact(host, now);
}

AddressFact SiteReports::stale_fact(const std::string& site, const config::address& host, Time now) const {
  const Source& source = *sources_.at(site);
  AddressFact fact{.is_up = source.wanted.when_stale != config::DnsWhenStale::down, .steady = 0, .why = "stale"};
  if (source.wanted.when_stale == config::DnsWhenStale::last && source.said) {
    fact = source.fact(host, now);
    fact.why = "stale, " + fact.why;
  }
  if (!source.failure.empty()) fact.why += ": " + source.failure;
  return fact;
}

std::optional<dns::SiteLoad> SiteReports::load(const std::string& site, const std::vector<config::address>& hosts,
                                               Time now) const {
  const Source& source = *sources_.at(site);
  if (source.is_stale(now) || !source.said) return std::nullopt;
  dns::SiteLoad load;
  bool any = false;
  for (const config::address& host : hosts) {
    const auto found = source.by_host.find(host);
    if (found == source.by_host.end()) continue;
    for (const std::size_t i : found->second) {
      const api::ReportedServiceView& service = source.said->services[i];
      if (!service.capacity) continue;
      load.connections += static_cast<double>(service.connections);
      load.capacity += static_cast<double>(*service.capacity);
      any = true;
    }
  }
  return any ? std::optional(load) : std::nullopt;
}

std::vector<api::DnsReportView> SiteReports::view(Time now) const {
  std::vector<api::DnsReportView> all;
  for (const auto& [site, source] : sources_) {
    api::DnsReportView view{.site = site,
                            .server = source->server,
                            .age_seconds = std::nullopt,
                            .stale = source->is_stale(now),
                            .failure = source->failure,
                            .answers = source->answers,
                            .failures = source->failures};
    if (source->said) view.age_seconds = std::chrono::duration<double>(now - source->heard).count();
    all.push_back(std::move(view));
  }
  return all;
}

}  // namespace astil::app
