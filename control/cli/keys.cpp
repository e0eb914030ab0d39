#include "control/cli/keys.hpp"

#include <algorithm>

#include "control/cli/table.hpp"
#include "control/dns/key_files.hpp"
#include "control/dns/name.hpp"

namespace astil::cli {
namespace {

std::string option(const Command& command, const char* name, const char* otherwise) {
  const auto given = command.invocation.options.find(name);
  return given == command.invocation.options.end() ? std::string(otherwise) : given->second;
}

/// A key that signs all is marked as its zone's entry point too (RFC 6781 section 3.1).
Result<std::uint16_t> flags_of(const std::string& role) {
  if (role == "all" || role == "ksk") return static_cast<std::uint16_t>(dns::kZoneKey | dns::kEntryPoint);
  if (role == "zsk") return dns::kZoneKey;
  return Error{"--role '" + role + "' is none", "write all, ksk or zsk"};
}

int generate(const Command& command, const std::string& zone) {
  const auto algorithm = dns::algorithm_by_name(option(command, "--algorithm", "ECDSAP256SHA256"));
  if (!algorithm)
    return misuse(command, {"--algorithm '" + option(command, "--algorithm", "") + "' is not known here",
                            "write ECDSAP256SHA256 or ED25519"});
  const auto flags = flags_of(option(command, "--role", "all"));
  if (!flags) return misuse(command, flags.error());
  const auto key = dns::SigningKey::generate(*algorithm, *flags);
  if (!key) return fail(command, key.error());
  const auto stem = dns::write_key(option(command, "--directory", "."), zone, *key);
  if (!stem) return fail(command, stem.error());
  const std::string ds = key->is_entry_point() ? dns::show_ds(zone, key->dnskey()) : std::string();
  if (command.as_json()) {
    print_json(command, {{"file", *stem}, {"tag", key->tag()}, {"ds", ds}});
    return kDone;
  }
  command.with.out << *stem << "\n";
  if (!ds.empty()) command.with.out << "for the parent, once the zone is signed: " << ds << "\n";
  return kDone;
}

/// Of the keys that the daemon has.
Result<std::string> text_of_parent(const std::optional<api::DnsView>& dns, const std::string& zone) {
  if (!dns) return Error{"there is no name server", "the configuration has no section dns"};
  const auto found = std::ranges::find(dns->zones, zone, &api::DnsZoneView::name);
  if (found == dns->zones.end()) return Error{"there is no zone " + zone, "astil dns status lists them"};
  std::string text;
  for (const api::DnsKeyView& key : found->keys) {
    if (!key.ds.empty()) text += printable(key.ds) + "\n";
  }
  if (text.empty()) return Error{"zone " + zone + " is not signed", "give it a section dnssec"};
  return Result<std::string>(boost::system::in_place_value, std::move(text));
}

int show_of_parent(const Command& command, const std::string& zone) {
  Result<std::string> text(boost::system::in_place_value, "");
  const int code =
      show<api::StatusView>(command, {Method::get, "/v1/status", {}, {}}, [&](const api::StatusView& view) {
        text = text_of_parent(view.dns, zone);
        return text ? *text : std::string();
      });
  return text ? code : fail(command, text.error());
}

}  // namespace

int dns_keys(const Command& command) {
  const auto& [what, zone] = std::tie(command.invocation.second_operand, command.invocation.third_operand);
  if ((what != "generate" && what != "ds") || zone.empty())
    return misuse(command, {"dns keys needs generate or ds, and a ZONE", {}});
  const auto name = dns::name_from_text(zone);
  if (!name) return misuse(command, name.error());
  return what == "generate" ? generate(command, *name) : show_of_parent(command, dns::name_to_text(*name));
}

}  // namespace astil::cli
