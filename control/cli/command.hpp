// What every command of the command line does alike: reads its input, asks, shows the answer or says why there is none.
#pragma once

#include <boost/json/value.hpp>
#include <ostream>
#include <string>

#include "control/api/json.hpp"
#include "control/base/result.hpp"
#include "control/cli/client.hpp"
#include "control/cli/run.hpp"
#include "control/cli/usage.hpp"

namespace astil::cli {

/// One command that is being carried out.
struct Command {
  const Invocation& invocation;
  const Surroundings& with;
  const Target& target;  ///< the daemon that is meant

  [[nodiscard]] bool as_json() const { return invocation.output == Output::json; }
};

void print_json(const Command& command, const boost::json::value& value);

/// Each says why it did not work, and gives the exit code.
int fail(const Command& command, const api::FailureView& failure);
int fail(const Command& command, const Error& error);
int fail_with_reply(const Command& command, const Reply& reply);
int misuse(const Surroundings& with, const Error& error);
/// Of a command that makes no sense as it was given.
int misuse(const Command& command, Error error);

[[nodiscard]] Result<boost::json::value> parse_json(const std::string& text);

/// The daemon's view, or why there is none.
template <class View>
[[nodiscard]] Result<View> read_view(const std::string& body) {
  const auto value = parse_json(body);
  if (!value) return value.error();
  auto view = api::from_json<View>(*value);
  if (!view) return view.error().within("the daemon's answer");
  return view;
}

/// Asks, and shows the answer: verbatim as JSON, else as `render` has it.
template <class View, class Render>
int show(const Command& command, const Question& question, const Render& render) {
  const auto reply = ask(command.target, question);
  if (!reply) return fail(command, reply.error());
  if (!*reply) return fail(command, no_daemon(command.target));
  if ((*reply)->status != 200) return fail_with_reply(command, **reply);
  if (command.as_json()) {
    command.with.out << (*reply)->body;
    return kDone;
  }
  const auto view = read_view<View>((*reply)->body);
  if (!view) return fail(command, view.error());
  command.with.out << render(*view);
  return kDone;
}

/// What a file, or the standard input, holds.
[[nodiscard]] Result<std::string> read_file(const std::string& name);
[[nodiscard]] Result<std::string> read_input(const Command& command, const std::string& name);
[[nodiscard]] std::string name_of_input(const std::string& name);

}  // namespace astil::cli
