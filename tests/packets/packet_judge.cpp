// tshark's verdict about frames: the right ones pass, and each fault is found, with the name of the test it came from.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "tests/packets/judge.hpp"
#include "tests/packets/packet_samples.hpp"

namespace astil::test {
namespace {

struct Verdict {
  int status;
  std::string output;
};

class PacketJudge : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("command -v tshark >/dev/null") != 0) GTEST_SKIP() << "there is no tshark here";
    std::string name = (std::filesystem::temp_directory_path() / "judged.XXXXXX").string();
    const int descriptor = ::mkstemp(name.data());
    ASSERT_GE(descriptor, 0);
    ::close(descriptor);
    path_ = name;
  }
  void TearDown() override { std::filesystem::remove(path_); }

  void write(const std::vector<Sample>& samples, Made made = Made::right) {
    Judge judge(path_);
    for (const Sample& sample : samples) judge.saw(sample.name, sample.frame, made);
    judge.write();
  }

  [[nodiscard]] Verdict verdict() const {
    const std::string command = std::string(ASTIL_JUDGE_SCRIPT) + " " + path_ + " 2>&1";
    FILE* const pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("can not run " + command);
    Verdict verdict{};
    std::array<char, 4096> part{};
    for (std::size_t got = 0; (got = std::fread(part.data(), 1, part.size(), pipe)) > 0;) {
      verdict.output.append(part.data(), got);
    }
    verdict.status = WEXITSTATUS(::pclose(pipe));
    return verdict;
  }

  void expect_no_complaint() const {
    const Verdict found = verdict();
    EXPECT_EQ(found.status, 0) << found.output;
  }

  void expect_complaint_about_each(const std::vector<Sample>& samples) const {
    const Verdict found = verdict();
    EXPECT_EQ(found.status, 1);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const std::string start = std::to_string(i + 1) + " " + samples[i].name;
      const bool told = ("\n" + found.output).find("\n" + start) != std::string::npos;
      EXPECT_TRUE(told) << start << " is not in\n" << found.output;
    }
  }

  std::string path_;
};

TEST_F(PacketJudge, finds_nothing_wrong_with_right_frames) {
  write(right_samples());
  expect_no_complaint();
}

TEST_F(PacketJudge, finds_every_fault) {
  write(broken_samples());
  expect_complaint_about_each(broken_samples());
}

TEST_F(PacketJudge, lets_through_what_is_broken_on_purpose) {
  write(broken_samples(), Made::broken_on_purpose);
  expect_no_complaint();
}

TEST_F(PacketJudge, finishes_partial_checksums_that_are_said_to_be_there) {
  write(partial_samples(), Made::with_partial_checksum);
  expect_no_complaint();
}

TEST_F(PacketJudge, takes_partial_checksums_for_wrong_ones_else) {
  write(partial_samples());
  expect_complaint_about_each(partial_samples());
}

TEST_F(PacketJudge, finds_partial_checksums_that_are_not_the_sum_of_the_pseudo_header) {
  std::vector<Sample> samples = right_samples();
  samples.resize(2);  // TCP and UDP over IPv4, with all of their checksum
  write(samples, Made::with_partial_checksum);
  expect_complaint_about_each(samples);
}

TEST_F(PacketJudge, sees_what_several_programs_wrote) {
  write({right_samples().front()});
  write({broken_samples().front()});
  const Verdict found = verdict();
  EXPECT_EQ(found.output.find("2 " + broken_samples().front().name + ": "), 0U) << found.output;
  EXPECT_NE(found.output.find("2 frames of 2 tests, 0 of them broken on purpose: "), std::string::npos);
}

TEST_F(PacketJudge, takes_no_frame_at_all_for_a_fault) { EXPECT_EQ(verdict().status, 1); }

TEST_F(PacketJudge, tells_a_file_that_can_not_be_read) {
  write({right_samples().front()});
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 1);
  EXPECT_EQ(verdict().status, 2);
  std::filesystem::remove(path_);
  EXPECT_EQ(verdict().status, 2);
}

TEST_F(PacketJudge, takes_frames_as_they_were_made) {
  EXPECT_EQ(how_made(right_samples().front().frame), Made::right);
  EXPECT_EQ(how_made(partial_samples().front().frame), Made::with_partial_checksum);
  EXPECT_EQ(how_made(broken_samples().front().frame), Made::broken_on_purpose);
}

}  // namespace
}  // namespace astil::test
