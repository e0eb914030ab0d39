// Keys of zones, their files, and the data of NSEC records.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "control/dns/denial.hpp"
#include "control/dns/key_files.hpp"
#include "dns_signed_support.hpp"

namespace astil::dns::testing {
namespace {

using ::testing::HasSubstr;

const std::string kZone = name_from_text("example.org").value();

/// A directory that goes with the test.
struct Directory {
  std::string path;
  Directory() {
    std::string made = std::filesystem::temp_directory_path() / "dns-keys-XXXXXX";
    path = ::mkdtemp(made.data());
  }
  ~Directory() { std::filesystem::remove_all(path); }
  [[nodiscard]] std::string put(const std::string& name, const std::string& text) const {
    std::ofstream(path + "/" + name) << text;
    return path + "/" + name;
  }
};

TEST(Keys, what_was_written_is_read_again) {
  for (const Algorithm algorithm : {Algorithm::ecdsa_p256_sha256, Algorithm::ed25519}) {
    const Directory directory;
    const SigningKey key = new_key(algorithm);
    const auto stem = write_key(directory.path, kZone, key);
    ASSERT_TRUE(stem) << stem.error().text();
    struct stat status {};
    ASSERT_EQ(::stat((*stem + ".private").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    for (const char* ending : {"", ".key", ".private"}) {
      const auto again = read_key(*stem + ending, kZone);
      ASSERT_TRUE(again) << again.error().text();
      EXPECT_EQ(again->dnskey(), key.dnskey());
      EXPECT_EQ(again->secret().value(), key.secret().value());
    }
    EXPECT_THAT(write_key(directory.path, kZone, key).error().what, HasSubstr("File exists"));
  }
}

/// RFC 6605 section 6.1 and RFC 8080 section 6.1: their keys, tags and digests.
TEST(Keys, those_of_the_rfcs_have_their_tags_and_digests) {
  const auto p256 = parse_dnskey(
      "example.net. 3600 IN DNSKEY 257 3 13 "
      "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==");
  ASSERT_TRUE(p256);
  EXPECT_EQ(key_tag(p256->data), 55648);
  EXPECT_EQ(show_ds(name_from_text("example.net").value(), p256->data),
            "example.net. 3600 IN DS 55648 13 2 b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17");
  const auto ed25519 =
      parse_dnskey("example.com. 3600 IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=");
  ASSERT_TRUE(ed25519);
  EXPECT_EQ(show_ds(name_from_text("example.com").value(), ed25519->data),
            "example.com. 3600 IN DS 3613 15 2 3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b");
}

/// RFC 8080 section 6.1: this algorithm's signatures have nothing drawn, so they are the RFC's.
TEST(Keys, a_signature_of_ed25519_is_the_rfc_s) {
  const Directory directory;
  const std::string stem = directory.put("K", "");
  (void)directory.put("K.key", "example.com. 3600 IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=\n");
  (void)directory.put("K.private",
                      "Private-key-format: v1.2\nAlgorithm: 15 (ED25519)\n"
                      "PrivateKey: ODIyNjAzODQ2MjgwODAxMjI2NDUxOTAyMDQxNDIyNjI=\n");
  const auto key = read_key(stem, name_from_text("example.com").value());
  ASSERT_TRUE(key) << key.error().text();
  EXPECT_EQ(key->tag(), 3613);
}

TEST(Keys, files_that_are_wrong_are_told_with_what_is_wrong) {
  const Directory directory;
  const std::string stem = write_key(directory.path, kZone, new_key()).value();
  const std::string other = write_key(directory.path, kZone, new_key()).value();
  EXPECT_THAT(read_key(stem, name_from_text("example.net").value()).error().text(),
              HasSubstr(stem + ".key is a key of example.org, not of example.net; name a key of this zone"));
  EXPECT_THAT(read_key(directory.path + "/none", kZone).error().what, HasSubstr("none.key: No such file"));
  std::filesystem::copy_file(other + ".private", stem + ".private", std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(read_key(stem, kZone).error().what, HasSubstr("do not belong together"));
  (void)directory.put("bad.private", "PrivateKey: *\n");
  std::filesystem::copy_file(stem + ".key", directory.path + "/bad.key");
  EXPECT_THAT(read_key(directory.path + "/bad", kZone).error().what, HasSubstr("has no line PrivateKey:"));
  (void)directory.put("bad.private", "PrivateKey: AAAA\n");
  EXPECT_THAT(read_key(directory.path + "/bad", kZone).error().what, HasSubstr("wrong length"));
  (void)directory.put("bad.key", "; nothing\n");
  EXPECT_THAT(read_key(directory.path + "/bad", kZone).error().what, HasSubstr("has no DNSKEY record"));
  (void)directory.put("bad.key", "example.org. IN A 192.0.2.1\n");
  EXPECT_THAT(read_key(directory.path + "/bad", kZone).error().what, HasSubstr("not a DNSKEY record"));
  (void)directory.put("bad.key", "example.org. IN DNSKEY 257 3 8 AwEAAQ==\n");
  EXPECT_THAT(read_key(directory.path + "/bad", kZone).error().what, HasSubstr("algorithm 8 is not known here"));
  (void)directory.put("bad.key", "example.org. IN DNSKEY 1 3 13 AwEAAQ==\n");
  EXPECT_THAT(read_key(directory.path + "/bad", kZone).error().what, HasSubstr("not of a zone's key"));
}

TEST(Denial, a_type_s_bit_stands_in_its_window) {  // RFC 4034 section 4.3
  const std::string data =
      nsec_data(name_from_text("host.example.com").value(), {Type::a, Type::mx, Type::rrsig, Type::nsec, Type{1234}});
  const std::string expected = name_from_text("host.example.com").value() + std::string("\0\6\x40\1\0\0\0\3", 8) +
                               std::string("\4\x1b", 2) + std::string(26, '\0') + ' ';
  EXPECT_EQ(data, expected);
}

std::string label(std::size_t size, char fill) { return static_cast<char>(size) + std::string(size, fill); }

TEST(Denial, the_next_name_is_right_behind_and_no_longer_than_a_name_may_be) {
  EXPECT_EQ(next_name(kZone, kZone), std::string("\1\0", 2) + kZone);
  // 12 bytes of the zone, three labels of 64, then one that leaves 1, 0 bytes.
  const std::string long_part = label(63, 'a') + label(63, 'a') + label(63, 'a');
  const std::string with_room_for_one = label(48, 'b') + long_part + kZone;
  ASSERT_EQ(with_room_for_one.size(), 254U);
  EXPECT_EQ(next_name(with_room_for_one, kZone), '\x31' + std::string(48, 'b') + '\0' + long_part + kZone);
  const std::string full = label(49, 'b') + long_part + kZone;
  ASSERT_EQ(full.size(), 255U);
  EXPECT_EQ(next_name(full, kZone), '\x31' + std::string(48, 'b') + 'c' + long_part + kZone);
  EXPECT_EQ(next_name(label(49, '@') + long_part + kZone, kZone),
            '\x31' + std::string(48, '@') + '[' + long_part + kZone);
  EXPECT_EQ(next_name(label(49, '\xff') + long_part + kZone, kZone),
            '\x3f' + std::string(62, 'a') + 'b' + label(63, 'a') + label(63, 'a') + kZone);
  const std::string last = label(49, '\xff') + label(63, '\xff') + label(63, '\xff') + label(63, '\xff') + kZone;
  EXPECT_EQ(next_name(last, kZone), kZone);
}

}  // namespace
}  // namespace astil::dns::testing
