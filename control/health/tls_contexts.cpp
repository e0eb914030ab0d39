#include "control/health/tls_contexts.hpp"

#include <boost/system/error_code.hpp>
#include <utility>

namespace astil::health {
namespace {

namespace ssl = boost::asio::ssl;

TlsContexts::Entry make_entry(const config::TlsTrust& trust) {
  TlsContexts::Entry entry{ssl::context(ssl::context::tls_client), {}};
  if (!trust.verify) return entry;
  // Not OpenSSL's default places: of a folder of certificates it reads one when it meets a server that needs it.
  const std::string file = trust.ca.empty() ? TlsContexts::kSystemAuthorities : trust.ca;
  boost::system::error_code error;
  entry.context.load_verify_file(file, error);
  if (error) entry.error = "ca " + file + ": " + error.message();
  if (!error) entry.context.set_verify_mode(ssl::verify_peer, error);
  return entry;
}

}  // namespace

void TlsContexts::prepare(const std::set<config::TlsTrust>& trusts) {
  entries_.clear();
  for (const config::TlsTrust& trust : trusts) entries_.emplace(trust, make_entry(trust));
}

TlsContexts::Entry& TlsContexts::of(const config::TlsTrust& trust) {
  const auto found = entries_.find(trust);
  return found != entries_.end() ? found->second : entries_.emplace(trust, make_entry(trust)).first->second;
}

}  // namespace astil::health
