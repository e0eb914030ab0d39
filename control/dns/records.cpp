#include "control/dns/records.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "control/base/free.hpp"
#include "control/dns/ldns.hpp"
#include "control/dns/name.hpp"

namespace astil::dns {
namespace {

using Rr = std::unique_ptr<ldns_rr, base::Free<ldns_rr_free>>;
using Name = std::unique_ptr<ldns_rdf, base::Free<ldns_rdf_deep_free>>;
using Buffer = std::unique_ptr<ldns_buffer, base::Free<ldns_buffer_free>>;
using File = std::unique_ptr<std::FILE, base::Free<std::fclose>>;

constexpr std::size_t kLongestData = 65535;

/// What a zone of ours can not hold: what asks rather than tells, what another server would have to make, and what is
/// signed here.
bool is_refused(Type type) {
  constexpr std::array kRefused{Type::dname,  Type::opt, Type::rrsig, Type::nsec,
                                Type::dnskey, Type{50},  Type{51},    Type{25}};
  const auto number = static_cast<std::uint16_t>(type);
  return number == 0 || (number >= 128 && number <= 255) ||
         std::find(kRefused.begin(), kRefused.end(), type) != kRefused.end();
}

Result<std::string> data_of(const ldns_rr& rr) {
  const Buffer buffer(ldns_buffer_new(kLongestData));
  if (ldns_rr_rdata2buffer_wire(buffer.get(), &rr) != LDNS_STATUS_OK) return Error{"its data can not be encoded", {}};
  return Result<std::string>(boost::system::in_place_value,
                             reinterpret_cast<const char*>(ldns_buffer_begin(buffer.get())),
                             ldns_buffer_position(buffer.get()));
}

/// Null: libldns does not take its data.
Rr to_rr(const Record& record) {
  std::string wire = record.owner;
  const auto add = [&](std::size_t value) {
    wire += static_cast<char>(value >> 8U & 0xffU);
    wire += static_cast<char>(value & 0xffU);
  };
  for (const std::size_t word :
       {static_cast<std::size_t>(record.type), std::size_t{kClassIn}, static_cast<std::size_t>(record.ttl >> 16U),
        static_cast<std::size_t>(record.ttl), record.data.size()})
    add(word);
  wire += record.data;
  ldns_rr* rr = nullptr;
  std::size_t at = 0;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(wire.data());
  if (ldns_wire2rr(&rr, bytes, wire.size(), &at, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK) return nullptr;
  return Rr(rr);
}

std::string line_of(const ldns_rr& rr) {
  const std::unique_ptr<char, base::Free<std::free>> text(ldns_rr2str(&rr));
  std::string line = text ? text.get() : "";
  std::replace(line.begin(), line.end(), '\t', ' ');
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  return line;
}

Name name_of(const std::string& text) { return Name(ldns_dname_new_frm_str(text.c_str())); }

Result<Record> record_of(const ldns_rr& rr) {
  Record record;
  if (ldns_rr_get_class(&rr) != LDNS_RR_CLASS_IN) return Error{"a record of another class than IN", {}};
  record.type = static_cast<Type>(ldns_rr_get_type(&rr));
  record.ttl = ldns_rr_ttl(&rr);
  const ldns_rdf* owner = ldns_rr_owner(&rr);
  const auto* bytes = reinterpret_cast<const char*>(ldns_rdf_data(owner));
  for (std::size_t i = 0; i < ldns_rdf_size(owner); ++i) record.owner += folded(bytes[i]);
  auto data = data_of(rr);
  if (data.has_error()) return data.error();
  record.data = std::move(*data);
  return Result<Record>(boost::system::in_place_value, std::move(record));
}

/// A type's data has to be whole: libldns takes some lines that end early.
bool has_all_fields(const ldns_rr& rr) {
  const ldns_rr_descriptor* wanted = ldns_rr_descript(ldns_rr_get_type(&rr));
  return wanted != nullptr && ldns_rr_rd_count(&rr) >= ldns_rr_descriptor_minimum(wanted);
}

Result<Record> checked(const ldns_rr& rr) {
  if (!has_all_fields(rr)) return Error{"the record is cut short", {}};
  if (const auto type = static_cast<Type>(ldns_rr_get_type(&rr)); is_refused(type))
    return Error{"records of type " + type_name(type) + " can not stand here", "leave it out"};
  return record_of(rr);
}

}  // namespace

Result<Record> parse_record(const std::string& line, const std::string& origin, std::uint32_t ttl) {
  const Name below = name_of(origin);
  if (!below) return Error{"'" + origin + "' is not a domain name", {}};
  ldns_rr* made = nullptr;
  ldns_rdf* before = nullptr;  // the owner of the line before, which a line that begins with a blank would take over
  const ldns_status status = ldns_rr_new_frm_str(&made, line.c_str(), ttl, below.get(), &before);
  const Rr rr(made);
  const Name owner(before);
  if (status != LDNS_STATUS_OK) return Error{ldns_get_errorstr_by_id(status), {}};
  return checked(*rr);
}

Result<std::vector<Record>> parse_zone_file(const std::string& path, const std::string& origin, std::uint32_t ttl) {
  const File file(std::fopen(path.c_str(), "re"));
  if (!file) return system_error("read " + path, errno);
  ldns_rdf* below = ldns_dname_new_frm_str(origin.c_str());
  ldns_rdf* before = nullptr;
  int line = 0;
  std::vector<Record> records;
  Error wrong;
  while (wrong.what.empty() && std::feof(file.get()) == 0) {
    ldns_rr* made = nullptr;
    const int begin = line + 1;
    const ldns_status status = ldns_rr_new_frm_fp_l(&made, file.get(), &ttl, &below, &before, &line);
    const Rr rr(made);
    if (status == LDNS_STATUS_SYNTAX_EMPTY || status == LDNS_STATUS_SYNTAX_TTL || status == LDNS_STATUS_SYNTAX_ORIGIN)
      continue;
    const auto record =
        status == LDNS_STATUS_OK ? checked(*rr) : Result<Record>(Error{ldns_get_errorstr_by_id(status), {}});
    if (record.has_error()) {
      wrong = record.error();
      wrong.what = path + ":" + std::to_string(std::max(begin, line)) + ": " + wrong.what;
    } else {
      records.push_back(*record);
    }
  }
  ldns_rdf_deep_free(below);
  ldns_rdf_deep_free(before);
  if (!wrong.what.empty()) return wrong;
  return Result<std::vector<Record>>(boost::system::in_place_value, std::move(records));
}

Result<Record> parse_dnskey(const std::string& line) {
  ldns_rr* made = nullptr;
  const ldns_status status = ldns_rr_new_frm_str(&made, line.c_str(), 0, nullptr, nullptr);
  const Rr rr(made);
  if (status != LDNS_STATUS_OK) return Error{ldns_get_errorstr_by_id(status), {}};
  if (ldns_rr_get_type(made) != LDNS_RR_TYPE_DNSKEY || !has_all_fields(*made)) return Error{"not a DNSKEY record", {}};
  return record_of(*made);
}

void make_canonical(Record& record) {
  const Rr rr = to_rr(record);
  if (!rr) return;  // of a type without names that libldns knows
  ldns_rr2canonical(rr.get());
  if (auto data = data_of(*rr)) record.data = std::move(*data);
}

std::string show_record(const Record& record) {
  const Rr rr = to_rr(record);
  return rr ? line_of(*rr) : std::string();
}

ShownResponse show_response(std::span<const std::byte> response) {
  using Text = std::unique_ptr<char, base::Free<std::free>>;
  ldns_pkt* read = nullptr;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(response.data());
  if (ldns_wire2pkt(&read, bytes, response.size()) != LDNS_STATUS_OK) return {};
  const std::unique_ptr<ldns_pkt, base::Free<ldns_pkt_free>> packet(read);
  ShownResponse shown;
  if (const Text code(ldns_pkt_rcode2str(ldns_pkt_get_rcode(read))); code) shown.code = code.get();
  const ldns_rr_list* answers = ldns_pkt_answer(read);
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(answers); ++i) {
    shown.answers.push_back(line_of(*ldns_rr_list_rr(answers, i)));
  }
  return shown;
}

std::string type_name(Type type) {
  const std::unique_ptr<char, base::Free<std::free>> text(ldns_rr_type2str(static_cast<ldns_rr_type>(type)));
  return text ? text.get() : "TYPE" + std::to_string(static_cast<unsigned>(type));
}

Result<Type> type_by_name(const std::string& name) {
  const ldns_rr_type type = ldns_get_rr_type_by_name(name.c_str());
  if (type == 0) return Error{"'" + name + "' is not a type of records", "write A, AAAA, TXT or TYPE65"};
  return static_cast<Type>(type);
}

}  // namespace astil::dns
