// The packet fuzzer's corpus, in every build: each scenario ends alike in the native engine and in the kernel's
// program, frame by frame and in all tables.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/packets/stage.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/packets/sense.hpp"

namespace astil::fuzz {
namespace {

Bytes read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::vector<std::filesystem::path> corpus() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(ASTIL_SOURCE_DIR "/tests/fuzz/packets/corpus"))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

void expect_alike(Stage& native, Stage& kernel, const Step& step, std::size_t number) {
  if (step.kind != StepKind::frame && step.kind != StepKind::repaired_frame) {
    native.prepare(step);
    kernel.prepare(step);
    return;
  }
  Bytes by_native = step.bytes;
  if (step.kind == StepKind::repaired_frame) repair(by_native);
  if (!kernel.takes(by_native)) return;
  Bytes by_kernel = by_native;
  EXPECT_EQ(native.run(by_native), kernel.run(by_kernel)) << "step " << number;
  EXPECT_TRUE(by_native == by_kernel) << "step " << number;
}

TEST(PacketCorpus, holds_whatever_stands_in_the_tables) {
  ASSERT_GE(corpus().size(), 10U);
  for (const auto& path : corpus()) packets(read_file(path));
}

void expect_corpus_alike(const Result<std::unique_ptr<test::TestEngine>>& kernel) {
  if (kernel.has_error()) GTEST_SKIP() << "no kernel engine here: " << kernel.error().text();
  test::stay_on_this_cpu();
  const auto native = test::native_engine(stage_sizes());
  for (const auto& path : corpus()) {
    SCOPED_TRACE(path);
    Stage of_native(*native);
    Stage of_kernel(**kernel);
    std::size_t number = 0;
    for (const Step& step : steps_of(read_file(path))) expect_alike(of_native, of_kernel, step, number++);
    EXPECT_EQ(test::difference(of_native.tables(), of_kernel.tables()), "");
  }
}

TEST(PacketCorpus, ends_alike_in_the_native_engine_and_xdp) { expect_corpus_alike(test::xdp_engine(stage_sizes())); }

TEST(PacketCorpus, ends_alike_in_the_native_engine_and_tc) { expect_corpus_alike(test::tc_engine(stage_sizes())); }

}  // namespace
}  // namespace astil::fuzz
