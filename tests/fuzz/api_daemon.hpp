// What the API's fuzzers ask: a daemon of plain values, which finds fault with any configuration but an empty one (the
// loader has a fuzzer of its own); and what holds of every answer.
#pragma once

#include <boost/json/parse.hpp>
#include <string>

#include "control/base/log.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/unit/api_fake.hpp"

namespace astil::fuzz {

/// Counts what changes it.
class CountingDaemon final : public test::FakeDaemon {
 public:
  CountingDaemon() { log::set_level(log::Level::error); }  // a line for each change that is asked for takes its time
  api::Applied apply(const api::Change& change) override {
    ++changes;
    if (!change.yaml.empty())
      return api::Refusal{{"the configuration has mistakes", "mend them"},
                          {{.file = change.file, .message = "a mistake"}}};
    status_view.config.file = change.file;
    return api::ApplyView{.changes = {"service web: removed"}};
  }
  api::Applied plan(const api::Change& change) override {
    if (!change.yaml.empty())
      return api::Refusal{{"the configuration has mistakes", "mend them"}, {{.file = change.file}}};
    return api::ApplyView{};
  }
  api::Applied rollback(std::optional<std::uint64_t> /*number*/, const api::Caller& /*by*/) override {
    ++changes;
    return api::ApplyView{};
  }
  api::Awaited<api::HistoryEntry> confirm() override {
    ++changes;
    return [] { return std::optional(Result<api::HistoryEntry>(api::HistoryEntry{})); };
  }
  api::Awaited<api::HandoverView> handover(const api::HandoverOrder& /*order*/) override {
    ++changes;
    return [] { return std::optional(Result<api::HandoverView>(api::HandoverView{})); };
  }
  Result<> detach() override {
    ++changes;
    return {};
  }
  void after_detach() override {}

  int changes = 0;
};

inline void check_body(const std::string& type, const std::string& body) {
  if (type != "application/json") return;
  boost::system::error_code failed;
  static_cast<void>(boost::json::parse(body, failed));
  require(!failed, "an answer's JSON can be read: " + body.substr(0, 200));
}

}  // namespace astil::fuzz
