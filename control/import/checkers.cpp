#include "control/import/checkers.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "control/import/reasons.hpp"
#include "control/import/values.hpp"

namespace astil::import {
namespace {

using config::HealthCheck;
using config::Milliseconds;

constexpr std::string_view kNoNumber = "is not a number, and is left out";

struct CheckerKind {
  std::string_view name;
  std::uint32_t retry;       ///< keepalived's default
  std::string_view refused;  ///< why it can not be carried over; empty: it can
};
constexpr std::array kCheckers{
    CheckerKind{"TCP_CHECK", 1, ""},
    CheckerKind{"HTTP_GET", 1, ""},
    CheckerKind{"SSL_GET", 1, ""},
    CheckerKind{"SMTP_CHECK", 1, ""},
    CheckerKind{"DNS_CHECK", 3, ""},
    CheckerKind{"PING_CHECK", 1, ""},
    CheckerKind{"UDP_CHECK", 1, ""},
    CheckerKind{"MISC_CHECK", 0, "no check runs a program; without another one the servers count as up"},
    CheckerKind{"BFD_CHECK", 0, "no check goes by BFD; without another one the servers count as up"},
    CheckerKind{"FILE_CHECK", 0, "no check reads a file; without another one the servers count as up"},
};

const CheckerKind* kind_of(std::string_view name) {
  const auto found = std::ranges::find(kCheckers, name, &CheckerKind::name);
  return found == kCheckers.end() ? nullptr : &*found;
}

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

/// One checker that is being carried over.
class Checker {
 public:
  Checker(const Statement& checker, CheckSettings settings, Draft& draft)
      : checker_(checker), kind_(*kind_of(checker.name())), settings_(std::move(settings)), draft_(draft) {}

  std::optional<HealthCheck> run() {
    if (!kind_.refused.empty()) {
      note(checker_, std::string(kind_.refused));
      return std::nullopt;
    }
    HealthCheck check;
    for (const auto& statement : checker_.block) {
      if (statement.name() == "connect_port") {
        take_port(statement, check);
      } else if (!settings_.take(statement, draft_) && !take_own(statement)) {
        note(statement, why_not_carried(statement.name()));
      }
    }
    check.probe = probe();
    if (unfit_) return std::nullopt;
    set_times(check);
    return check;
  }

 private:
  void note(const Statement& statement, std::string why) {
    draft_.add_finding(statement.origin, statement.text(), std::move(why));
  }

  void take_port(const Statement& statement, HealthCheck& check) {
    const auto number = number_of(statement.word(1), 65'535);
    if (number && *number > 0) {
      check.port = static_cast<config::Port>(*number);
    } else {
      note(statement, "is not a port, and is left out");
    }
  }

  bool take_own(const Statement& statement) {
    const auto& name = statement.name();
    if (kind_.name == "HTTP_GET" || kind_.name == "SSL_GET") return take_http(statement);
    if (kind_.name == "DNS_CHECK") return take_dns(statement);
    if (kind_.name == "UDP_CHECK" && (name == "payload" || name == "require_reply")) return take_udp(statement);
    return false;
  }

  bool take_http(const Statement& statement) {
    if (statement.name() == "enable_sni") {
      sni_ = true;
      return true;
    }
    if (statement.name() != "url") return false;
    if (url_seen_) {
      note(statement, "a check asks for one URL, the first");
      return true;
    }
    url_seen_ = true;
    for (const auto& each : statement.block) take_url(each);
    return true;
  }

  void take_url(const Statement& statement) {
    const auto& name = statement.name();
    const auto& value = statement.word(1);
    if (name == "path") {
      if (value.starts_with('/') && is_plain(value)) {
        http_.path = value;
      } else {
        note(statement, "is no path that a request can have; it is / now");
      }
    } else if (name == "virtualhost") {
      settings_.virtualhost = value;
    } else if (name == "status_code") {
      take_status(statement);
    } else if (name == "regex") {
      take_regex(statement);
    } else if (name == "regex_no_match") {
      inverted_ = true;
      note(statement, why_not_carried(name));
    } else if (name == "digest") {
      note(statement, "a body has no digest to go by; 'body' looks for a text in it");
    } else {
      note(statement, why_not_carried(statement.name()));
    }
  }

  void take_status(const Statement& statement) {
    std::uint32_t low = std::numeric_limits<std::uint32_t>::max();
    std::uint32_t high = 0;
    for (std::size_t i = 1; i < statement.words.size(); ++i) {
      const auto& word = statement.words[i];
      const auto dash = word.find('-');
      const auto first = number_of(word.substr(0, dash), 599);
      const auto last = dash == std::string::npos ? first : number_of(word.substr(dash + 1), 599);
      if (!first || !last || *first < 100 || *last < *first) return note(statement, "is not understood; 200-299 it is");
      low = std::min(low, *first);
      high = std::max(high, *last);
    }
    if (statement.words.size() < 2) return note(statement, "is not understood; 200-299 it is");
    if (statement.words.size() > 2)
      note(statement, "one range holds them all: " + std::to_string(low) + "-" + std::to_string(high));
    http_.status_low = static_cast<std::uint16_t>(low);
    http_.status_high = static_cast<std::uint16_t>(high);
  }

  void take_regex(const Statement& statement) {
    constexpr std::size_t kLongest = 512;
    const auto& text = statement.word(1);
    const bool literal = text.find_first_of("\\^$.|?*+()[]{}") == std::string::npos;
    const bool printable = std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
    if (!literal || !printable || text.empty() || text.size() > kLongest)
      return note(statement, "a check looks for a plain text in the body, not for an expression");
    http_.body = text;
  }

  bool take_dns(const Statement& statement) {
    if (statement.name() == "name") {
      name_ = statement.word(1);
    } else if (statement.name() == "type") {
      type_ = &statement;
    } else {
      return false;
    }
    return true;
  }

  /// Bytes by two digits each: what else keepalived takes for some is not.
  bool take_udp(const Statement& statement) {
    std::string digits;
    for (std::size_t i = 1; i < statement.words.size(); ++i) digits += statement.words[i];
    std::string bytes;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
      const auto value = byte_of(digits.substr(i, 2));
      if (!value) break;
      bytes += *value;
    }
    if (bytes.size() * 2 != digits.size() || bytes.size() > 512) {
      note(statement, "is not bytes below 0x80 by two digits each; the check is left out");
      unfit_ = true;
    } else if (statement.name() == "payload") {
      udp_.send = bytes;
    } else {
      udp_.expect = bytes;
    }
    return true;
  }

