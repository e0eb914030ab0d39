#include "control/discovery/discoveries.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <utility>

#include "control/base/atomic_file.hpp"
#include "control/base/log.hpp"
#include "control/config/keys.hpp"

namespace astil::discovery {
namespace {

using namespace std::chrono_literals;

/// Files that nobody told of a change of (a network's file system, a folder that came later) are read so often.
constexpr auto kLookAgain = 30s;
/// After a failure, and where a name has no record whose life could tell.
constexpr auto kAfterFailure = 5s;
/// So many at a time: what hangs is not to keep the others waiting.
constexpr unsigned kFilesAtOnce = 8;
constexpr unsigned kNamesAtOnce = 32;

bool is_file(const config::Discovery& how) { return how.from == config::DiscoveryFrom::file; }

}  // namespace

struct Discoveries::Source : std::enable_shared_from_this<Source> {
  Source(boost::asio::io_context& loop, Wanted what) : wanted(std::move(what)), timer(loop) {}
  Wanted wanted;
  Report report;
  boost::asio::steady_timer timer;  ///< of a name
  std::uint64_t reading = 0;        ///< of its file: the last that began, from 1 on
  bool is_read = false;             ///< that one has not come back yet
  bool hangs = false;               ///< and was waited for in vain
  bool read_again = false;          ///< the file has changed since it began
  bool was_read = false;            ///< at the last look at all files it was under way
};

Discoveries::Discoveries(boost::asio::io_context& loop, std::string state_file, LookUp look_up, OnChange on_change,
                         ReadSet read)
    : loop_(loop),
      state_file_(std::move(state_file)),
      look_up_(std::move(look_up)),
      on_change_(std::move(on_change)),
      read_set_(std::move(read)),
      watch_(loop, [this](const std::string& folder) { on_folder(folder); }),
      again_(loop),
      files_(loop, kFilesAtOnce),
      names_(loop, kNamesAtOnce) {
  if (const auto text = read_whole(state_file_); text.has_value()) kept_ = kept_sets_of(*text);
  look_again();
}

Discoveries::~Discoveries() {
  if (writer_) writer_->join();
}

std::string Discoveries::source_of(const config::Discovery& how) {
  if (is_file(how)) return "file " + how.path;
  std::string text = config::kDiscoveryRecords.show(how.dns.record) + " of " + how.dns.name;
  if (how.dns.server) text += " at " + config::show_endpoint(how.dns.server->host, how.dns.server->port);
  return text;
}

void Discoveries::configure(const std::vector<Wanted>& wanted, const Fits& fits) {
  std::map<std::string, std::shared_ptr<Source>> before = std::exchange(sources_, {});
  std::map<std::string, std::shared_ptr<Source>> earlier = std::exchange(gone_, {});
  std::set<std::string> folders;
  std::vector<std::shared_ptr<Source>> fresh;
  for (const Wanted& each : wanted) {
    std::shared_ptr<Source> source;
    for (auto* known : {&before, &earlier}) {
      const auto found = known->find(each.service);
      if (source || found == known->end() || source_of(found->second->wanted.how) != source_of(each.how)) continue;
      source = found->second;
      known->erase(found);
    }
    if (!source) {
      source = std::make_shared<Source>(loop_, each);
      const auto kept = kept_.find(each.service);
      if (kept != kept_.end() && kept->second.source == source_of(each.how)) source->report.set = kept->second.set;
    }
    source->wanted = each;
    sources_[each.service] = source;
    fresh.push_back(source);
    if (is_file(each.how)) folders.insert(std::filesystem::path(each.how.path).parent_path().string());
  }
  gone_ = std::move(before);
  for (const auto& [service, source] : gone_) source->timer.cancel();
  watch_.follow(folders);
  std::vector<std::pair<std::shared_ptr<Source>, FileReading>> readings;
  for (const std::shared_ptr<Source>& source : fresh) {
    if (!is_file(source->wanted.how)) {
      ask_in(source, 0ms);
    } else if (source->hangs) {
      source->read_again = true;  // who waited for that disk once does not again
    } else {
      readings.emplace_back(source, begin_reading(source));
    }
  }
  const auto limit = std::chrono::steady_clock::now() + kFilesWithin;
  for (const auto& [source, reading] : readings) {
    source->hangs = !reading.wait_until(limit);
    if (source->hangs) continue;
    source->is_read = false;
    take(*source, reading.set(), fits);
  }
  keep();
}

Discoveries::Sets Discoveries::sets() const {
  Sets sets;
  for (const auto& [service, source] : sources_) sets[service] = source->report.set;
  return sets;
}

void Discoveries::put_back(const Sets& sets, const std::string& why) {
  for (const auto& [service, set] : sets) {
    const auto found = sources_.find(service);
    if (found == sources_.end() || found->second->report.set == set) continue;
    found->second->report.set = set;
    refuse(*found->second, why);
  }
  keep();
}

const Report* Discoveries::report(const std::string& service) const {
  const auto found = sources_.find(service);
  return found == sources_.end() ? nullptr : &found->second->report;
}

std::optional<Set> Discoveries::known(const std::string& service, const config::Discovery& how) const {
  const auto found = sources_.find(service);
  if (found == sources_.end() || source_of(found->second->wanted.how) != source_of(how)) return std::nullopt;
  return found->second->report.set;
}

std::map<std::string, Set> Discoveries::would_be(const std::vector<Wanted>& wanted) const {
  std::map<std::string, Set> sets;
  std::vector<std::pair<const Wanted*, FileReading>> readings;
  for (const Wanted& each : wanted) {
    if (auto last = known(each.service, each.how)) sets[each.service] = std::move(*last);
    const auto found = sources_.find(each.service);
    if (!is_file(each.how) || (found != sources_.end() && found->second->hangs)) continue;
    readings.emplace_back(
        &each, FileReading::begin(files_, [read = read_set_, path = each.how.path] { return read(path); }, {}));
  }
  const auto limit = std::chrono::steady_clock::now() + kFilesWithin;
  for (const auto& [each, reading] : readings) {
    if (!reading.wait_until(limit) || reading.set().has_error()) continue;
    if (reading.set()->size() >= each->how.at_least) sets[each->service] = *reading.set();
  }
  return sets;
}

void Discoveries::on_folder(const std::string& folder) {
  const auto sources = sources_;  // what is told may configure
  for (const auto& [service, source] : sources) {
    if (is_file(source->wanted.how) && std::filesystem::path(source->wanted.how.path).parent_path() == folder)
      read_file(source);
  }
}

void Discoveries::read_file(const std::shared_ptr<Source>& source) {
  if (source->is_read) {
    source->read_again = true;
  } else {
    (void)begin_reading(source);
  }
}

/// Of several readings of a file only the last that began counts, so that what is taken last is what was there last.
FileReading Discoveries::begin_reading(const std::shared_ptr<Source>& source) {
  source->is_read = true;
  source->read_again = false;
  return FileReading::begin(
      files_, [read = read_set_, path = source->wanted.how.path] { return read(path); },
      [this, alive = std::weak_ptr(alive_), weak = std::weak_ptr(source),
       number = ++source->reading](const FileReading& reading) {
        const auto self = weak.lock();
        if (alive.expired() || !self || self->reading != number) return;
        self->is_read = false;
        self->hangs = false;
        const auto is_current = [&] {
          const auto current = sources_.find(self->wanted.service);
          return current != sources_.end() && current->second == self;
        };
        if (is_current()) tell(*self, reading.set());
        if (self->read_again && is_current()) read_file(self);
      });
}

void Discoveries::look_again() {
  again_.expires_after(kLookAgain);
  again_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    std::set<std::string> folders;
    for (const auto& [service, source] : sources_) {
      if (is_file(source->wanted.how))
        folders.insert(std::filesystem::path(source->wanted.how.path).parent_path().string());
    }
    watch_.follow(folders);
    for (const auto& [service, source] : sources_) {
      if (source->is_read && source->was_read) {
        source->hangs = true;
        take(*source, Error{source->wanted.how.path + " is still being read", "does its disk answer?"}, {});
      }
      source->was_read = source->is_read;
    }
    for (const std::string& folder : folders) on_folder(folder);
    if (*unwritten_) keep();
    look_again();
  });
}

