// The fuzzer of what the command line may get as an answer, from a daemon of another version or from a stranger: each
// view is read or refused, what was read is written and read again as the same, and a person gets lines to read.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "control/api/json.hpp"
#include "control/cli/render.hpp"
#include "tests/fuzz/targets.hpp"

namespace astil::fuzz {
namespace {

namespace json = boost::json;

constexpr api::TimePoint kNow{std::chrono::seconds(1'000'000'000)};

std::string text_of(const api::StatusView& view) { return cli::status_text(view, kNow, cli::Colour::never); }
std::string text_of(const api::FlowsView& view) { return cli::flows_text(view, cli::Colour::always); }
std::string text_of(const api::DropsView& view) { return cli::drops_text(view, cli::Colour::never); }
std::string text_of(const api::TraceView& view) {
  return cli::trace_text(view, {.protocol = "tcp", .from = {}, .to = {}}, cli::Colour::never);
}
std::string text_of(const api::ApplyView& view) {
  return cli::changes_text(view, cli::Tense::planned, "astil.yaml", cli::Colour::never);
}
std::string text_of(const api::HistoryView& view) { return cli::history_text(view, cli::Colour::never); }
std::string text_of(const api::FailureView& view) {
  return config::render(view.diagnostics) + cli::printable(view.error + view.remedy) + "\n";
}
std::string text_of(const api::VersionView& view) { return view.version + "\n"; }

template <class View>
void read(const json::value& value) {
  const auto view = api::from_json<View>(value);
  if (!view) {
    require(!view.error().text().empty(), "what is refused is said");
    return;
  }
  const json::value written = api::to_json(*view);
  const auto again = api::from_json<View>(written);
  require(again.has_value(), "what was written is read");
  require(json::serialize(api::to_json(*again)) == json::serialize(written), "what was read is written alike");
  const std::string text = text_of(*view);
  require(text.empty() || text.back() == '\n', "a person gets whole lines");
}

}  // namespace

void api_answer(Input input) {
  boost::system::error_code failed;
  const json::value value = json::parse(fuzz::text_of(input), failed);
  if (failed) return;
  read<api::StatusView>(value);
  read<api::FlowsView>(value);
  read<api::DropsView>(value);
  read<api::TraceView>(value);
  read<api::ApplyView>(value);
  read<api::HistoryView>(value);
  read<api::FailureView>(value);
  read<api::VersionView>(value);
}

}  // namespace astil::fuzz
