// The table of verbs, and what reads it.
#include "control/cli/usage.hpp"

#include <algorithm>
#include <utility>

#include "control/config/suggest.hpp"

namespace astil::cli {
namespace {

const std::vector<Option>& global_options() {
  static const std::vector<Option> kOptions{
      {"--output", "text|json", "form of the answer (-o); json is the daemon's own, on one line"},
      {"--instance", "NAME", "which daemon of this host is meant; default main"},
      {"--socket", "PATH", "the daemon's socket; default: where the instance's daemon listens"},
      {"--server", "HOST:PORT", "ask a daemon over the network, by TLS, at its api.remote"},
      {"--token-file", "FILE", "with --server: file that holds the token and nothing else"},
      {"--ca", "FILE", "with --server: who may have signed its certificate; default: the system's"},
      {"--help", "", "this text (-h)"},
  };
  return kOptions;
}

std::string_view long_form(std::string_view option) {
  if (option == "-o") return "--output";
  if (option == "-h") return "--help";
  if (option == "-w") return "--write";
  return option;
}

const Verb* find_verb(std::string_view name) {
  const auto found = std::ranges::find(verbs(), name, &Verb::name);
  return found == verbs().end() ? nullptr : &*found;
}

const Option* find_option(const std::vector<Option>& options, std::string_view name) {
  const auto found = std::ranges::find(options, name, &Option::name);
  return found == options.end() ? nullptr : &*found;
}

Error unknown_verb(std::string_view name) {
  std::vector<std::string_view> known;
  for (const auto& verb : verbs()) known.push_back(verb.name);
  auto remedy = config::did_you_mean(name, known);
  return {"there is no command '" + std::string(name) + "'", remedy.empty() ? "see astil help" : remedy};
}

Error unknown_option(std::string_view name, const Verb* verb) {
  std::vector<std::string_view> known;
  for (const auto& option : global_options()) known.push_back(option.name);
  if (verb != nullptr) {
    for (const auto& option : verb->options) known.push_back(option.name);
  }
  auto remedy = config::did_you_mean(name, known);
  if (remedy.empty()) remedy = verb == nullptr ? "see astil help" : "see astil help " + std::string(verb->name);
  return {"there is no option " + std::string(name) + (verb == nullptr ? "" : " of " + std::string(verb->name)),
          remedy};
}

Result<> set_global(Invocation& invocation, std::string_view name, std::string value) {
  if (name == "--instance") {
    if (value.empty() || value.find('/') != std::string::npos) return Error{"--instance needs a name", {}};
    invocation.instance = std::move(value);
    invocation.instance_given = true;
  } else if (name == "--socket") {
    invocation.socket = std::move(value);
    invocation.socket_given = true;
  } else if (name == "--server") {
    invocation.server = std::move(value);
    if (invocation.server.empty()) return Error{"--server needs a host and a port", "write 192.0.2.5:9443"};
  } else if (name == "--token-file") {
    invocation.token_file = std::move(value);
  } else if (name == "--ca") {
    invocation.ca = std::move(value);
  } else if (value == "json") {
    invocation.output = Output::json;
  } else if (value != "text") {
    return Error{"--output '" + value + "' is not a form", "use text or json"};
  }
  return {};
}

/// Takes a command line apart, left to right.
class Parser {
 public:
  explicit Parser(std::span<const std::string> arguments) : rest_(arguments) {}

  Result<Invocation> run() {
    while (!rest_.empty()) {
      const std::string argument = take();
      const bool option = argument.size() > 1 && argument.front() == '-';
      if (const auto read = option ? take_option(argument) : take_word(argument); !read) return read.error();
    }
    if (help_ || verb_ == nullptr) return help();
    if (const auto whole = complete(); !whole) return whole.error();
    invocation_.verb = verb_->name;
    if (const auto fits = check_target(); !fits) return fits.error();
    if (invocation_.socket.empty()) invocation_.socket = "/run/astil/" + invocation_.instance + ".sock";
    return invocation_;
  }

 private:
  std::string take() {
    std::string argument = rest_.front();
    rest_ = rest_.subspan(1);
    return argument;
  }

  Result<> take_word(const std::string& word) {
    if (verb_ == nullptr) {
      verb_ = find_verb(word);
      if (verb_ == nullptr) return unknown_verb(word);
      return {};
    }
    const bool takes_second = verb_->operand.find(' ') != std::string_view::npos && invocation_.second_operand.empty();
    if (!verb_->operand.empty() && invocation_.operand.empty()) {
      invocation_.operand = word;
    } else if (takes_second) {
      invocation_.second_operand = word;
    } else if (std::ranges::count(verb_->operand, ' ') == 2 && invocation_.third_operand.empty()) {
      invocation_.third_operand = word;
    } else {
      return Error{"'" + word + "' is one word too many", "see astil help " + std::string(verb_->name)};
    }
    return {};
  }

