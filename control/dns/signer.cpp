#include "control/dns/signer.hpp"

#include <algorithm>
#include <functional>

#include "control/dns/name.hpp"

namespace astil::dns {
namespace {

void add_u16(std::string& out, std::size_t value) {
  out += static_cast<char>(value >> 8U & 0xffU);
  out += static_cast<char>(value & 0xffU);
}

void add_u32(std::string& out, std::uint32_t value) {
  add_u16(out, value >> 16U);
  add_u16(out, value & 0xffffU);
}

/// RFC 4034 section 3.1.3: without the root, and without the asterisk of a wildcard.
unsigned labels_of(std::string_view name) {
  unsigned labels = name.starts_with(std::string_view("\1*", 2)) ? ~0U : 0U;
  for (; !is_root(name); name = parent_of(name)) ++labels;
  return labels;
}

}  // namespace

Signer::Signer(std::string apex, std::vector<SigningKey> keys, std::vector<std::string> published,
               std::uint32_t validity)
    : apex_(std::move(apex)), keys_(std::move(keys)), dnskeys_(std::move(published)), validity_(validity) {
  std::string all = apex_ + std::to_string(validity_);
  for (const SigningKey& key : keys_) {
    all += key.dnskey();
    dnskeys_.push_back(key.dnskey());
  }
  std::sort(dnskeys_.begin(), dnskeys_.end());
  dnskeys_.erase(std::unique(dnskeys_.begin(), dnskeys_.end()), dnskeys_.end());
  identity_ = std::hash<std::string>()(all);
  const auto entries = std::count_if(keys_.begin(), keys_.end(), [](const auto& key) { return key.is_entry_point(); });
  is_split_ = entries > 0 && entries < static_cast<std::ptrdiff_t>(keys_.size());
}

bool Signer::signs(const SigningKey& key, Type type) const {
  return !is_split_ || key.is_entry_point() == (type == Type::dnskey);
}

std::vector<std::string> Signer::sign(const SetToSign& set, std::uint32_t now) const {
  std::string records;
  for (const std::string_view data : set.data) {
    records += set.owner;
    add_u16(records, static_cast<std::size_t>(set.type));
    add_u16(records, kClassIn);
    add_u32(records, set.ttl);
    add_u16(records, data.size());
    records += data;
  }
  std::vector<std::string> signatures;
  for (const SigningKey& key : keys_) {
    if (!signs(key, set.type)) continue;
    std::string& data = signatures.emplace_back();
    add_u16(data, static_cast<std::size_t>(set.type));
    data += static_cast<char>(key.algorithm());
    data += static_cast<char>(labels_of(set.owner));
    add_u32(data, set.ttl);
    add_u32(data, now + validity_);
    add_u32(data, now - kSignedBefore);
    add_u16(data, key.tag());
    data += apex_;
    const auto signature = key.sign(data + records);
    if (!signature) return {};
    data += *signature;
  }
  return signatures;
}

}  // namespace astil::dns
