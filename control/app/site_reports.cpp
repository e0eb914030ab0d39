#include "control/app/site_reports.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>

#include "control/api/json.hpp"
#include "control/api/tls_connection.hpp"
#include "control/base/log.hpp"

namespace astil::app {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

/// For each step: to find the server and connect, to shake hands, to be answered.
constexpr std::chrono::seconds kPatience{5};
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

asio::awaitable<Result<api::ReportView>> ask(std::string server, std::string ca, std::string token) {
  auto opened = co_await api::TlsConnection::open(server, std::move(ca), kPatience);
  if (!opened) co_return opened.error();
  if (*opened == nullptr) co_return Error{"no daemon answers at " + server, "is api.remote there, with that port?"};
  api::Stream& stream = (*opened)->stream();
  const auto request = question_for(server, token);
  boost::beast::flat_buffer buffer;
  api::AnswerParser parser;
  parser.body_limit(kLongestReport);
  stream.lowest().expires_after(kPatience);
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
  std::optional<api::ReportView> said;
  std::string server;  ///< that said it
  Time heard{};
  std::string failure;
  std::uint64_t answers = 0;
  std::uint64_t failures = 0;

  static asio::awaitable<void> ask_again_and_again(std::shared_ptr<Source> source, std::function<void()> on_news);

  [[nodiscard]] bool is_stale(Time now) const { return now - (said ? heard : begun) > *wanted.stale_after; }

  void note(api::ReportView answer, const std::string& by) {
    if (!failure.empty()) log::info("site tells of itself again", {{"site", wanted.name}, {"server", by}});
    said = std::move(answer);
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

  /// Of what was said last.
  [[nodiscard]] AddressFact fact(const config::address& host, Time now) const {
    AddressFact all;
    bool any = false;
    const auto age = static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now - heard).count());
    for (const api::ReportedServiceView& service : said->services) {
      if (service.address != host.to_string()) continue;
      all.is_up = all.is_up && service.up;
      any = true;
      const std::uint32_t left =
          service.steady == UINT32_MAX ? UINT32_MAX : service.steady - std::min(service.steady, age);
      all.steady = std::min(all.steady, left);
      all.why += (all.why.empty() ? "" : ", ") + service.why;
    }
    if (!any) return {.is_up = false, .why = "no service there has it"};
    all.why = "told " + std::to_string(age) + " s ago: " + all.why;
    return all;
  }
};

SiteReports::SiteReports(asio::io_context& loop, std::function<void()> on_news)
    : loop_(loop), on_news_(std::move(on_news)) {}

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
  while (!source->ended) {
    Error failure;
    bool is_answered = false;
    const auto token = api::read_token(wanted.token_file);
    if (!token) failure = token.error();
    for (std::size_t i = 0; token && !is_answered && i < wanted.servers.size(); ++i) {
      auto answer = co_await ask(wanted.servers[i], wanted.ca_file.value_or(api::kSystemAuthorities), *token);
      if (source->ended) co_return;
      is_answered = answer.has_value();
      if (is_answered) {
        source->note(std::move(*answer), wanted.servers[i]);
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
  for (const api::ReportedServiceView& service : source.said->services) {
    const auto is_it = [&](const config::address& host) { return host.to_string() == service.address; };
    if (std::none_of(hosts.begin(), hosts.end(), is_it)) continue;
    if (!service.capacity) return std::nullopt;
    load.connections += static_cast<double>(service.connections);
    load.capacity += static_cast<double>(*service.capacity);
    any = true;
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
