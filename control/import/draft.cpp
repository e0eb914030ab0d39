#include "control/import/draft.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "control/config/load.hpp"

namespace astil::import {
namespace {

/// Our file as it is being written: which lines are of which service.
class Page {
 public:
  void add(std::string_view text) {
    text_ += text;
    line_ += static_cast<std::uint32_t>(std::ranges::count(text, '\n'));
  }
  void add_service(std::size_t number, const config::Service& service) {
    services_.emplace(line_ + 1, number);
    add(to_yaml(service));
  }
  [[nodiscard]] const std::string& text() const { return text_; }
  /// None: the line stands before all services.
  [[nodiscard]] std::optional<std::size_t> service_at(std::uint32_t line) const {
    const auto after = services_.upper_bound(line);
    if (after == services_.begin()) return std::nullopt;
    return std::prev(after)->second;
  }

 private:
  std::string text_;
  std::uint32_t line_ = 0;
  std::map<std::uint32_t, std::size_t> services_;
};

/// What names may have, instead of an IPv6 address's colons.
std::string as_name(const config::address& host) {
  std::string name = host.to_string();
  std::ranges::replace_if(
      name, [](char c) { return c == ':' || c == '%'; }, '-');
  return name;
}

/// Made of what no two services, and no two backends of one, have in common.
void give_names(std::vector<DraftService>& services) {
  for (auto& [service, origin, what] : services) {
    const bool any = service.port == config::Port{};
    service.name = as_name(service.host) + "_" + (any ? "any" : std::to_string(static_cast<unsigned>(service.port)));
    if (service.protocol == config::Protocol::udp) service.name += "_udp";
    for (auto& backend : service.backends) {
      backend.name = as_name(backend.host);
      if (backend.port != service.port) backend.name += "_" + std::to_string(static_cast<unsigned>(backend.port));
    }
  }
}

void leave_out_duplicates(Draft& draft) {
  std::set<std::tuple<config::address, config::Port, config::Protocol>> seen;
  std::erase_if(draft.services, [&](const DraftService& each) {
    const auto& [service, origin, what] = each;
    if (seen.emplace(service.host, service.port, service.protocol).second) return false;
    draft.add_finding(origin, what, "left out: its address and port stand there before");
    return true;
  });
}

/// What stands before the services. Table sizes only where more is needed than usual.
std::string head(const Draft& draft) {
  std::string text = "interfaces: [";
  for (const auto& name : draft.interfaces) text += (text.back() == '[' ? "\"" : ", \"") + name + "\"";
  text += "]\n";
  std::size_t backends = 0;
  for (const auto& each : draft.services) backends += each.service.backends.size();
  const config::TableSizes usual;
  std::string tables;
  if (draft.services.size() > usual.services) tables += "services: " + std::to_string(draft.services.size());
  if (backends > usual.backends) tables += (tables.empty() ? "" : ", ") + ("backends: " + std::to_string(backends));
  if (!tables.empty()) text += "dataplane: {tables: {" + tables + "}}\n";
  return text;
}

Page page_of(const Draft& draft) {
  Page page;
  page.add(head(draft));
  page.add(draft.services.empty() ? "services: {}\n" : "services:\n");
  for (std::size_t i = 0; i < draft.services.size(); ++i) page.add_service(i, draft.services[i].service);
  return page;
}

/// Takes the services away that the configuration's checks refuse. False: there are none such, and yet it is refused.
bool leave_out_refused(Draft& draft, const Page& page, const config::Diagnostics& diagnostics) {
  std::map<std::size_t, std::string> refused;
  for (const auto& diagnostic : diagnostics) {
    const auto service = page.service_at(diagnostic.line);
    if (service) refused.emplace(*service, diagnostic.message);
  }
  for (const auto& [number, message] : refused) {
    const auto& [service, origin, what] = draft.services[number];
    draft.add_finding(origin, what, "left out, since its configuration would be refused: " + message);
  }
  for (auto each = refused.rbegin(); each != refused.rend(); ++each)
    draft.services.erase(draft.services.begin() + static_cast<std::ptrdiff_t>(each->first));
  return !refused.empty();
}

/// Interfaces as they can be, and the first one at least.
void settle_interfaces(Draft& draft, const Origin& begin) {
  const auto wrong = [](const std::string& name) {
    constexpr std::size_t kLongest = 15;
    return name.empty() || name.size() > kLongest ||
           name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") !=
               std::string::npos;
  };
  std::erase_if(draft.interfaces, wrong);
  std::set<std::string> seen;
  std::erase_if(draft.interfaces, [&](const std::string& name) { return !seen.insert(name).second; });
  if (draft.interfaces.size() > config::kMostInterfaces) draft.interfaces.resize(config::kMostInterfaces);
  if (!draft.interfaces.empty()) return;
  draft.interfaces = {"eth0"};
  draft.add_finding(begin, "interfaces",
                    "none is told; eth0 stands for the one by which packets come in: put in yours");
}

std::string comments(const Draft& draft) {
  std::string text = "# Made by " + draft.made_by + ".\n";
  if (draft.findings.empty()) return text + "# Everything was carried over.\n\n";
  text += "# Not carried over, or not as it was:\n";
  for (const auto& finding : draft.findings) text += "#   " + render(finding) + "\n";
  return text + "\n";
}

}  // namespace

std::string render(const Finding& finding) {
  return finding.file + ":" + std::to_string(finding.line) + ": " + finding.what + ": " + finding.why;
}

std::string shown(std::string_view text) {
  constexpr std::size_t kLongest = 160;
  std::string out;
  for (const char c : text.substr(0, kLongest)) out += c >= ' ' && c <= '~' ? c : '?';
  return text.size() > kLongest ? out + "..." : out;
}

void Draft::add_finding(const Origin& origin, std::string_view what, std::string why) {
  findings.push_back({shown(origin.file), origin.line, shown(what), shown(why)});
}

Imported finish(Draft draft) {
  const Origin begin{draft.file, 1};
  settle_interfaces(draft, begin);
  leave_out_duplicates(draft);
  give_names(draft.services);
  while (true) {
    const Page page = page_of(draft);
    const auto model = config::load(page.text(), "import");
    if (model) {
      Imported imported{comments(draft) + page.text(), std::move(draft.findings), model->services.size(), 0};
      for (const auto& service : model->services) imported.backends += service.backends.size();
      return imported;
    }
    if (leave_out_refused(draft, page, model.error())) continue;
    // The file as a whole: too large, or more than the tables hold.
    draft.add_finding(begin, "all services",
                      "left out, since the file would be refused: " + model.error().front().message);
    draft.services.clear();
    draft.interfaces = {"eth0"};
  }
}

}  // namespace astil::import
