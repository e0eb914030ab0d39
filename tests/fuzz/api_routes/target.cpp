// The fuzzer of the API's routes: whatever is asked, and by whom, the answer is one of HTTP whose JSON can be read, and
// no failure of the daemon. Who comes by plain TCP changes nothing and gets no lists; who may only read changes
// nothing.
//
// The first byte: what the client may do, of three. Then method, target and body, with a blank and an end of line in
// between.
#include <array>

#include "control/api/routes.hpp"
#include "tests/fuzz/api_daemon.hpp"
#include "tests/fuzz/targets.hpp"

namespace astil::fuzz {
namespace {

std::string_view take_until(std::string_view& rest, char mark) {
  const std::string_view part = rest.substr(0, rest.find(mark));
  rest.remove_prefix(std::min(part.size() + 1, rest.size()));
  return part;
}

void check(const api::Answer& answer) {
  require(answer.status == 200 || (answer.status >= 400 && answer.status < 500),
          "an answer is no failure of the daemon");
  check_body(answer.content_type, answer.body);
}

}  // namespace

void api_routes(Input input) {
  if (input.empty()) return;
  const std::string text = text_of(input.subspan(1));
  constexpr std::array kAccesses{api::Access::everything, api::Access::metrics, api::Access::read};
  const api::Access access = kAccesses[std::to_integer<std::size_t>(input[0]) % kAccesses.size()];
  std::string_view rest = text;
  const std::string_view method = take_until(rest, ' ');
  const std::string_view target = take_until(rest, '\n');
  CountingDaemon daemon;
  const auto ask = [&] {
    return api::answer(daemon, {.method = method, .target = target, .body = rest, .access = access});
  };
  api::Answer answer = ask();
  require(access != api::Access::metrics || !answer.unfinished, "a client of plain TCP gets no lists");
  require(access == api::Access::everything || daemon.changes == 0, "who may not change anything does not");
  for (int parts = 0; answer.unfinished; ++parts) {
    require(parts < 10, "an answer comes to an end");
    api::go_on(answer);
  }
  check(answer);
  // What was set by it shows.
  if (daemon.changes != 0)
    check(
        api::answer(daemon, {.method = "GET", .target = "/v1/status", .body = {}, .access = api::Access::everything}));
}

}  // namespace astil::fuzz
