// Key files in the form of BIND, which ldns-keygen, Knot and others write too: NAME.key has the DNSKEY record,
// NAME.private the private key. NAME is Kexample.org.+013+12345: zone, algorithm, key tag. Off the hot path.
#pragma once

#include <string>

#include "control/base/result.hpp"
#include "control/dns/signing_key.hpp"

namespace astil::dns {

/// `path` is NAME, with `.key`, `.private` or without. `zone` is folded. Error: a file that can not be read or is none
/// such, of another zone, or of a key that can not sign here.
[[nodiscard]] Result<SigningKey> read_key(const std::string& path, const std::string& zone);

/// The data of the DNSKEY record alone.
[[nodiscard]] Result<std::string> read_public_key(const std::string& path, const std::string& zone);

/// Writes both files, the private one for its owner alone, and returns NAME with the directory. Error: they can not be
/// written, or are there already.
[[nodiscard]] Result<std::string> write_key(const std::string& directory, const std::string& zone,
                                            const SigningKey& key);

/// `example.org. 3600 IN DS 12345 13 2 1F...`, a line of the parent's zone file. `zone` is folded.
[[nodiscard]] std::string show_ds(const std::string& zone, const std::string& dnskey);

}  // namespace astil::dns