void Discoveries::ask_in(const std::shared_ptr<Source>& source, std::chrono::milliseconds delay) {
  source->timer.expires_after(delay);
  source->timer.async_wait(
      [this, alive = std::weak_ptr(alive_), weak = std::weak_ptr(source)](boost::system::error_code error) {
        const auto self = weak.lock();
        if (!error && self && !alive.expired()) ask(self);
      });
}

/// One question at a time of each name; what comes for one that is followed no more is forgotten.
void Discoveries::ask(const std::shared_ptr<Source>& source) {
  names_.run([this, alive = std::weak_ptr(alive_), weak = std::weak_ptr(source), how = source->wanted.how.dns,
              look_up = look_up_]() -> base::Aside::Then {
    return [this, alive, weak, answer = look_up(how)]() mutable {
      const auto self = weak.lock();
      if (alive.expired() || !self) return;
      const auto current = sources_.find(self->wanted.service);
      if (current == sources_.end() || current->second != self) return;
      const config::DnsDiscovery& dns = self->wanted.how.dns;
      std::chrono::milliseconds next = std::max<std::chrono::milliseconds>(dns.shortest, kAfterFailure);
      if (answer.has_value()) {
        if (const auto version = self->wanted.version; version && dns.record == config::DiscoveryRecord::srv)
          std::erase_if(answer->set, [&](const Found& found) { return found.host.is_v4() != (*version == 4); });
        if (answer->keep.count() != 0)
          next = std::clamp<std::chrono::milliseconds>(answer->keep, dns.shortest, dns.longest);
        tell(*self, std::move(answer->set));
      } else {
        tell(*self, answer.error());
      }
      if (const auto still = sources_.find(self->wanted.service); still != sources_.end() && still->second == self)
        ask_in(self, next);
    };
  });
}

