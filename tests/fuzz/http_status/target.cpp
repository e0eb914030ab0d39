// The fuzzer of what a backend may answer to a health check: neither the status that is read nor whether the wanted
// text is found depends on how the answer is cut into pieces, and the status is one that HTTP knows.
#include <algorithm>

#include "control/health/http_answer.hpp"
#include "control/health/http_status.hpp"
#include "tests/fuzz/targets.hpp"

namespace astil::fuzz {
namespace {

using health::HttpStatus;

struct Read {
  HttpStatus::Progress progress;
  unsigned status;
  std::size_t fed;  ///< bytes up to the end of the piece that decided
};

Read read(Input answer, std::size_t piece) {
  HttpStatus reader;
  Read read{.progress = HttpStatus::Progress::incomplete, .status = 0, .fed = 0};
  while (!answer.empty() && read.progress == HttpStatus::Progress::incomplete) {
    const Input next = answer.first(std::min(piece, answer.size()));
    answer = answer.subspan(next.size());
    read.progress = reader.feed(next);
    read.fed += next.size();
  }
  read.status = reader.status();
  return read;
}

/// What is told of an answer that is looked through for a text, "" where it is found.
std::string search(Input answer, std::size_t piece) {
  const config::HttpCheck check{.status_low = 100, .status_high = 599, .body = "x: x"};
  health::HttpAnswer reader(check);
  while (!answer.empty()) {
    const Input next = answer.first(std::min(piece, answer.size()));
    answer = answer.subspan(next.size());
    if (const auto outcome = reader.feed(next)) return outcome->error;
  }
  return reader.end().error;
}

}  // namespace

void http_status(Input input) {
  if (input.empty()) return;
  const std::size_t piece = 1 + (std::to_integer<std::size_t>(input[0]) % 64);
  const Input answer = input.subspan(1);
  const Read whole = read(answer, answer.size());
  for (const std::size_t size : {piece, std::size_t{1}}) {
    const Read pieces = read(answer, size);
    require(pieces.progress == whole.progress, "pieces do not change what comes of an answer");
    require(whole.progress != HttpStatus::Progress::complete || pieces.status == whole.status,
            "pieces do not change the status");
    require(search(answer, size) == search(answer, answer.size()), "pieces do not change whether a text is found");
    require(pieces.fed <= HttpStatus::kLimit + size, "what does not end is given up");
  }
  if (whole.progress != HttpStatus::Progress::complete) return;
  require(whole.status >= 200 && whole.status <= 999, "the status of an answer has three digits and is final");
  require(text_of(answer).starts_with("HTTP/1."), "an answer names its version");
}

}  // namespace astil::fuzz
