#include "control/app/history.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <future>

#include "control/api/json.hpp"
#include "control/base/atomic_file.hpp"
#include "control/base/log.hpp"
#include "control/base/regular_file.hpp"

namespace astil::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIndex = "index.json";
constexpr const char* kTextSuffix = ".yaml";

Result<> make_folder(const fs::path& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (!failed) fs::permissions(folder, fs::perms::owner_all, failed);
  if (failed) return Error{"make the folder " + folder.string() + ": " + failed.message(), {}};
  return {};
}

Result<std::vector<api::HistoryEntry>> parse_index(const std::string& text) {
  boost::system::error_code failed;
  const auto value = boost::json::parse(text, failed);
  if (failed) return Error{"not JSON: " + failed.message(), {}};
  auto view = api::from_json<api::HistoryView>(value);
  if (!view) return view.error();
  return std::move(view->entries);
}

/// Of a file's name, "12.yaml"; 0: another file.
std::uint64_t number_of(const fs::path& file) {
  const std::string stem = file.stem().string();
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(stem.data(), stem.data() + stem.size(), number);
  const bool is_number = failed == std::errc{} && end == stem.data() + stem.size();
  return is_number && file.extension() == kTextSuffix ? number : 0;
}

}  // namespace

/// What the thread is to write, and how that ended.
struct History::Job {
  fs::path folder;
  std::string index;
  std::map<std::uint64_t, Text> texts;
  std::uint64_t oldest = 0;  ///< texts before it are forgotten
  Result<> outcome;

  void run() {
    outcome = make_folder(folder);
    for (const auto& [number, text] : texts) {
      if (outcome) outcome = base::write_atomically(folder / (std::to_string(number) + kTextSuffix), *text);
    }
    if (outcome) outcome = base::write_atomically(folder / kIndex, index);
    if (outcome) remove_forgotten();
  }

  void remove_forgotten() const {
    std::error_code failed;
    for (const auto& file : fs::directory_iterator(folder, failed)) {
      const std::uint64_t number = number_of(file.path());
      if (number != 0 && number < oldest) fs::remove(file.path(), failed);
    }
  }
};

History::History(boost::asio::io_context& loop, health::Alarm& alarm, fs::path folder)
    : loop_(loop),
      folder_(std::move(folder)),
      retry_(alarm, [this] { write(); }),
      self_(std::make_shared<History*>(this)) {
  read();
}

History::~History() {
  retry_.rest();
  writer_.join();
}

/// An index that can not be read is put aside, and its texts stay.
void History::read() {
  std::error_code failed;
  for (const auto& file : fs::directory_iterator(folder_, failed))
    next_number_ = std::max(next_number_, number_of(file.path()) + 1);
  const fs::path index = folder_ / kIndex;
  if (!fs::exists(index, failed)) return;
  const auto text = base::read_regular_file(index);
  auto entries = text ? parse_index(*text) : Result<std::vector<api::HistoryEntry>>(text.error());
  if (entries.has_error()) {
    const fs::path aside = index.string() + ".broken";
    fs::rename(index, aside, failed);
    log::error("history of configurations not read",
               {{"file", index.string()}, {"error", entries.error().text()}, {"kept_as", aside.string()}});
    return;
  }
  entries_ = std::move(*entries);
  for (const api::HistoryEntry& entry : entries_) next_number_ = std::max(next_number_, entry.number + 1);
}

const api::HistoryEntry* History::find(std::uint64_t number) const {
  const auto found = std::ranges::find(entries_, number, &api::HistoryEntry::number);
  return found == entries_.end() ? nullptr : &*found;
}

fs::path History::file_of(std::uint64_t number) const { return folder_ / (std::to_string(number) + kTextSuffix); }

Result<std::string> History::text(std::uint64_t number) const {
  const api::HistoryEntry* entry = find(number);
  if (entry == nullptr) {
    return Error{"there is no configuration " + std::to_string(number) + " in the history", "astil history lists them"};
  }
  if (const auto unsaved = unsaved_.find(number); unsaved != unsaved_.end())
    return Result<std::string>(boost::system::in_place_value, *unsaved->second);
  auto text = base::read_regular_file(file_of(number));
  if (text.has_error()) return text.error();
  if (digest_of(*text) != entry->digest) {
    return Error{file_of(number).string() + " is not what was applied: its digest is another",
                 "apply a file that you know"};
  }
  return text;
}

std::uint64_t History::add(api::HistoryEntry entry, const std::string& text) {
  entry.number = next_number_++;
  entry.digest = digest_of(text);
  entry.bytes = text.size();
  entry.before = running();
  unsaved_[entry.number] = std::make_shared<const std::string>(text);
  entries_.push_back(std::move(entry));
  prune();
  write();
  return running();
}

