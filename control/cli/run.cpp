// What each command does. With `-o json` the answer, or the failure, is one JSON object on the standard output; as
// text, failures go to the standard error.
#include "control/cli/run.hpp"

#include <glob.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <cmath>
#include <ostream>
#include <tuple>

#include "control/api/json.hpp"
#include "control/api/routes.hpp"
#include "control/api/tls_connection.hpp"
#include "control/cli/arguments.hpp"
#include "control/cli/capture.hpp"
#include "control/cli/client.hpp"
#include "control/cli/command.hpp"
#include "control/cli/events.hpp"
#include "control/cli/fmt.hpp"
#include "control/cli/keys.hpp"
#include "control/cli/render.hpp"
#include "control/cli/render_pair.hpp"
#include "control/cli/usage.hpp"
#include "control/config/load.hpp"
#include "control/config/suggest.hpp"
#include "control/doctor/doctor.hpp"
#include "control/import/import.hpp"

namespace astil::cli {
namespace {

namespace json = boost::json;

int check(const Command& command) {
  const auto text = read_input(command, command.invocation.operand);
  if (!text) return misuse(command.with, text.error());
  const auto name = name_of_input(command.invocation.operand);
  const auto model = config::load(*text, name);
  if (!model) {
    const auto& mistakes = model.error();
    return fail(command, {name + ": " + plural(mistakes.size(), "mistake"), {}, mistakes});
  }
  std::size_t backends = 0;
  for (const auto& service : model->services) backends += service.backends.size();
  if (command.as_json()) {
    print_json(command, {{"file", name}, {"services", model->services.size()}, {"backends", backends}});
  } else {
    command.with.out << name << " is right: " << plural(model->services.size(), "service") << ", "
                     << plural(backends, "backend") << "\n";
  }
  return kDone;
}

/// Hands the file to the daemon.
int hand_over(const Command& command, const char* path, Tense tense) {
  auto text = read_input(command, command.invocation.operand);
  if (!text) return misuse(command.with, text.error());
  const auto name = name_of_input(command.invocation.operand);
  Question question{Method::post, path, {{"file", name}}, std::move(*text)};
  if (const auto confirm = command.invocation.options.find("--confirm"); confirm != command.invocation.options.end()) {
    const auto seconds = seconds_of("--confirm", confirm->second, api::kLongestConfirm);
    if (!seconds) return misuse(command, seconds.error());
    question.query.emplace_back("confirm", std::to_string(seconds->count()));
  }
  return show<api::ApplyView>(command, question, [&](const api::ApplyView& view) {
    return changes_text(view, tense, name, command.with.colour);
  });
}

int plan(const Command& command) { return hand_over(command, "/v1/plan", Tense::planned); }

int apply(const Command& command) { return hand_over(command, "/v1/apply", Tense::done); }

int confirm(const Command& command) {
  return show<api::HistoryEntry>(command, {Method::post, "/v1/confirm", {}, {}}, [](const api::HistoryEntry& entry) {
    return "configuration " + std::to_string(entry.number) + " is confirmed\n";
  });
}

int rollback(const Command& command) {
  Question question{Method::post, "/v1/rollback", {}, {}};
  std::string name = "what ran before";
  if (const std::string& number = command.invocation.operand; !number.empty()) {
    if (const auto count = count_of("NUMBER", number); !count) return misuse(command, count.error());
    question.query.emplace_back("number", number);
    name = "configuration " + number;
  }
  return show<api::ApplyView>(command, question, [&](const api::ApplyView& view) {
    return changes_text(view, Tense::done, name, command.with.colour);
  });
}

int history(const Command& command) {
  return show<api::HistoryView>(command, {Method::get, "/v1/history", {}, {}},
                                [&](const api::HistoryView& view) { return history_text(view, command.with.colour); });
}

std::vector<std::string> matching(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (::glob(pattern.c_str(), GLOB_BRACE, nullptr, &found) == 0)
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  return paths;
}

int import_other(const Command& command) {
  const auto& [format, file] = std::tie(command.invocation.operand, command.invocation.second_operand);
  if (format != "keepalived" && format != "ipvsadm")
    return misuse(command, {"'" + format + "' is not a format", "use keepalived or ipvsadm"});
  const auto text = read_input(command, file);
  if (!text) return misuse(command.with, text.error());
  const auto name = name_of_input(file);
  const auto imported = format == "keepalived" ? import::import_keepalived(*text, name, {read_file, matching})
                                               : import::import_ipvsadm(*text, name);
  if (command.as_json()) {
    json::array findings;
    for (const auto& [where, line, what, why] : imported.findings)
      findings.push_back({{"file", where}, {"line", line}, {"what", what}, {"why", why}});
    print_json(command, {{"yaml", imported.yaml},
                         {"services", imported.services},
                         {"backends", imported.backends},
                         {"findings", findings}});
    return kDone;
  }
  command.with.out << imported.yaml;
  for (const auto& finding : imported.findings) command.with.err << render(finding) << "\n";
  command.with.err << "astil: " << plural(imported.services, "service") << " and "
                   << plural(imported.backends, "backend") << " carried over, "
                   << plural(imported.findings.size(), "finding") << "\n";
  return kDone;
}

int show_findings(const Command& command, const std::vector<doctor::Finding>& findings) {
  const bool well = std::ranges::all_of(findings, &doctor::Finding::right);
  if (command.as_json()) {
    json::array lines;
    for (const auto& [about, right, found, next] : findings)
      lines.push_back({{"about", about}, {"ok", right}, {"found", found}, {"next", next}});
    print_json(command, {{"ok", well}, {"findings", lines}});
    return well ? kDone : kRefused;
  }
  const auto& colour = command.with.colour;
  for (const auto& [about, right, found, next] : findings) {
    command.with.out << (right ? paint("ok", Tone::good, colour) : paint("wrong", Tone::bad, colour))
                     << (right ? "     " : "  ") << about << ": " << printable(found) << "\n";
    if (!right) command.with.out << "       next: " << next << "\n";
  }
  return well ? kDone : kRefused;
}

int examine(const Command& command) {
  if (const auto backend = command.invocation.options.find("--backend"); backend != command.invocation.options.end()) {
    if (!command.invocation.operand.empty())
      return misuse(command, {"a backend has no configuration of ours", "leave FILE out"});
    const auto service = address_of("--backend", backend->second);
    if (!service) return misuse(command, service.error());
    return show_findings(command, doctor::examine_backend(doctor::gather({}), *service));
  }
  const std::string file = command.invocation.operand.empty() ? "/etc/astil/astil.yaml" : command.invocation.operand;
  const auto text = read_input(command, file);
  if (!text) return misuse(command, {text.error().what, "name the configuration: astil doctor FILE"});
  const auto model = config::load(*text, name_of_input(file));
  if (!model) {
    return fail(command, {name_of_input(file) + ": " + plural(model.error().size(), "mistake"), {}, model.error()});
  }
  return show_findings(command, doctor::examine_balancer(doctor::gather_for(*model), *model));
}

int status(const Command& command) {
  return show<api::StatusView>(command, {Method::get, "/v1/status", {}, {}}, [&](const api::StatusView& view) {
    return status_text(view, command.with.now(), command.with.colour);
  });
}

int ha(const Command& command) {
  if (command.invocation.operand != "status")
    return misuse(command, {"astil ha knows no '" + command.invocation.operand + "'", "write astil ha status"});
  return show<api::PairView>(command, {Method::get, "/v1/ha", {}, {}}, [&](const api::PairView& view) {
    return pair_text(view, command.with.now(), command.with.colour);
  });
}

int handover(const Command& command) {
  Question question{Method::post, "/v1/ha/handover", {}, {}};
  if (const auto given = command.invocation.options.find("--for"); given != command.invocation.options.end()) {
    const auto seconds = seconds_of("--for", given->second, api::kLongestHandover);
    if (!seconds) return misuse(command, seconds.error());
    question.query.emplace_back("for", std::to_string(seconds->count()));
  }
  return show<api::HandoverView>(command, question, [](const api::HandoverView& view) {
    std::string names;
    for (const std::string& name : view.groups) names += (names.empty() ? "" : ", ") + printable(name);
    return "left to the other node, with all flows: " + names + "\n";
  });
}

int move_address(const Command& command) {
  const auto& [verb, host] = std::tie(command.invocation.operand, command.invocation.second_operand);
  if (verb != "move")
    return misuse(command, {"astil address knows no '" + verb + "'", "write astil address move IP --to NODE"});
  const auto checked = address_of("IP", host);
  if (!checked) return misuse(command, checked.error());
  const auto& options = command.invocation.options;
  const auto to = options.find("--to");
  if (to == options.end() || to->second.empty())
    return misuse(command, {"astil address move needs --to NODE", "astil ha status shows the nodes' names"});
  Question question{Method::post, "/v1/ha/move", {{"address", checked->to_string()}, {"to", to->second}}, {}};
  if (options.contains("--with-group")) question.query.emplace_back("with_group", "1");
  return show<api::HandoverView>(command, question, [](const api::HandoverView& view) {
    std::string hosts;
    for (const auto& each : view.addresses) hosts += (hosts.empty() ? "" : ", ") + each.to_string();
    if (view.was_there) return hosts + " was on " + printable(view.node) + " already\n";
    return hosts + " moved to " + printable(view.node) + " with all flows, in " +
           std::to_string(std::lround(view.seconds * 1000)) + " ms\n";
  });
}

/// The options given, as the API's parameters of the same names.
Question question_of_options(const Command& command, const std::string& path) {
  Question question{Method::get, path, {}, {}};
  for (const auto& [name, value] : command.invocation.options) question.query.emplace_back(name.substr(2), value);
  return question;
}

int flows(const Command& command) {
  if (const auto checked = check_flow_options(command.invocation.options); !checked)
    return misuse(command, checked.error());
  return show<api::FlowsView>(command, question_of_options(command, "/v1/flows"),
                              [&](const api::FlowsView& view) { return flows_text(view, command.with.colour); });
}

/// A line for each packet, until the user has seen enough.
int follow_drops(const Command& command, const Question& question) {
  std::optional<Error> unreadable;
  const auto print = [&](const std::string& line) {
    if (command.as_json()) {
      command.with.out << line << std::endl;
    } else {
      const auto drop = read_view<api::DropEventView>(line);
      if (!drop) {
        unreadable = drop.error();
        return GoOn::no;
      }
      command.with.out << drop_line(*drop, command.with.colour) << std::flush;
    }
    return command.with.out.good() ? GoOn::yes : GoOn::no;
  };
  const auto followed = follow(command.target, question, print);
  if (!followed) return fail(command, followed.error());
  if (!*followed) return fail(command, no_daemon(command.target));
  if ((*followed)->refusal) return fail_with_reply(command, *(*followed)->refusal);
  if (unreadable) return fail(command, *unreadable);
  if ((*followed)->ended == Ended::by_user) return kDone;
  command.with.err << "astil: the daemon at " << command.target.name() << " has ended\n";
  return kRefused;
}

int drops(const Command& command) {
  Question question{Method::get, "/v1/drops", {}, {}};
  for (const char* name : {"--service", "--reason"}) {
    const auto given = command.invocation.options.find(name);
    if (given == command.invocation.options.end()) continue;
    if (given->second.empty()) return misuse(command, Error{name + std::string(" needs a name"), {}});
    question.query.emplace_back(given->first.substr(2), given->second);
  }
  if (command.invocation.options.contains("--follow")) {
    question.path += "/follow";
    return follow_drops(command, question);
  }
  return show<api::DropsView>(command, question,
                              [&](const api::DropsView& view) { return drops_text(view, command.with.colour); });
}

/// What is wrong with the values of the options of `capture`, if anything that can be told without the daemon.
Result<> check_capture(const Command& command, const std::string& file) {
  const auto& options = command.invocation.options;
  if (file.empty()) return Error{"--write needs a name", {}};
  for (const char* name : {"--service", "--backend"}) {
    const auto given = options.find(name);
    if (given != options.end() && given->second.empty()) return Error{name + std::string(" needs a name"), {}};
  }
  if (const auto client = options.find("--client"); client != options.end()) {
    if (const auto clients = api::parse_client(client->second); !clients) return clients.error().within("--client");
  }
  for (const char* name : {"--rate", "--count", "--size", "--duration", "--snap"}) {
    const auto given = options.find(name);
    if (given == options.end()) continue;
    if (const auto count = count_of(name, given->second); !count) return count.error();
  }
  if (file != CaptureFile::kOut) return {};
  if (command.with.out_is_terminal) {
    return Error{"a capture is nothing for a terminal",
                 "name a file, --write FILE, or who reads it: astil capture | tshark -r -"};
  }
  if (command.as_json())
    return Error{"the standard output has the packets, and no place for JSON", "name a file: --write FILE"};
  return {};
}

int capture(const Command& command) {
  const auto& options = command.invocation.options;
  const auto write = options.find("--write");
  const std::string name = write == options.end() ? CaptureFile::kOut : write->second;
  if (const auto checked = check_capture(command, name); !checked) return misuse(command, checked.error());
  Question question = question_of_options(command, "/v1/capture");
  std::erase_if(question.query, [](const auto& parameter) { return parameter.first == "write"; });
  CaptureFile file(name, command.with.out);
  const auto received = receive(
      command.target, question, [&](std::string_view piece) { return file.write(piece); }, OnSignal::finish);
  if (!received) return fail(command, received.error());
  if (!*received) return fail(command, no_daemon(command.target));
  if ((*received)->refusal) return fail_with_reply(command, *(*received)->refusal);
  if (const auto closed = file.close(); !closed) return fail(command, closed.error());
  if (command.as_json()) {
    print_json(command, file.summary());
  } else {
    command.with.err << file.summary_text();
  }
  if ((*received)->whole || (*received)->ended == Ended::by_user) return kDone;
  command.with.err << "astil: the daemon at " << command.target.name() << " has ended, and the capture with it\n";
  return kRefused;
}

int trace(const Command& command) {
  const auto& options = command.invocation.options;
  const auto from = endpoint_of("--from", options.at("--from"));
  if (!from) return misuse(command, from.error());
  const auto to = endpoint_of("--to", options.at("--to"));
  if (!to) return misuse(command, to.error());
  if (from->address.is_v4() != to->address.is_v4()) {
    return misuse(command,
                  {"--from and --to are of different IP versions", "give both as IPv4 or both as IPv6 addresses"});
  }
  const auto protocol = options.find("--protocol");
  const api::TraceQuery query{protocol == options.end() ? "tcp" : protocol->second, *from, *to};
  if (query.protocol != "tcp" && query.protocol != "udp") {
    return misuse(command, {"--protocol '" + query.protocol + "' is not a protocol", "use tcp or udp"});
  }
  return show<api::TraceView>(command, question_of_options(command, "/v1/trace"),
                              [&](const api::TraceView& view) { return trace_text(view, query, command.with.colour); });
}

/// Asks until no flow is left, and tells how many are whenever that has changed.
int await_drained(const Command& command, Question question) {
  question.method = Method::get;
  question.path = "/v1/backends";
  std::string told;
  while (true) {
    const auto reply = ask(command.target, question);
    if (!reply) return fail(command, reply.error());
    if (!*reply) return fail(command, no_daemon(command.target));
    if ((*reply)->status != 200) return fail_with_reply(command, **reply);
    const auto view = read_view<api::DrainsView>((*reply)->body);
    if (!view) return fail(command, view.error());
    const bool drained = std::ranges::all_of(view->backends, &api::DrainView::drained);
    std::string text = drains_text(*view);
    if (!command.as_json() && text != told) command.with.out << text << std::flush;
    if (command.as_json() && drained) command.with.out << (*reply)->body;
    if (drained) return kDone;
    const auto taken_back = std::ranges::find(view->backends, api::AdminState::active, &api::DrainView::admin);
    if (taken_back != view->backends.end())
      return fail(command, Error{"backend " + taken_back->backend + " of service " + taken_back->service +
                                     " was activated meanwhile",
                                 {}});
    told = std::move(text);
    command.with.sleep(std::chrono::seconds(1));
  }
}

int backend(const Command& command) {
  const std::string& order = command.invocation.operand;
  constexpr std::array<std::string_view, 3> kOrders{"drain", "maintenance", "activate"};
  if (std::ranges::find(kOrders, order) == kOrders.end()) {
    const auto meant = config::did_you_mean(order, kOrders);
    return misuse(command,
                  {"there is no order '" + order + "'", meant.empty() ? "drain, maintenance or activate" : meant});
  }
  const bool waits = command.invocation.options.contains("--wait");
  if (waits && order == "activate") return misuse(command, {"--wait makes no sense with activate", {}});
  Question question{Method::post, "/v1/backends/" + order, {{"backend", command.invocation.second_operand}}, {}};
  if (const auto given = command.invocation.options.find("--service"); given != command.invocation.options.end()) {
    if (given->second.empty()) return misuse(command, Error{"--service needs a name", {}});
    question.query.emplace_back("service", given->second);
  }
  if (!waits) return show<api::DrainsView>(command, question, drains_text);
  const auto reply = ask(command.target, question);
  if (!reply) return fail(command, reply.error());
  if (!*reply) return fail(command, no_daemon(command.target));
  if ((*reply)->status != 200) return fail_with_reply(command, **reply);
  return await_drained(command, std::move(question));
}

int detach(const Command& command) {
  const auto& instance = command.invocation.instance;
  const bool remote = !command.target.server.empty();
  const auto reply = ask(command.target, {Method::post, "/v1/detach", {}, {}});
  if (!reply) return fail(command, reply.error());
  if (*reply && (*reply)->status != 200) return fail_with_reply(command, **reply);
  if (!*reply) {
    if (remote || !command.with.detach_offline) return fail(command, no_daemon(command.target));
    if (command.invocation.socket_given && !command.invocation.instance_given) {
      return fail(command, Error{"no daemon answers at " + command.invocation.socket,
                                 "to remove what a dead one has left, name it: --instance NAME"});
    }
    if (const auto detached = command.with.detach_offline(instance); !detached) return fail(command, detached.error());
  }
  const std::string whose = *reply ? "the daemon removed it and ended" : "no daemon was running";
  if (command.as_json()) {
    print_json(command, {{"instance", instance}, {"daemon", reply->has_value()}});
  } else {
    command.with.out << (remote ? "the balancer at " + command.target.server : "instance " + instance)
                     << " is out of the kernel; " << whose << "\n";
  }
  return kDone;
}

int version(const Command& command) {
  const auto reply = ask(command.target, {Method::get, "/v1/version", {}, {}});
  const bool answered = reply && *reply && (*reply)->status == 200;
  const auto daemon =
      answered ? read_view<api::VersionView>((*reply)->body) : Result<api::VersionView>(no_daemon(command.target));
  if (command.as_json()) {
    print_json(command,
               {{"version", ASTIL_VERSION}, {"daemon", daemon ? api::to_json(*daemon) : json::value(nullptr)}});
    return kDone;
  }
  command.with.out << "astil " << ASTIL_VERSION << "\n";
  if (daemon) {
    command.with.out << "daemon " << daemon->version << ", layout " << daemon->layout_version << "\n";
  } else {
    command.with.out << "daemon: none answers at " << command.target.name() << "\n";
  }
  return kDone;
}

int help(const Command& command) {
  const auto& about = command.invocation.operand;
  const auto text = help_text(about);
  if (!text) return misuse(command.with, text.error());
  command.with.out << *text;
  return kDone;
}

int explain_name(const Command& command) {
  if (command.invocation.second_operand.empty()) return misuse(command, {"dns explain needs a NAME", {}});
  Question question{Method::get, "/v1/dns/explain", {{"name", command.invocation.second_operand}}, {}};
  const auto option = [&](const char* name, const char* otherwise) {
    const auto given = command.invocation.options.find(name);
    return given == command.invocation.options.end() ? std::string(otherwise) : given->second;
  };
  question.query.emplace_back("from", option("--from", "192.0.2.1"));
  question.query.emplace_back("type", option("--type", "A"));
  return show<api::DnsExplainView>(
      command, question, [&](const api::DnsExplainView& view) { return dns_explain_text(view, command.with.colour); });
}

int order_site(const Command& command) {
  const auto& [site, state] = std::tie(command.invocation.second_operand, command.invocation.third_operand);
  if (site.empty() || state.empty()) return misuse(command, {"dns site needs a NAME, and up, down or auto", {}});
  const Question question{Method::post, "/v1/dns/site", {{"site", site}, {"state", state}}, {}};
  return show<api::DnsOrderView>(command, question, [](const api::DnsOrderView& view) {
    return "site " + printable(view.site) + ": " + printable(view.state) + "\n";
  });
}

int dns(const Command& command) {
  const std::string& about = command.invocation.operand;
  constexpr std::array<std::string_view, 4> kQuestions{"status", "explain", "site", "keys"};
  if (std::ranges::find(kQuestions, about) == kQuestions.end()) {
    const auto meant = config::did_you_mean(about, kQuestions);
    return misuse(command,
                  {"there is no '" + about + "' of names", meant.empty() ? "status, explain, site or keys" : meant});
  }
  if (about == "site") return order_site(command);
  if (about == "keys") return dns_keys(command);
  if (about == "explain") return explain_name(command);
  return show<api::StatusView>(command, {Method::get, "/v1/status", {}, {}}, [&](const api::StatusView& view) {
    return dns_status_text(view.dns, command.with.colour);
  });
}

struct Handler {
  std::string_view verb;
  int (*run)(const Command&);
};

constexpr std::array kHandlers{
    Handler{"check", check},
    Handler{"plan", plan},
    Handler{"apply", apply},
    Handler{"import", import_other},
    Handler{"doctor", examine},
    Handler{"status", status},
    Handler{"flows", flows},
    Handler{"drops", drops},
    Handler{"capture", capture},
    Handler{"trace", trace},
    Handler{"detach", detach},
    Handler{"version", version},
    Handler{"confirm", confirm},
    Handler{"rollback", rollback},
    Handler{"history", history},
    Handler{"backend", backend},
    Handler{"why", why},
    Handler{"events", events},
    Handler{"fmt", fmt},
    Handler{"dns", dns},
    Handler{"ha", ha},
    Handler{"handover", handover},
    Handler{"address", move_address},
    Handler{"help", help},
};

/// The daemon that is meant, with what it has to be shown.
Result<Target> target_of(const Invocation& invocation) {
  Target target{.socket = invocation.socket, .server = invocation.server, .token = {}, .ca = invocation.ca};
  if (target.server.empty()) return target;
  auto token = api::read_token(invocation.token_file);
  if (!token) return token.error().within("--token-file");
  target.token = std::move(*token);
  return target;
}

}  // namespace

int run(std::span<const std::string> arguments, const Surroundings& surroundings) {
  if (arguments.empty()) {
    surroundings.err << general_help();
    return kInvalid;
  }
  auto invocation = parse(arguments);
  if (!invocation) return misuse(surroundings, invocation.error());
  if (!invocation->socket_given && surroundings.find_socket) {
    if (auto socket = surroundings.find_socket(invocation->instance)) invocation->socket = std::move(*socket);
  }
  const auto handler = std::ranges::find(kHandlers, invocation->verb, &Handler::verb);
  const auto target = target_of(*invocation);
  if (!target) return misuse(surroundings, target.error());
  return handler->run({*invocation, surroundings, *target});
}

}  // namespace astil::cli
