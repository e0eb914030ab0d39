// A capture's file, as it comes from the daemon: whole blocks go to the disk or to the standard output, and what is in
// them is counted.
#pragma once

#include <boost/json/value.hpp>
#include <iosfwd>
#include <string>
#include <string_view>

#include "control/base/result.hpp"
#include "control/cli/client.hpp"
#include "control/pcapng/reader.hpp"

namespace astil::cli {

class CaptureFile {
 public:
  /// The name that stands for the standard output.
  static constexpr const char* kOut = "-";

  /// The file is made, or emptied, when its first bytes come: not where the daemon refuses. `out` must outlive this.
  CaptureFile(std::string name, std::ostream& out);
  CaptureFile(const CaptureFile&) = delete;
  CaptureFile& operator=(const CaptureFile&) = delete;
  ~CaptureFile();

  /// No: it can not be written, which `close` tells of, or nobody reads the standard output any more.
  GoOn write(std::string_view piece);
  /// What went wrong, if anything.
  [[nodiscard]] Result<> close();

  /// What is in the file, and what was left out as far as it is known.
  [[nodiscard]] boost::json::value summary() const;
  [[nodiscard]] std::string summary_text() const;

 private:
  [[nodiscard]] Result<> write_blocks(const std::string& blocks);

  std::string name_;
  std::ostream& out_;
  int descriptor_ = -1;
  pcapng::Reader reader_;
  Result<> outcome_;
};

}  // namespace astil::cli