/// The set before stays.
void Discoveries::note_failure(Source& source, const std::string& error) {
  Report& report = source.report;
  if (error != report.error)
    log::warning("backends not as found", {{"service", source.wanted.service},
                                           {"source", source_of(source.wanted.how)},
                                           {"error", error},
                                           {"kept", report.set ? report.set->size() : 0}});
  report.error = error;
}

void Discoveries::refuse(Source& source, const std::string& why) {
  ++source.report.refused;
  note_failure(source, why);
}

/// `fits` is asked with the set in place, as whoever uses it finds it then.
void Discoveries::take(Source& source, Result<Set> found, const Fits& fits) {
  const auto self = source.shared_from_this();  // what is told may configure
  Report& report = source.report;
  if (found.has_error()) {
    ++report.failed;
    return note_failure(source, found.error().text());
  }
  if (found->size() < source.wanted.how.at_least) {
    return refuse(source, "it names " + std::to_string(found->size()) +
                              (found->size() == 1 ? " backend" : " backends") + ", and at_least is " +
                              std::to_string(source.wanted.how.at_least));
  }
  const auto now = std::chrono::system_clock::now();
  if (report.set == *found) {
    ++report.followed;
    report.at = now;
    report.error.clear();
    return;
  }
  std::optional<Set> last = std::exchange(report.set, std::move(*found));
  if (auto used = fits(source.wanted.service, *report.set); used.has_error()) {
    report.set = std::move(last);
    return refuse(source, used.error().text());
  }
  ++report.followed;
  report.at = now;
  report.error.clear();
  log::info("backends found", {{"service", source.wanted.service},
                               {"source", source_of(source.wanted.how)},
                               {"backends", report.set->size()},
                               {"before", last ? last->size() : 0}});
}

/// Takes it, and tells whoever uses it.
void Discoveries::tell(Source& source, Result<Set> found) {
  take(source, std::move(found),
       [this](const std::string& service, const Set& /*set*/) { return on_change_(service); });
  keep();
}

/// In another thread: a disk may be slow. The order is that of the calls, since all go the same way.
void Discoveries::keep() {
  if (state_file_.empty()) return;
  KeptSets sets;
  for (const auto& [service, source] : sources_) {
    if (source->report.set) sets[service] = {.source = source_of(source->wanted.how), .set = *source->report.set};
  }
  std::string text = text_of(sets);
  if (!unwritten_->exchange(false) && text == text_of(kept_)) return;
  kept_ = std::move(sets);
  if (!writer_) writer_.emplace(1);
  boost::asio::post(*writer_, [path = state_file_, text = std::move(text), unwritten = unwritten_] {
    std::error_code told_below;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), told_below);
    if (const auto written = base::write_atomically(path, text); written.has_error()) {
      *unwritten = true;  // until the next look
      log::warning("found backends not kept", {{"error", written.error().text()}});
    }
  });
}

}  // namespace astil::discovery