  Result<> take_option(const std::string& argument) {
    // -ojson, as kubectl and ip take it.
    if (argument.size() > 2 && argument.starts_with("-o"))
      return set_global(invocation_, "--output", argument.substr(2));
    const auto equals = argument.find('=');
    const std::string name(long_form(argument.substr(0, equals)));
    const Option* own = verb_ == nullptr ? nullptr : find_option(verb_->options, name);
    const Option* option = own != nullptr ? own : find_option(global_options(), name);
    if (option == nullptr) return unknown_option(name, verb_);
    if (option->value.empty()) {
      if (equals != std::string::npos) return Error{name + " takes no value", {}};
      if (own == nullptr) {
        help_ = true;
      } else if (!invocation_.options.emplace(name, "").second) {
        return Error{name + " is given twice", {}};
      }
      return {};
    }
    if (equals == std::string::npos && rest_.empty()) {
      return Error{name + " needs a value", "write " + name + " " + std::string(option->value)};
    }
    auto value = equals == std::string::npos ? take() : argument.substr(equals + 1);
    if (own == nullptr) return set_global(invocation_, name, std::move(value));
    if (!invocation_.options.emplace(name, std::move(value)).second) return Error{name + " is given twice", {}};
    return {};
  }

  Result<Invocation> help() {
    if (verb_ != nullptr && verb_->name != "help") invocation_.operand = verb_->name;
    invocation_.verb = "help";
    return invocation_;
  }

  Result<> check_target() const {
    const bool remote = !invocation_.server.empty();
    if (!remote && !invocation_.token_file.empty()) return Error{"--token-file needs --server", {}};
    if (!remote && !invocation_.ca.empty()) return Error{"--ca needs --server", {}};
    if (remote && invocation_.token_file.empty())
      return Error{"--server needs --token-file", "name the file that holds the token"};
    if (remote && (invocation_.socket_given || invocation_.instance_given))
      return Error{"--server makes no sense with --socket or --instance", {}};
    return {};
  }

  Result<> complete() const {
    const std::string see = "see astil help " + std::string(verb_->name);
    if (!verb_->operand.empty() && verb_->operand.front() != '[' && invocation_.operand.empty()) {
      return Error{std::string(verb_->name) + " needs a " + std::string(verb_->operand), see};
    }
    const auto second = verb_->operand.find(' ');
    if (second != std::string_view::npos && verb_->operand[second + 1] != '[' && invocation_.second_operand.empty()) {
      return Error{std::string(verb_->name) + " " + invocation_.operand + " needs a " +
                       std::string(verb_->operand.substr(second + 1)),
                   see};
    }
    for (const auto& option : verb_->options) {
      if (option.required && !invocation_.options.contains(option.name)) {
        return Error{std::string(verb_->name) + " needs " + std::string(option.name), see};
      }
    }
    return {};
  }

