// The documents that follow from the declaration of the keys are those in the tree.
#include "control/config/documents.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace astil::config {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

constexpr const char* kRemedy = "run astil_config_documents with the root of the source tree";

TEST(config_documents, the_schema_is_up_to_date) {
  EXPECT_EQ(text_of(ASTIL_SOURCE_DIR "/config/astil.schema.json"), json_schema()) << kRemedy;
}

TEST(config_documents, the_reference_page_is_up_to_date) {
  EXPECT_EQ(text_of(ASTIL_SOURCE_DIR "/docs/configuration.md"), reference_page()) << kRemedy;
}

}  // namespace
}  // namespace astil::config
