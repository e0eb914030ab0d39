#include "control/cli/command.hpp"

#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <fstream>
#include <istream>

#include "control/cli/table.hpp"
#include "control/config/diagnostic.hpp"

namespace astil::cli {

namespace json = boost::json;

void print_json(const Command& command, const json::value& value) {
  command.with.out << json::serialize(value) << "\n";
}

int fail(const Command& command, const api::FailureView& failure) {
  const int code = failure.diagnostics.empty() ? kRefused : kInvalid;
  if (command.as_json()) {
    print_json(command, api::to_json(failure));
    return code;
  }
  command.with.err << config::render(failure.diagnostics);
  command.with.err << "astil: " << printable(Error{failure.error, failure.remedy}.text()) << "\n";
  return code;
}

int fail(const Command& command, const Error& error) { return fail(command, {error.what, error.remedy, {}}); }

int misuse(const Surroundings& with, const Error& error) {
  with.err << "astil: " << printable(error.text()) << "\n";
  return kInvalid;
}

int misuse(const Command& command, Error error) {
  if (error.remedy.empty()) error.remedy = "see astil help " + std::string(command.invocation.verb);
  return misuse(command.with, error);
}

Result<json::value> parse_json(const std::string& text) {
  boost::system::error_code failed;
  auto value = json::parse(text, failed);
  if (failed)
    return Error{"the daemon's answer is not JSON: " + failed.message(), "is something else listening there?"};
  return value;
}

int fail_with_reply(const Command& command, const Reply& reply) {
  constexpr unsigned kBadRequest = 400;  // what was asked makes no sense to the daemon, such as a limit beyond its own
  auto failure = read_view<api::FailureView>(reply.body);
  if (!failure) return fail(command, Error{"the daemon answered with HTTP status " + std::to_string(reply.status), {}});
  if (reply.status == kBadRequest) return misuse(command, Error{failure->error, failure->remedy});
  return fail(command, *failure);
}

namespace {

Result<std::string> read_all(std::istream& from, const std::string& name) {
  std::string text;
  std::array<char, 65536> piece{};
  while (from.read(piece.data(), piece.size()), from.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(from.gcount()));
  }
  if (from.bad()) return system_error(name, errno);
  return Result<std::string>(boost::system::in_place_value, std::move(text));
}

}  // namespace

Result<std::string> read_file(const std::string& name) {
  std::ifstream file(name, std::ios::binary);
  if (!file) return system_error(name, errno);
  return read_all(file, name);
}

Result<std::string> read_input(const Command& command, const std::string& name) {
  if (name == "-") return read_all(command.with.in, "standard input");
  return read_file(name);
}

std::string name_of_input(const std::string& name) { return name == "-" ? "(standard input)" : name; }

}  // namespace astil::cli