  std::span<const std::string> rest_;
  const Verb* verb_ = nullptr;
  bool help_ = false;
  Invocation invocation_;
};

std::string in_column(std::string text, std::size_t width) {
  text.resize(std::max(text.size() + 2, width), ' ');
  return text;
}

std::string options_text(const std::vector<Option>& options) {
  std::string text;
  for (const auto& option : options) {
    std::string form = "  " + std::string(option.name);
    if (!option.value.empty()) form += " " + std::string(option.value);
    text += in_column(form, 24) + std::string(option.help) + "\n";
  }
  return text;
}

/// In lines that fit a terminal.
std::string usage_of(const Verb& verb) {
  constexpr std::size_t kWidth = 100;
  const std::string begin = "Usage: astil " + std::string(verb.name);
  std::string text;
  std::string line = begin;
  const auto add = [&](const std::string& form) {
    if (line.size() + 1 + form.size() > kWidth) text += std::exchange(line, std::string(begin.size(), ' ')) + "\n";
    line += " " + form;
  };
  if (!verb.operand.empty()) add(std::string(verb.operand));
  for (const auto& option : verb.options) {
    const auto form = std::string(option.name) + (option.value.empty() ? "" : " ") + std::string(option.value);
    add(option.required ? form : "[" + form + "]");
  }
  return text + line;
}

}  // namespace

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> kVerbs{
      {"check",
       "FILE",
       "check a configuration file; no daemon needed",
       "Reports every mistake at once, each with its line. FILE may be - for the standard input.\n"
       "Exit code 0: the file is right; 2: it is not.\n",
       {}},
      {"fmt",
       "FILE",
       "put a configuration file into its canonical form; no daemon needed",
       "Two blanks a level, text in double quotes where it is quoted; order, comments and single blank\n"
       "lines stay, and so does what stands on one line, where it fits. FILE may be - for the standard\n"
       "input, and is written to the standard output then.\n"
       "Exit code 0: done; with --check 1: it would be another; 2: it is no YAML.\n",
       {{"--check", "", "change nothing; tell whether it is in its canonical form"}}},
      {"plan",
       "FILE",
       "what applying a configuration file would change; changes nothing",
       "The running daemon works it out as apply does: by service and backend, with the slots of\n"
       "rings that would move and the flows that it concerns. FILE may be - for the standard input.\n"
       "Exit code 0: it would be applied; 1 or 2: it would be refused, as apply would.\n",
       {}},
      {"apply",
       "FILE",
       "make a configuration file the running one",
       "The daemon checks the file and refuses it whole if anything is wrong; then the old\n"
       "configuration stays. Connections that are open stay on their backends. FILE may be -\n"
       "for the standard input. With --confirm what ran before comes back by itself, unless\n"
       "astil confirm is said in time: for changes that might cut you off.\n",
       {{"--confirm", "TIME", "how long to wait for it, 1s to 24h: 60s, 5m"}}},
      {"confirm", "", "keep the change that was applied with --confirm", {}, {}},
      {"rollback",
       "[NUMBER]",
       "make an earlier configuration the running one",
       "NUMBER is one of astil history; without it, that which ran before the running one. A change\n"
       "that waits for its confirmation is taken back.\n",
       {}},
      {"history",
       "",
       "the configurations that ran: when, by whom, what became of them",
       "The newest first. Their texts are kept in the daemon's state directory.\n",
       {}},
      {"import",
       "FORMAT FILE",
       "make a configuration of another balancer's; no daemon needed",
       "FORMAT is keepalived, for its keepalived.conf, or ipvsadm, for what 'ipvsadm -S -n' prints.\n"
       "Our configuration goes to the standard output. What is not carried over, or not as it was,\n"
       "goes to the standard error with its line and the reason, and stands as comments on top. FILE\n"
       "may be - for the standard input.\n",
       {}},
      {"doctor",
       "[FILE]",
       "what of this host would hinder a balancer, or a backend; no daemon needed",
       "FILE is the balancer's configuration, by default /etc/astil/astil.yaml. With --backend the\n"
       "host is looked at as a backend under tunnel or direct that has this service address. Changes\n"
       "nothing. Exit code 0: nothing is wrong; 1: something is; 2: the file has mistakes.\n",
       {{"--backend", "IP", "a service address that this host should hold"}}},
      {"status", "", "problems first, then interfaces, tables, services and backends", {}, {}},
      {"ha", "status", "the pair: who has which addresses, and how the two nodes hear each other", {}, {}},
      {"handover",
       "",
       "leave the pair's addresses to the other node, once it has all flows",
       "For an upgrade or a restart of this node. Refused where the other one has not got the flows, or\n"
       "is not heard. Until the time is over this node takes the addresses back only if nobody has them.\n",
       {{"--for", "TIME", "how long this node does not ask for them, 1s to 24h; default 1h"}}},
      {"address",
       "move IP",
       "leave a service address to the other node of the pair, once it has all flows",
       "An address goes with its group: where others would go along, say so with --with-group. Then this\n"
       "node does not ask for it, whatever its priority, before the other one has left it. Said to the\n"
       "node that has it. Refused where the other one has not got the flows, or is not heard.\n",
       {{"--to", "NODE", "the node that is to have it, by its name"},
        {"--with-group", "", "the group's other addresses go along"}}},
      {"flows",
       "",
       "list the connections in the flow table",
       {},
       {{"--service", "NAME", "only those of this service"},
        {"--backend", "NAME", "only those on this backend"},
        {"--client", "IP", "only those of this client, IPv4 or IPv6"},
        {"--limit", "N", "at most so many; default 1000"}}},
      {"drops",
       "",
       "why packets were dropped, and how many",
       "With --follow a line for each packet as it is dropped, until you press Ctrl-C: a sample,\n"
       "1024 packets a second and CPU at most. As JSON, each line is an object. What was dropped while\n"
       "this program could not keep up is counted in the next line.\n",
       {{"--follow", "", "single packets, as they are dropped"},
        {"--service", "NAME", "only those of this service"},
        {"--reason", "NAME", "only those dropped for this reason"}}},
      {"capture",
       "",
       "write packets to a file, as they come and as they leave, with the decision",
       "A pcapng file: each packet of a service stands there as it came in and, where it was sent on,\n"
       "as it left; the frames' comments say why. Ends at the first of its limits, or with Ctrl-C, and\n"
       "tells how many packets there are and how many were left out. One capture runs at a time. The\n"
       "file holds what clients and servers say: by default of each frame 192 bytes, its headers and\n"
       "a little more.\n",
       {{"--write", "FILE", "where to (-w); default: the standard output, unless it is a terminal"},
        {"--service", "NAME", "only packets of this service"},
        {"--backend", "NAME", "only those of this backend"},
        {"--client", "IP[/BITS]", "only those from and to these clients, and errors about them"},
        {"--rate", "N", "at most so many packets a second; default 1000"},
        {"--count", "N", "at most so many packets"},
        {"--size", "BYTES", "at most so many in the file; default 100000000"},
        {"--duration", "SECONDS", "at most so long, up to 3600; default 60"},
        {"--snap", "BYTES", "of each frame, 64 to 9216; default 192"}}},
      {"trace",
       "",
       "ask where a packet would go, and why",
       "Runs the packet path over the live tables and tells what each stage saw. Sends nothing\n"
       "and changes nothing.\n",
       {{"--from", "IP:PORT", "the client; an IPv6 address in brackets", true},
        {"--to", "IP:PORT", "the service, likewise", true},
        {"--protocol", "tcp|udp", "default tcp"}}},
      {"backend",
       "ORDER NAME",
       "take a backend out of service and back: drain, maintenance, activate",
       "drain: no new connections, those that are open go on. maintenance: as if the backend were down,\n"
       "and it is not checked. activate: as the configuration and its checks say. An order lasts until\n"
       "another one, also over restarts of the daemon and changes of the configuration.\n",
       {{"--service", "NAME", "only its use by this service; default: by all that have it"},
        {"--wait", "", "come back when no connection is left on it"}}},
      {"why",
       "BACKEND",
       "why a backend gets new connections or not, and how it came to that",
       "Its last changes of state with time and reason: what its checks found, what was ordered, when\n"
       "it came into rotation and left it. Kept over restarts of the daemon, also for backends that\n"
       "are not in the configuration any more.\n",
       {{"--service", "NAME", "only its use by this service; default: by all that have it"}}},
      {"events",
       "",
       "changes of state of all kinds, as they happened",
       "Of backends, services, interfaces, the configuration and the daemon. With --follow a line for\n"
       "each as it happens, until you press Ctrl-C. As JSON, each line is an object then.\n",
       {{"--follow", "", "those to come"},
        {"--after", "NUMBER", "with --follow: begin with what came after this event"},
        {"--service", "NAME", "only those of this service"},
        {"--backend", "NAME", "only those of backends of this name"},
        {"--limit", "N", "without --follow: at most so many, the last ones; default 100"}}},
      {"dns",
       "ASK [NAME] [ORDER]",
       "the name server: status, explain a name's answer, order a site",
       "status: where it listens, its zones, names and counters. explain NAME: which answer a client\n"
       "gets, and why. site NAME up|down|auto: the site counts as that in every name, whatever its\n"
       "checks say, until another order; also over restarts of the daemon.\n",
       {{"--from", "IP", "of explain: the client, or its resolver; default 192.0.2.1"},
        {"--type", "TYPE", "of explain: A, AAAA, MX, ...; default A"}}},
      {"detach",
       "",
       "remove everything from the kernel and end the daemon",
       "Takes the service addresses, the programs, and the pinned tables away: the balancer\n"
       "stops forwarding and every connection through it ends. Works without a daemon, too.\n",
       {}},
      {"version", "", "versions of this program and of the daemon", {}, {}},
      {"help", "[COMMAND]", "this text, or more about a command", {}, {}},
  };
  return kVerbs;
}

