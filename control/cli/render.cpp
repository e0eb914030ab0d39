// From views to text.
#include "control/cli/render.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "control/api/json.hpp"

namespace astil::cli {
namespace {

std::string age(api::TimePoint since, api::TimePoint now) {
  return duration_text(std::chrono::duration_cast<std::chrono::seconds>(now - since));
}

std::string problems_text(const std::vector<api::ProblemView>& problems, Colour colour) {
  if (problems.empty()) return paint("No problems.", Tone::good, colour) + "\n";
  std::string text = paint(plural(problems.size(), "problem"), Tone::bad, colour) + "\n";
  for (const auto& problem : problems) {
    text += "  " + paint(printable(problem.what), Tone::strong, colour) + "\n";
    if (!problem.next_step.empty()) text += "    next: " + printable(problem.next_step) + "\n";
  }
  return text;
}

std::string daemon_text(const api::StatusView& status, api::TimePoint now, Colour colour) {
  std::string text = paint("astil " + status.instance, Tone::strong, colour) + "  version " + status.version +
                     ", engine " + status.engine + ", running for " + age(status.started_at, now);
  if (status.adopted) text += ", took over a running packet path";
  text += "\n";
  if (!status.config.file.empty()) {
    text += "configuration " + status.config.file;
    if (status.config.applied_at) text += ", applied " + age(*status.config.applied_at, now) + " ago";
    text += "\n";
  }
  if (!status.capture.empty()) {
    text += "capture " + paint("runs", Tone::warning, colour) + ": " + printable(status.capture) + "\n";
  }
  return text;
}

std::string interfaces_text(const std::vector<api::InterfaceView>& interfaces, Colour colour) {
  Table table({{"INTERFACE"}, {"STATE"}, {"HOOK"}, {"MAC"}, {"WHY"}});
  for (const auto& i : interfaces) {
    table.add({{i.name}, {i.state, i.state == "up" ? Tone::good : Tone::bad}, {i.hook}, {i.mac}, {i.why}});
  }
  return table.text(colour);
}

std::string tables_text(const std::vector<api::TableView>& tables, Colour colour) {
  Table table({{"TABLE"}, {"USED", Align::right}, {"CAPACITY", Align::right}, {"FILL", Align::right}});
  for (const auto& t : tables) {
    const double fill = t.capacity == 0 ? 0 : static_cast<double>(t.used) / static_cast<double>(t.capacity);
    table.add({{t.name},
               {count_text(t.used)},
               {count_text(t.capacity)},
               {percent_text(fill), fill > 0.75 ? Tone::warning : Tone::plain}});
  }
  return table.text(colour);
}

std::string draining_text(const std::optional<double>& empty_in) {
  if (!empty_in) return "draining";
  return "draining, empty in " + duration_text(std::chrono::seconds(std::llround(*empty_in)));
}

/// Sums over a port's queues.
api::QueueView sum_of(const api::PortView& port) {
  api::QueueView sum;
  for (const auto& queue : port.queues) {
    sum.received_packets += queue.received_packets;
    sum.sent_packets += queue.sent_packets;
    sum.not_sent += queue.not_sent;
    sum.to_kernel += queue.to_kernel;
    sum.to_kernel_lost += queue.to_kernel_lost;
  }
  return sum;
}

std::string ports_text(const api::StatusView& status, Colour colour) {
  if (status.ports.empty()) return {};
  Table ports({{"PORT"},
               {"STATE"},
               {"DRIVER"},
               {"QUEUES", Align::right},
               {"RECEIVED", Align::right},
               {"SENT", Align::right},
               {"TO KERNEL", Align::right},
               {"FROM KERNEL", Align::right},
               {"LOST", Align::right}});
  for (const auto& port : status.ports) {
    const api::QueueView sum = sum_of(port);
    const std::uint64_t lost = port.missed + port.errors + port.no_buffer + port.from_kernel_lost +
                               port.kernel_refused + sum.not_sent + sum.to_kernel_lost;
    ports.add({{port.interface},
               {port.state, port.state == "open" ? Tone::good : Tone::bad},
               {port.driver},
               {count_text(port.queues.size())},
               {count_text(sum.received_packets)},
               {count_text(sum.sent_packets)},
               {count_text(sum.to_kernel)},
               {count_text(port.from_kernel)},
               {count_text(lost)}});
  }
  Table workers({{"WORKER"},
                 {"CORE"},
                 {"BURST", Align::right},
                 {"MEAN", Align::right},
                 {"FULL", Align::right},
                 {"EMPTY POLLS", Align::right},
                 {"ASLEEP", Align::right}});
  for (std::size_t i = 0; i < status.workers.size(); ++i) {
    const api::WorkerView& worker = status.workers[i];
    const auto ratio = [](std::uint64_t part, std::uint64_t all) {
      return all == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(all);
    };
    workers.add({{std::to_string(i)},
                 {worker.core ? std::to_string(*worker.core) : "any"},
                 {count_text(worker.burst)},
                 {count_text(worker.bursts == 0 ? 0 : worker.packets / worker.bursts)},
                 {percent_text(ratio(worker.full_bursts, worker.bursts))},
                 {percent_text(ratio(worker.empty_polls, worker.polls))},
                 {duration_text(std::chrono::seconds(static_cast<std::int64_t>(worker.slept_seconds)))}});
  }
  return "\n" + ports.text(colour) + "\n" + workers.text(colour);
}

/// The state in a word or two: what the checks say, and what follows from it.
Cell state_cell(const api::BackendView& backend) {
  if (backend.retired) return {"removed, " + draining_text(backend.empty_in_seconds), Tone::warning};
  auto text = api::to_string(backend.health.state);
  if (backend.admin == api::AdminState::maintenance)
    return {backend.draining ? "maintenance, " + draining_text(backend.empty_in_seconds) : "maintenance",
            Tone::warning};
  if (backend.health.state == api::BackendState::down)
    return {backend.in_rotation ? text + ", used all the same" : text, Tone::bad};
  if (backend.fallback && !backend.in_rotation && !backend.draining) return {text + ", fallback", Tone::plain};
  if (backend.draining) return {text + ", " + draining_text(backend.empty_in_seconds), Tone::warning};
  if (backend.admin == api::AdminState::drain) return {text + ", drained", Tone::warning};
  if (!backend.in_rotation) return {text + ", no new flows", Tone::warning};
  if (backend.weight_share < 1) return {text + ", starting, " + percent_text(backend.weight_share), Tone::warning};
  return {text, backend.health.state == api::BackendState::up ? Tone::good : Tone::plain};
}

Cell next_hop_cell(const api::NextHopView& hop) {
  if (hop.mac.empty()) return {hop.unresolved.empty() ? "not resolved" : printable(hop.unresolved), Tone::bad};
  return {hop.interface + " " + hop.mac};
}

std::string age_cell(const api::HealthView& health, api::TimePoint now) {
  return health.since == api::TimePoint{} ? "" : age(health.since, now);
}

/// Who is let in; empty: everyone.
std::string sources_text(const api::ServiceView& service) {
  if (!service.sources) return {};
  const api::SourcesView& sources = *service.sources;
  const auto prefixes = [](std::uint64_t count) {
    return std::to_string(count) + (count == 1 ? " prefix" : " prefixes");
  };
  std::vector<std::string> parts;
  if (sources.allowed_prefixes != 0) parts.push_back(prefixes(sources.allowed_prefixes) + " allowed");
  if (sources.denied_prefixes != 0) parts.push_back(prefixes(sources.denied_prefixes) + " denied");
  if (sources.new_flows_per_second != 0)
    parts.push_back(std::to_string(sources.new_flows_per_second) + " new flows a second, " +
                    std::to_string(sources.burst) + " at once, from each /" + std::to_string(sources.source_prefix));
  std::string text = "  sources: ";
  for (std::size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "" : "; ") + parts[i];
  return text + "\n";
}

std::string service_text(const api::ServiceView& service, api::TimePoint now, Colour colour) {
  std::string text = paint(service.name, Tone::strong, colour) + "  " + endpoint_text(service.address, service.port) +
                     " " + service.protocol + ", " + service.forwarding + ", " + service.scheduler + ", " +
                     plural(service.ring_slots, "ring slot");
  if (service.affinity_seconds)
    text += ", affinity " + duration_text(std::chrono::seconds(std::llround(*service.affinity_seconds)));
  text += "\n" + sources_text(service);
  if (service.too_few)
    text += paint("  fewer than " + plural(service.minimum_up, "backend") + " in rotation: " + service.when_down,
                  Tone::bad, colour) +
            "\n";
  Table table({{"BACKEND"},
               {"ADDRESS"},
               {"STATE"},
               {"FOR", Align::right},
               {"WEIGHT", Align::right},
               {"RING", Align::right},
               {"FLOWS", Align::right},
               {"CONNECTIONS", Align::right},
               {"PACKETS", Align::right},
               {"BYTES", Align::right},
               {"NEXT HOP"},
               {"LAST ERROR"}});
  for (const auto& b : service.backends) {
    table.add({{b.name},
               {endpoint_text(b.address, b.port)},
               state_cell(b),
               {age_cell(b.health, now)},
               {std::to_string(b.weight)},
               {percent_text(b.ring_share)},
               {count_text(b.traffic.active_flows)},
               {count_text(b.traffic.new_connections)},
               {count_text(b.traffic.packets)},
               {bytes_text(b.traffic.bytes)},
               next_hop_cell(b.next_hop),
               {printable(b.health.last_error), Tone::bad}});
  }
  const auto& sum = service.traffic;
  table.add({{"all"},
             {},
             {},
             {},
             {},
             {},
             {count_text(sum.active_flows)},
             {count_text(sum.new_connections)},
             {count_text(sum.packets)},
             {bytes_text(sum.bytes)},
             {},
             {}});
  return text + table.text(colour);
}

/// The services with the most of a reason's drops.
std::string services_of(const api::DropView& drop) {
  constexpr std::size_t kShown = 3;
  auto services = drop.services;
  std::ranges::stable_sort(services, std::greater(), &api::ServiceDropsView::count);
  std::string text;
  for (std::size_t i = 0; i < std::min(services.size(), kShown); ++i) {
    text += (i == 0 ? "" : ", ") + services[i].service + " " + std::to_string(services[i].count);
  }
  if (services.size() > kShown) text += ", " + std::to_string(services.size() - kShown) + " more";
  return text;
}

std::string verdict_text(const api::TraceView& trace) {
  if (trace.verdict == api::Verdict::drop) return "dropped: " + trace.reason;
  if (trace.verdict == api::Verdict::pass) return "passed to the kernel: " + trace.reason;
  std::string text = "to backend " + trace.backend + " of service " + trace.service;
  if (!trace.interface.empty()) text += ", out of " + trace.interface;
  if (!trace.mac.empty()) text += " to " + trace.mac;
  if (trace.flow_known) return text + "; the flow is known";
  if (trace.ring_slot) text += "; no flow yet, ring slot " + std::to_string(*trace.ring_slot) + " decided";
  return text;
}

std::string ring_text(const api::RingChange& ring, Tense tense) {
  const auto share = [&](std::uint32_t slots) {
    return std::to_string(slots) + " (" + percent_text(ring.slots == 0 ? 0 : double(slots) / ring.slots) + ")";
  };
  std::string text = "  ring of " + printable(ring.service) + ": " + plural(ring.slots, "slot") + ", " +
                     share(ring.moved) + (tense == Tense::done ? " moved" : " would move") +
                     ", the least possible is " + share(ring.least);
  if (ring.later != 0) text += "; " + share(ring.later) + " later, once all its backends are well";
  return text + "\n";
}

/// The lines of one service. What is told of a backend ends with the flows that it has.
std::string service_changes_text(const api::ServiceChange& service) {
  const std::string who = "  service " + printable(service.service);
  const char* colon = service.change == api::PartChange::changed ? ": " : " ";
  std::string text;
  for (const auto& change : service.changes) text += who + colon + printable(change) + "\n";
  for (const auto& backend : service.backends) {
    const std::string flows = backend.flows == 0 ? "" : " (" + plural(backend.flows, "flow") + ")";
    for (const auto& change : backend.changes) {
      text += who + ": backend " + printable(backend.backend) + " " + printable(change) + flows + "\n";
    }
  }
  return text;
}

std::string flows_concerned_text(const api::ServiceChange& service) {
  if (service.flows == 0) return {};
  const std::string text = "  flows of " + printable(service.service) + ": " + std::to_string(service.flows);
  if (service.flows_end == 0) return text + " concerned, which stay where they are\n";
  return text + " concerned, " + std::to_string(service.flows_end) + " of which end: nobody serves them any more\n";
}

std::string headline(const api::ApplyView& view, Tense tense, const std::string& file, Colour colour) {
  const std::string count = plural(view.changes.size(), "change");
  if (view.changes.empty()) return file + " is what runs already: nothing to change\n";
  if (tense == Tense::planned) return file + " would make " + count + "; nothing has changed yet\n";
  return paint(file + " applied", Tone::good, colour) + ": " + count + "\n";
}

}  // namespace

std::string status_text(const api::StatusView& status, api::TimePoint now, Colour colour) {
  std::string text = problems_text(status.problems, colour) + "\n" + daemon_text(status, now, colour) + "\n" +
                     interfaces_text(status.interfaces, colour) + "\n" + tables_text(status.tables, colour);
  text += ports_text(status, colour);
  for (const auto& service : status.services) text += "\n" + service_text(service, now, colour);
  return text;
}

std::string drains_text(const api::DrainsView& drains) {
  std::string text;
  for (const auto& backend : drains.backends) {
    text += "backend " + backend.backend + " of service " + backend.service + ": ";
    if (backend.in_rotation) {
      text += "in rotation, ";
    } else if (backend.admin == api::AdminState::active) {
      text += "active, not in rotation; ";
    } else {
      text += backend.admin == api::AdminState::drain ? "drain, " : "maintenance, ";
    }
    text += backend.drained ? "no flows left" : plural(backend.active_flows, "flow");
    if (!backend.in_rotation && !backend.drained && backend.empty_in_seconds)
      text += ", empty in " + duration_text(std::chrono::seconds(std::llround(*backend.empty_in_seconds)));
    text += "\n";
  }
  return text;
}

std::string flows_text(const api::FlowsView& flows, Colour colour) {
  if (flows.flows.empty()) return "No flows.\n";
  Table table({{"SERVICE"}, {"CLIENT"}, {"DESTINATION"}, {"SOURCE"}, {"BACKEND"}, {"STATE"}, {"IDLE", Align::right}});
  for (const auto& flow : flows.flows) {
    table.add({{flow.service},
               {flow.client_prefix ? flow.client.address.to_string() + "/" + std::to_string(*flow.client_prefix)
                                   : endpoint_text(flow.client.address, flow.client.port)},
               {endpoint_text(flow.destination.address, flow.destination.port)},
               {flow.source ? endpoint_text(flow.source->address, flow.source->port) : ""},
               {flow.backend},
               {api::to_string(flow.state), flow.state == api::FlowState::established ? Tone::good : Tone::plain},
               {duration_text(std::chrono::seconds(flow.idle_seconds))}});
  }
  auto text = table.text(colour, "");
  if (flows.matched > flows.flows.size()) {
    text += "\n" + std::to_string(flows.flows.size()) + " of " + plural(flows.matched, "flow") +
            "; see more with --limit\n";
  }
  return text;
}

std::string drops_text(const api::DropsView& drops, Colour colour) {
  auto sorted = drops.drops;
  std::ranges::stable_sort(sorted, std::greater(), &api::DropView::count);
  Table table({{"REASON"}, {"PACKETS", Align::right}, {"SERVICES"}, {"MEANING"}});
  for (const auto& drop : sorted) {
    const Tone tone = drop.count == 0 ? Tone::faint : Tone::plain;
    table.add(
        {{drop.reason, tone}, {std::to_string(drop.count), tone}, {services_of(drop), tone}, {drop.description, tone}});
  }
  return table.text(colour, "");
}

std::string drop_line(const api::DropEventView& drop, Colour colour) {
  const auto padded = [](std::string text, std::size_t width) {
    text.resize(std::max(text.size(), width), ' ');
    return text;
  };
  const auto end = [](const api::Endpoint& endpoint) {
    return endpoint.port == 0 ? endpoint.address.to_string() : endpoint_text(endpoint.address, endpoint.port);
  };
  std::string text;
  if (drop.lost != 0)
    text =
        paint(plural(drop.lost, "drop") + " not shown: they came faster than they were read", Tone::warning, colour) +
        "\n";
  return text + printable(drop.time) + "  " + paint(padded(printable(drop.reason), 16), Tone::strong, colour) + "  " +
         padded(drop.service.empty() ? "-" : printable(drop.service), 12) + "  " + printable(drop.protocol) + " " +
         end(drop.source) + " > " + end(drop.destination) + "  " + std::to_string(drop.length) + " B  " +
         printable(drop.interface) + "\n";
}

std::string trace_text(const api::TraceView& trace, const api::TraceQuery& query, Colour colour) {
  std::string text = query.protocol + " from " + endpoint_text(query.from.address, query.from.port) + " to " +
                     endpoint_text(query.to.address, query.to.port) + "\n\n";
  std::size_t width = 0;
  for (const auto& step : trace.steps) width = std::max(width, step.stage.size());
  for (const auto& step : trace.steps) {
    const std::string padding(width - step.stage.size() + 2, ' ');
    text += "  " + paint(step.stage, Tone::strong, colour) + padding + step.text + "\n";
    std::string fields;
    for (const auto& [key, value] : step.fields) fields += (fields.empty() ? "" : "  ") + key + "=" + value;
    if (!fields.empty()) text += std::string(width + 4, ' ') + paint(fields, Tone::faint, colour) + "\n";
  }
  const bool leaves = trace.verdict == api::Verdict::transmit || trace.verdict == api::Verdict::redirect;
  const Tone tone = leaves ? Tone::good : trace.verdict == api::Verdict::drop ? Tone::bad : Tone::plain;
  return text + "\n" + paint(api::to_string(trace.verdict), tone, colour) + ": " + verdict_text(trace) + "\n";
}

std::string changes_text(const api::ApplyView& view, Tense tense, const std::string& file, Colour colour) {
  std::string text = headline(view, tense, file, colour);
  const bool by_service = !view.services.empty() || !view.overall.empty();  // earlier daemons told lines alone
  for (const auto& change : by_service ? view.overall : view.changes) text += "  " + printable(change) + "\n";
  if (view.flows_carried != 0) text += "  " + plural(view.flows_carried, "flow") + " to carry to new tables\n";
  for (const auto& service : view.services) text += service_changes_text(service);
  for (const auto& ring : view.rings) text += ring_text(ring, tense);
  for (const auto& service : view.services) text += flows_concerned_text(service);
  for (const auto& warning : view.warnings) {
    text += paint("  not as configured: " + printable(warning), Tone::warning, colour) + "\n";
  }
  if (view.confirm_within) {
    text += paint("  not confirmed: in " + duration_text(std::chrono::seconds(*view.confirm_within)) +
                      " what ran before comes back, unless you say astil confirm",
                  Tone::warning, colour) +
            "\n";
  }
  return text;
}

std::string history_text(const api::HistoryView& history, Colour colour) {
  if (history.entries.empty()) return "No configuration has run yet.\n";
  constexpr std::size_t kShownDigest = 12;
  Table table({{"NUMBER", Align::right}, {"TIME"}, {"BY"}, {"WHO"}, {"RESULT"}, {"DIGEST"}, {"FILE"}});
  for (auto entry = history.entries.rbegin(); entry != history.entries.rend(); ++entry) {
    const bool runs = entry == history.entries.rbegin();
    const bool taken_back = entry->result == api::ChangeResult::taken_back;
    table.add(
        {{std::to_string(entry->number)},
         {api::to_rfc3339(entry->time)},
         {api::to_string(entry->by)},
         {entry->uid || !entry->token.empty() ? printable(api::Caller{.uid = entry->uid, .token = entry->token}.name())
                                              : "-"},
         {api::to_string(entry->result) + (runs ? ", runs" : ""), taken_back ? Tone::bad
                                                                  : runs     ? Tone::good
                                                                             : Tone::plain},
         {printable(entry->digest.substr(0, kShownDigest))},
         {printable(entry->file)}});
  }
  return table.text(colour, "");
}

}  // namespace astil::cli
