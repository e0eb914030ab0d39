// The fuzzer's corpus, run in every build: texts that were or may be hard to read end in a model or in mistakes.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

TEST(config_corpus, every_text_ends_in_a_model_or_in_mistakes) {
  std::size_t texts = 0;
  for (const auto& entry : std::filesystem::directory_iterator(ASTIL_SOURCE_DIR "/tests/fuzz/config/corpus")) {
    SCOPED_TRACE(entry.path());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    EXPECT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()), 0);
    ++texts;
  }
  EXPECT_GE(texts, 10U);
}

}  // namespace
