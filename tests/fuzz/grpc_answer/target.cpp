// The fuzzer of what a gRPC server may answer to a health check: the input is the body of an answer, and what comes in
// on the connection, as a whole and in two pieces.
#include <algorithm>

#include "control/health/grpc_message.hpp"
#include "control/health/grpc_talk.hpp"
#include "tests/fuzz/targets.hpp"

namespace astil::fuzz {
namespace {

using Kind = health::Outcome::Kind;

void check(const health::Outcome& outcome) {
  require(outcome.error.empty() == (outcome.kind == Kind::passed), "what failed says why, and nothing else does");
  require(outcome.error.size() < 1000, "a server's words are cut");
}

void talk(Input first, Input second) {
  health::GrpcTalk talk("mail.A", "10.0.0.1:50051");
  require(!talk.take_output().empty(), "there is something to be sent");
  for (const Input piece : {first, second}) {
    if (const auto outcome = talk.take(piece)) return check(*outcome);
    (void)talk.take_output();
  }
  require(talk.at_end().kind == Kind::failed, "an end without an answer is a failure");
}

}  // namespace

void grpc_answer(Input input) {
  const health::GrpcAnswer answer = health::read_grpc_health_answer(input);
  if (answer.error == nullptr) {
    require(input.size() >= 5 && input[0] == std::byte{0}, "a message has its prefix");
    require(!health::grpc_serving_name(answer.status).empty(), "every status has a name");
  }
  talk(input, {});
  if (input.empty()) return;
  const std::size_t cut = std::min<std::size_t>(std::to_integer<std::size_t>(input[0]), input.size());
  talk(input.first(cut), input.subspan(cut));
}

}  // namespace astil::fuzz