void History::settle(std::uint64_t number, api::ChangeResult result) {
  const auto found = std::ranges::find(entries_, number, &api::HistoryEntry::number);
  if (found == entries_.end() || found->result == result) return;
  found->result = result;
  write();
}

void History::drop_last() {
  if (entries_.empty()) return;
  unsaved_.erase(entries_.back().number);
  entries_.pop_back();
  write();
}

/// The one that runs, and what it would go back to, stay whatever their size.
void History::prune() {
  constexpr std::size_t kKept = 2;
  std::size_t bytes = 0;
  std::size_t kept = 0;
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry, ++kept) {
    bytes += entry->bytes;
    if (kept >= kKept && (kept >= kMostEntries || bytes > kMostBytes)) break;
  }
  entries_.erase(entries_.begin(), entries_.end() - static_cast<std::ptrdiff_t>(kept));
  unsaved_.erase(unsaved_.begin(), unsaved_.lower_bound(entries_.front().number));
}

std::shared_ptr<History::Job> History::make_job() const {
  const api::HistoryView view{.entries = entries_};
  return std::make_shared<Job>(Job{.folder = folder_,
                                   .index = boost::json::serialize(api::to_json(view)) + "\n",
                                   .texts = unsaved_,
                                   .oldest = entries_.empty() ? 0 : entries_.front().number,
                                   .outcome = {}});
}

/// One job at a time: what comes meanwhile is written by the next one.
void History::write() {
  changed_ = true;
  if (std::exchange(under_way_, true)) return;
  changed_ = false;
  const auto job = make_job();
  boost::asio::post(writer_, [job, &loop = loop_, self = std::weak_ptr(self_)] {
    job->run();
    boost::asio::post(loop, [job, self] {
      const auto alive = self.lock();
      if (!alive) return;
      (*alive)->under_way_ = false;
      (*alive)->on_written(*job);
      if ((*alive)->changed_) (*alive)->write();
    });
  });
}

void History::on_written(const Job& job) {
  if (job.outcome.has_error()) {
    ++failures_;
    if (!failure_) log::error("history of configurations not written", {{"error", job.outcome.error().text()}});
    failure_ = job.outcome.error();
    retry_.failed();
    return;
  }
  for (const auto& [number, text] : job.texts) {
    const auto unsaved = unsaved_.find(number);
    if (unsaved != unsaved_.end() && unsaved->second == text) unsaved_.erase(unsaved);
  }
  if (failure_) log::info("history of configurations written again");
  failure_.reset();
  retry_.rest();
}

Error History::no_answer() const {
  return Error{
      "the disk under " + folder_.string() + " has not answered in " + std::to_string(kPatience.count()) + " ms",
      "see to it"};
}

Result<> History::flush() {
  const auto job = make_job();
  const auto done = std::make_shared<std::promise<void>>();
  auto written = done->get_future();
  boost::asio::post(writer_, [job, done] {
    job->run();
    done->set_value();
  });
  if (written.wait_for(kPatience) != std::future_status::ready) return no_answer();
  on_written(*job);
  return job->outcome;
}

std::function<std::optional<Result<>>()> History::begin_flush() {
  const auto job = make_job();
  const auto done = std::make_shared<std::promise<void>>();
  const auto written = std::make_shared<std::future<void>>(done->get_future());
  boost::asio::post(writer_, [job, done] {
    job->run();
    done->set_value();
  });
  const auto limit = std::chrono::steady_clock::now() + kPatience;
  return [job, written, limit, late = no_answer(), self = std::weak_ptr(self_)]() -> std::optional<Result<>> {
    if (written->wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
      if (const auto alive = self.lock()) (*alive)->on_written(*job);
      return job->outcome;
    }
    if (std::chrono::steady_clock::now() < limit) return std::nullopt;
    return Result<>(late);
  };
}

std::string digest_of(const std::string& text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned length = 0;
  if (EVP_Digest(text.data(), text.size(), bytes.data(), &length, EVP_sha256(), nullptr) != 1) return {};
  std::string digest;
  for (unsigned i = 0; i < length; ++i) {
    digest += kDigits[bytes[i] >> 4U];
    digest += kDigits[bytes[i] & 15U];
  }
  return digest;
}

std::optional<std::uint64_t> instead_of(const std::vector<api::HistoryEntry>& entries, const std::string& digest) {
  if (entries.empty()) return std::nullopt;
  const api::HistoryEntry& last = entries.back();
  const auto same = std::find_if(entries.rbegin(), entries.rend(),
                                 [&](const api::HistoryEntry& entry) { return entry.digest == digest; });
  if (same == entries.rend()) return std::nullopt;
  const bool waits = last.result == api::ChangeResult::awaiting && last.before != 0;
  if (&*same == &last) return waits ? std::optional(last.before) : std::nullopt;
  return same->result == api::ChangeResult::taken_back ? std::optional(last.number) : std::nullopt;
}

}  // namespace astil::app