Result<Invocation> parse(std::span<const std::string> arguments) { return Parser(arguments).run(); }

std::string general_help() {
  std::string text =
      "astil asks and tells the layer-4 balancer's daemon.\n\nUsage: astil COMMAND [OPTION...]\n\nCommands:\n";
  for (const auto& verb : verbs()) {
    std::string form = "  " + std::string(verb.name);
    if (!verb.operand.empty()) form += " " + std::string(verb.operand);
    text += in_column(form, 24) + std::string(verb.summary) + "\n";
  }
  return text + "\nOptions of every command:\n" + options_text(global_options()) +
         "\nExit codes: 0 done; 1 the daemon refused or does not answer; 2 wrong usage or an invalid file.\n";
}

Result<std::string> help_text(std::string_view name) {
  if (name.empty()) return Result<std::string>(boost::system::in_place_value, general_help());
  const Verb* verb = find_verb(name);
  if (verb == nullptr) return unknown_verb(name);
  std::string text = usage_of(*verb) + "\n\n" + std::string(verb->summary) + "\n";
  if (!verb->details.empty()) text += "\n" + std::string(verb->details);
  if (!verb->options.empty()) text += "\nOptions:\n" + options_text(verb->options);
  text += "\nOptions of every command:\n" + options_text(global_options());
  return Result<std::string>(boost::system::in_place_value, std::move(text));
}

}  // namespace astil::cli
