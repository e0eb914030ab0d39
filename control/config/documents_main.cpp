// astil_config_documents ROOT: writes config/astil.schema.json and docs/configuration.md below the root of the source
// tree.
#include <fstream>
#include <iostream>

#include "control/config/documents.hpp"

namespace {

bool write(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) std::cerr << "can not write " << path << '\n';
  return !file.fail();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: astil_config_documents ROOT_OF_THE_SOURCE_TREE\n";
    return 2;
  }
  const std::string root = argv[1];
  const bool schema_written = write(root + "/config/astil.schema.json", astil::config::json_schema());
  const bool page_written = write(root + "/docs/configuration.md", astil::config::reference_page());
  return schema_written && page_written ? 0 : 1;
}
