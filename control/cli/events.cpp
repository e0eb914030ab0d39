#include "control/cli/events.hpp"

#include <algorithm>

#include "control/cli/arguments.hpp"

namespace astil::cli {
namespace {

Tone tone_of(const std::string& state) {
  for (const char* bad : {"down", "too-few", "withdrawn", "failing", "missing", "no-carrier", "fault"}) {
    if (state == bad) return Tone::bad;
  }
  for (const char* good : {"up", "in", "enough", "forwarding", "active", "well"}) {
    if (state == good) return Tone::good;
  }
  return Tone::plain;
}

std::string subject_of(const api::EventView& event) {
  if (!event.interface.empty()) return event.interface;
  if (!event.group.empty()) return event.track.empty() ? event.group : event.group + "/" + event.track;
  if (event.backend.empty()) return event.service;
  return event.service + "/" + event.backend;
}

/// The options given, as the API's parameters of the same names.
Result<Question> question_of(const Command& command) {
  const auto& options = command.invocation.options;
  const bool follows = options.contains("--follow");
  if (follows && options.contains("--limit")) return Error{"--limit makes no sense with --follow", {}};
  if (!follows && options.contains("--after")) return Error{"--after needs --follow", {}};
  Question question{Method::get, follows ? "/v1/events" : "/v1/events/past", {}, {}};
  for (const auto& [name, value] : options) {
    if (name == "--follow") continue;
    const bool is_number = name == "--after" || name == "--limit";
    if (!is_number && value.empty()) return Error{name + " needs a name", {}};
    if (is_number) {
      if (const auto count = count_of(name, value); !count) return count.error();
    }
    question.query.emplace_back(name.substr(2), value);
  }
  return question;
}

/// Reads server-sent events line by line, and prints them.
class Printer {
 public:
  explicit Printer(const Command& command) : command_(command) {}

  GoOn read(const std::string& line) {
    constexpr std::string_view kKind = "event: ";
    constexpr std::string_view kData = "data: ";
    if (line.starts_with(kKind)) kind_ = line.substr(kKind.size());
    if (!line.starts_with(kData)) return GoOn::yes;
    const std::string data = line.substr(kData.size());
    if (kind_ == "behind") {
      failure = Error{"this program could not keep up with the events, and the daemon has dropped it",
                      "see those that it missed: astil events"};
      return GoOn::no;
    }
    if (kind_ == "gap") {
      command_.with.err << "astil: some events after that number are not remembered any more\n";
      return GoOn::yes;
    }
    return print(data);
  }

  std::optional<Error> failure;

 private:
  GoOn print(const std::string& data) {
    if (command_.as_json()) {
      command_.with.out << data << std::endl;
    } else {
      const auto event = read_view<api::EventView>(data);
      if (!event) {
        failure = event.error();
        return GoOn::no;
      }
      command_.with.out << event_line(*event, command_.with.colour) << std::flush;
    }
    return command_.with.out.good() ? GoOn::yes : GoOn::no;
  }

  const Command& command_;
  std::string kind_;
};

int follow_events(const Command& command, const Question& question) {
  Printer printer(command);
  const auto followed = follow(command.target, question, [&](const std::string& line) { return printer.read(line); });
  if (!followed) return fail(command, followed.error());
  if (!*followed) return fail(command, no_daemon(command.target));
  if ((*followed)->refusal) return fail_with_reply(command, *(*followed)->refusal);
  if (printer.failure) return fail(command, *printer.failure);
  if ((*followed)->ended == Ended::by_user) return kDone;
  command.with.err << "astil: the daemon at " << command.target.name() << " has ended\n";
  return kRefused;
}

}  // namespace

std::string event_line(const api::EventView& event, Colour colour) {
  std::string text = paint(printable(event.time), Tone::faint, colour) + "  " + api::to_string(event.kind);
  if (const std::string subject = subject_of(event); !subject.empty()) text += "  " + printable(subject);
  text += "  ";
  if (!event.before.empty() && event.before != event.after) text += printable(event.before) + " to ";
  text += paint(printable(event.after), tone_of(event.after), colour);
  if (!event.reason.empty()) text += ": " + printable(event.reason);
  return text + "\n";
}

std::string why_text(const api::WhyView& view, Colour colour) {
  std::string text;
  for (const api::BackendHistory& backend : view.backends) {
    text += "backend " + paint(printable(backend.backend), Tone::strong, colour) + " of service " +
            printable(backend.service) + ": ";
    const Tone tone = backend.in_rotation ? Tone::good : backend.configured ? Tone::bad : Tone::plain;
    text += paint(backend.in_rotation  ? "in rotation"
                  : backend.configured ? "not in rotation"
                                       : "removed",
                  tone, colour);
    text += ": " + printable(backend.reason) + "\n";
    Table table({{"TIME"}, {"WHAT"}, {"FROM"}, {"TO"}, {"WHY"}});
    for (const api::EventView& event : backend.events) {
      table.add({{printable(event.time)},
                 {api::to_string(event.kind)},
                 {printable(event.before)},
                 {printable(event.after), tone_of(event.after)},
                 {printable(event.reason)}});
    }
    text += backend.events.empty() ? "  nothing has changed since the history began\n" : table.text(colour);
  }
  return text;
}

int why(const Command& command) {
  Question question{Method::get, "/v1/why", {{"backend", command.invocation.operand}}, {}};
  if (const auto given = command.invocation.options.find("--service"); given != command.invocation.options.end()) {
    if (given->second.empty()) return misuse(command, Error{"--service needs a name", {}});
    question.query.emplace_back("service", given->second);
  }
  return show<api::WhyView>(command, question,
                            [&](const api::WhyView& view) { return why_text(view, command.with.colour); });
}

int events(const Command& command) {
  const auto question = question_of(command);
  if (!question) return misuse(command, question.error());
  if (command.invocation.options.contains("--follow")) return follow_events(command, *question);
  return show<api::EventsView>(command, *question, [&](const api::EventsView& view) {
    std::string text;
    for (const api::EventView& event : view.events) text += event_line(event, command.with.colour);
    return text.empty() ? std::string("Nothing has changed.\n") : text;
  });
}

}  // namespace astil::cli