  static std::optional<char> byte_of(std::string_view digits) {
    unsigned value = 0;
    for (const char c : digits) {
      const auto digit =
          std::string_view("0123456789abcdef").find(static_cast<char>(c >= 'A' && c <= 'F' ? c + 32 : c));
      if (digit == std::string_view::npos) return std::nullopt;
      value = value * 16 + static_cast<unsigned>(digit);
    }
    if (value > 0x7f) return std::nullopt;
    return static_cast<char>(value);
  }

  config::Probe probe() {
    if (kind_.name == "HTTP_GET") return http();
    if (kind_.name == "SSL_GET") {
      config::HttpsCheck https{.http = http(), .server_name = {}, .trust = {.verify = false, .ca = {}}};
      if (sni_) https.server_name = https.http.host;
      return https;
    }
    if (kind_.name == "DNS_CHECK") return dns();
    if (kind_.name == "PING_CHECK") return config::IcmpCheck{};
    if (kind_.name == "UDP_CHECK") {
      if (udp_.send.empty()) note(checker_, "the datagram is empty now, where keepalived makes one up");
      return udp_;
    }
    if (kind_.name == "SMTP_CHECK") note(checker_, "a connection by TCP is all that is checked now");
    return config::TcpCheck{};
  }

  config::HttpCheck http() {
    if (inverted_) http_.body.clear();
    if (is_plain(settings_.virtualhost)) {
      http_.host = settings_.virtualhost;
    } else {
      note(checker_, "its virtualhost is no host name, and is left out");
    }
    return http_;
  }

  config::DnsCheck dns() {
    config::DnsCheck check{.name = is_plain(name_) && !name_.empty() ? name_ : "."};
    const std::string type = type_ == nullptr ? "SOA" : type_->word(1);
    if (type == "AAAA") {
      check.record = config::DnsRecord::aaaa;
    } else if (type != "A") {
      note(type_ == nullptr ? checker_ : *type_,
           "a name server is asked for A or AAAA, not for " + shown(type) + "; A it is");
    }
    return check;
  }

  void set_times(HealthCheck& check) {
    check.interval = settings_.delay_loop;
    check.timeout = settings_.connect_timeout;
    check.rise = 1;
    check.fall = settings_.retry.value_or(kind_.retry) + 1;
    const auto limit = [&](Milliseconds& value, Milliseconds low, Milliseconds high, const std::string& what) {
      const auto fit = std::clamp(value, low, high);
      if (fit != value) note(checker_, what + " is " + std::to_string(fit.count()) + " ms now, a limit of ours");
      value = fit;
    };
    limit(check.interval, Milliseconds(50), Milliseconds(3'600'000), "delay_loop");
    limit(check.timeout, Milliseconds(10), check.interval, "connect_timeout");
    if (check.fall > 100) {
      note(checker_, "retry is 99 now, a limit of ours");
      check.fall = 100;
    }
  }

  const Statement& checker_;
  const CheckerKind& kind_;
  CheckSettings settings_;
  Draft& draft_;
  config::HttpCheck http_{.path = "/", .host = {}, .status_low = 200, .status_high = 299, .body = {}};
  config::UdpCheck udp_;
  std::string name_;
  const Statement* type_ = nullptr;
  bool url_seen_ = false;
  bool sni_ = false;
  bool inverted_ = false;  ///< the text must not be in the body
  bool unfit_ = false;
};

bool take_timer(const Statement& statement, Milliseconds& value, Draft& draft) {
  if (const auto timer = timer_of(statement.word(1))) {
    value = *timer;
  } else {
    draft.add_finding(statement.origin, statement.text(), std::string(kNoNumber));
  }
  return true;
}

}  // namespace

bool is_checker(std::string_view word) { return kind_of(word) != nullptr; }

bool CheckSettings::take(const Statement& statement, Draft& draft) {
  const auto& name = statement.name();
  if (name == "delay_loop") return take_timer(statement, delay_loop, draft);
  if (name == "connect_timeout") return take_timer(statement, connect_timeout, draft);
  if (name == "virtualhost") {
    virtualhost = statement.word(1);
    return true;
  }
  if (name != "retry" && name != "nb_get_retry") return false;
  if (const auto number = number_of(statement.word(1), 1'000'000)) {
    retry = *number;
  } else {
    draft.add_finding(statement.origin, statement.text(), std::string(kNoNumber));
  }
  return true;
}

std::optional<HealthCheck> check_of(const Statement& real_server, const CheckSettings& settings, Draft& draft) {
  std::optional<HealthCheck> carried;
  for (const auto& statement : real_server.block) {
    if (!is_checker(statement.name())) continue;
    if (carried) {
      draft.add_finding(statement.origin, statement.text(),
                        "a backend has one check, the first that can be carried over");
      continue;
    }
    carried = Checker(statement, settings, draft).run();
  }
  return carried;
}

}  // namespace astil::import
