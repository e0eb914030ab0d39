// What can be said to `astil`: its verbs and options in one table, from which parsing, help and "did you mean" follow.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.hpp"

namespace astil::cli {

struct Option {
  std::string_view name;   ///< "--limit"
  std::string_view value;  ///< what stands for its value in the help; empty: it takes none
  std::string_view help;
  bool required = false;
};

struct Verb {
  std::string_view name;
  std::string_view operand;  ///< "FILE", or up to three words; in brackets what may be left out; empty: none
  std::string_view summary;  ///< one line, for the list of verbs
  std::string_view details;  ///< what else its user should know, in lines that fit a terminal
  std::vector<Option> options;
};

/// All verbs, in the order of the help.
[[nodiscard]] const std::vector<Verb>& verbs();

enum class Output { text, json };

/// A command line that makes sense: every option is known, has its value, and all that is required is there.
struct Invocation {
  std::string_view verb;                                    ///< one of verbs()
  std::string operand;                                      ///< empty where it may be left out
  std::string second_operand;                               ///< of a verb that has two
  std::string third_operand;                                ///< of a verb that has three
  std::map<std::string, std::string, std::less<>> options;  ///< those of the verb, by name
  Output output = Output::text;
  std::string instance = "main";
  std::string socket;           ///< the instance's usual one, unless another was given
  bool instance_given = false;  ///< on the command line
  bool socket_given = false;    ///< likewise
  std::string server;           ///< HOST:PORT of a daemon elsewhere; empty: one of this host
  std::string token_file;
  std::string ca;  ///< empty: the system's
};

/// `arguments` are those after the program's name. `VERB --help` reads as `help VERB`, none at all or `--help` as
/// `help`.
[[nodiscard]] Result<Invocation> parse(std::span<const std::string> arguments);

/// What `astil help` prints.
[[nodiscard]] std::string general_help();

/// What `astil help VERB` prints, or general_help() for an empty one; an error for a verb that is none.
[[nodiscard]] Result<std::string> help_text(std::string_view verb);

}  // namespace astil::cli
