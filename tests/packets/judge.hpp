// What leaves in the tests, written down for the verdict of a program that knows nothing of this one:
// tests/packets/judge has tshark look at every frame.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace astil::test {

/// How a test made the frame that it sent, so what may be expected of the one that leaves: a broken one may leave as
/// broken as it came, and what a partial checksum lacks (kPartialChecksum) is filled in before the verdict.
enum class Made { right, with_partial_checksum, broken_on_purpose };

/// By what complaint_of_frame says.
[[nodiscard]] Made how_made(std::span<const std::byte> frame);

/// Collects frames. The file is in the pcapng format (draft-ietf-opsawg-pcapng), so Wireshark opens it too: a section
/// for each write, one interface of Ethernet, and with each frame as its comment the name of the test, behind which
/// stands kBrokenMark where the frame is broken on purpose.
class Judge {
 public:
  /// No path: frames are not kept.
  explicit Judge(std::string path) : path_(std::move(path)) {}

  void saw(std::string_view test_name, std::span<const std::byte> frame, Made made = Made::right);

  /// Adds what was seen since the last time to the end of the file, to which other processes may write too. Throws
  /// std::system_error.
  void write();

 private:
  std::string path_;
  std::vector<std::byte> blocks_;
};

/// This process's: it writes to the file that the environment variable ASTIL_JUDGE_FILE names, when all tests have run.
[[nodiscard]] Judge& judge();

/// Of the test that runs, as GoogleTest prints it: suite.case.
[[nodiscard]] std::string name_of_test();

}  // namespace astil::test
