// What the API's fuzzers ask: a daemon of plain values, which finds fault with any configuration but an empty one (the
// loader has a fuzzer of its own); and what holds of every answer.
#pragma once

#include <boost/json/parse.hpp>
#include <string>

#include "tests/fuzz/targets.hpp"
#include "tests/unit/api_fake.hpp"

namespace astil::fuzz {

/// Counts what changes it.
class CountingDaemon final : public test::FakeDaemon {
 public:
  boost::system::result<api::ApplyView, api::Refusal> apply(const std::string& yaml,
                                                            const std::string& file_name) override {
    ++changes;
    if (!yaml.empty())
      return api::Refusal{{"the configuration has mistakes", "mend them"},
                          {{.file = file_name, .message = "a mistake"}}};
    status_view.config.file = file_name;
    return api::ApplyView{.changes = {"service web: removed"}};
  }
  boost::system::result<api::ApplyView, api::Refusal> plan(const std::string& yaml,
                                                           const std::string& file_name) override {
    if (!yaml.empty()) return api::Refusal{{"the configuration has mistakes", "mend them"}, {{.file = file_name}}};
    return api::ApplyView{};
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
