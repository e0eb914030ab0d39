#include "tests/packets/judge.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <system_error>

#include "tests/packets/complaint.hpp"

namespace astil::test {
namespace {

static_assert(std::endian::native == std::endian::little, "the magic number of a section says so");

constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr std::uint32_t kInterface = 1;
constexpr std::uint32_t kPacket = 6;
constexpr std::uint16_t kEthernet = 1;
constexpr std::uint16_t kComment = 1;

std::string_view mark(Made made) {
  switch (made) {
    case Made::right:
      return "";
    case Made::with_partial_checksum:
      return ", with partial checksum";
    case Made::broken_on_purpose:
      return ", broken on purpose";
  }
  return "";
}

/// One block: its length stands at both ends and is a multiple of 4.
class Block {
 public:
  explicit Block(std::uint32_t type) { add(type).add(std::uint32_t{0}); }

  template <class Number>
  Block& add(Number value) {
    return add_bytes(std::as_bytes(std::span(&value, 1)));
  }
  Block& add_bytes(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Block& pad() {
    bytes_.resize((bytes_.size() + 3) / 4 * 4);
    return *this;
  }
  void end_into(std::vector<std::byte>& blocks) {
    const auto length = static_cast<std::uint32_t>(bytes_.size() + sizeof(std::uint32_t));
    add(length);
    const auto field = std::as_bytes(std::span(&length, 1));
    std::copy(field.begin(), field.end(), bytes_.begin() + sizeof(std::uint32_t));
    blocks.insert(blocks.end(), bytes_.begin(), bytes_.end());
  }

 private:
  std::vector<std::byte> bytes_;
};

std::vector<std::byte> section_start() {
  std::vector<std::byte> blocks;
  Block(kSectionHeader)
      .add(std::uint32_t{0x1a2b3c4d})
      .add(std::uint16_t{1})  // version 1.0
      .add(std::uint16_t{0})
      .add(std::int64_t{-1})  // length not told
      .end_into(blocks);
  Block(kInterface)
      .add(kEthernet)
      .add(std::uint16_t{0})
      .add(std::uint32_t{0})  // frames of any length
      .end_into(blocks);
  return blocks;
}

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { ::close(number_); }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

void append_to_file(const std::string& path, std::span<const std::byte> bytes) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
  if (file.number() < 0) fail("open " + path);
  if (::flock(file.number(), LOCK_EX) != 0) fail("lock " + path);
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.number(), bytes.data(), bytes.size());
    if (written < 0) fail("write " + path);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

std::string path_of_process() {
  const char* const path = std::getenv("ASTIL_JUDGE_FILE");
  return path == nullptr ? "" : path;
}

class WritesAtTheEnd final : public testing::Environment {
 public:
  void TearDown() override {
    try {
      judge().write();
    } catch (const std::system_error& error) {
      ADD_FAILURE() << error.what();
    }
  }
};

// GoogleTest's own, from here on.
[[maybe_unused]] const testing::Environment* const kWriter = testing::AddGlobalTestEnvironment(new WritesAtTheEnd);

}  // namespace

Made how_made(std::span<const std::byte> frame) {
  const std::string_view complaint = complaint_of_frame(frame);
  if (complaint.empty()) return Made::right;
  return complaint == kPartialChecksum ? Made::with_partial_checksum : Made::broken_on_purpose;
}

void Judge::saw(std::string_view test_name, std::span<const std::byte> frame, Made made) {
  if (path_.empty()) return;
  const std::string comment = std::string(test_name).append(mark(made));
  const auto length = static_cast<std::uint32_t>(frame.size());
  Block(kPacket)
      .add(std::uint32_t{0})  // interface
      .add(std::uint64_t{0})  // time
      .add(length)            // bytes here
      .add(length)            // bytes on the wire
      .add_bytes(frame)
      .pad()
      .add(kComment)
      .add(static_cast<std::uint16_t>(comment.size()))
      .add_bytes(std::as_bytes(std::span(comment)))
      .pad()
      .add(std::uint32_t{0})  // end of options
      .end_into(blocks_);
}

void Judge::write() {
  if (path_.empty() || blocks_.empty()) return;
  std::vector<std::byte> section = section_start();
  section.insert(section.end(), blocks_.begin(), blocks_.end());
  append_to_file(path_, section);
  blocks_.clear();
}

Judge& judge() {
  static Judge judge(path_of_process());
  return judge;
}

std::string name_of_test() {
  const testing::TestInfo* const test = testing::UnitTest::GetInstance()->current_test_info();
  return test == nullptr ? "no test" : std::string(test->test_suite_name()) + "." + test->name();
}

}  // namespace astil::test
